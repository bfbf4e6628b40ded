"""The Dockerfile keeps its promises: pinned, locked with hashes, nobody is root, nothing secret, `serve` last."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Stage, stages

ROOT = Path(__file__).parents[2]
BEFORE, STAGES = stages((ROOT / "Dockerfile").read_text())
BY_NAME = {stage.name: stage for stage in STAGES}
FINAL = ("serve", "jobs")


def lineage(name: str) -> list[Stage]:
    """A stage and those it starts from, the first one first."""
    found = [BY_NAME[name]]
    while found[0].base in BY_NAME:
        found.insert(0, BY_NAME[found[0].base])
    return found


def test_serve_is_what_a_plain_build_gives() -> None:
    assert STAGES[-1].name == "serve"
    assert set(FINAL) <= set(BY_NAME)


def test_the_base_is_pinned_by_digest_through_an_argument() -> None:
    assert re.fullmatch(r"\S+/python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", BEFORE["PYTHON_IMAGE"])
    assert {stage.base for stage in STAGES if stage.base not in BY_NAME} == {"${PYTHON_IMAGE}"}


@pytest.mark.parametrize("name", FINAL)
def test_the_user_is_a_number_and_not_root(name: str) -> None:
    users = [user for stage in lineage(name) for user in stage.all("USER")]
    assert users[-1] == "10001:10001"


@pytest.mark.parametrize("name", FINAL)
def test_it_starts_without_a_shell(name: str) -> None:
    steps = [step for stage in lineage(name) for step in stage.steps]
    assert json.loads([arguments for key, arguments in steps if key == "ENTRYPOINT"][-1]) == ["cripto"]
    assert isinstance(json.loads([arguments for key, arguments in steps if key == "CMD"][-1]), list)
    if name == "serve":
        assert json.loads(BY_NAME[name].all("CMD")[-1]) == ["serve"]


def test_the_health_check_asks_whether_the_process_lives_and_needs_no_curl() -> None:
    options, _, command = BY_NAME["serve"].all("HEALTHCHECK")[0].partition("CMD ")
    program = json.loads(command)
    assert program[:2] == ["python", "-c"]
    compile(program[2], "the health check", "exec")
    assert "/health" in program[2]
    assert "'X-Probe': 'liveness'" in program[2]
    assert {"--interval", "--timeout", "--start-period"} <= {option.split("=")[0] for option in options.split()}


def test_everything_is_installed_by_hash_and_nothing_beside_it() -> None:
    runs = [command for stage in STAGES for run in stage.all("RUN") for command in run.split(" && ")]
    pip = [command.strip() for command in runs if re.search(r"\bpip\b", command) and " install " in command]
    locked = [command for command in pip if "--require-hashes" in command]
    assert {command.split("--requirement ")[1] for command in locked} == {
        "requirements.txt",
        "docker/requirements-jobs.txt",
        "docker/requirements-build.txt",
    }
    for command in pip:
        assert "--no-deps" in command
        # the rest is this project itself, and asks nobody
        assert command in locked or command.endswith("wheel/*.whl")
        assert command in locked or "--offline" in command


@pytest.mark.parametrize(
    "path", ["requirements.txt", *sorted((ROOT / "docker").glob("requirements-*.txt"))], ids=str
)
def test_each_requirement_is_one_version_with_hashes(path: str) -> None:
    text = re.sub(r"^#.*\n", "", (ROOT / path).read_text(), flags=re.M)
    entries = re.findall(r"^\S.*(?:\n .*)*", text, re.M)
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_nothing_is_fetched_and_no_secret_is_said() -> None:
    for stage in STAGES:
        assert not stage.all("ADD")
        said = " ".join(stage.all("ENV") + stage.all("ARG")).upper()
        assert not re.search(r"TOKEN|SECRET|PASSW|_KEY|CREDENTIAL", said)
        assert not re.search(r"\b(curl|wget|apt-get|git)\b", " ".join(stage.all("RUN")))


def test_final_stages_copy_one_environment_and_no_tool() -> None:
    for name in FINAL:
        copied = [copy for stage in lineage(name) for copy in stage.all("COPY")]
        assert copied == [f"--from=build-{name} /opt/cripto /opt/cripto"]


@pytest.mark.parametrize("name", FINAL)
def test_labels_name_the_image_and_take_what_they_are_built_from(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stage = BY_NAME[name]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', " ".join(stage.all("LABEL"))))
    assert labels["title"] == {"serve": "cripto-prediction-api", "jobs": "cripto-prediction-jobs"}[name]
    assert labels["licenses"] == project["license"]
    arguments = dict(argument.split("=") for argument in stage.all("ARG"))
    assert arguments["VERSION"] == project["version"]
    for key in ("version", "revision", "created"):
        assert labels[key] == f"${{{key.upper()}}}"
        assert key.upper() in arguments


def test_uv_has_the_same_version_here_and_in_the_set_up() -> None:
    pinned = re.search(r"^uv_version=(\S+)$", (ROOT / "tools" / "setup.sh").read_text(), re.M)
    assert pinned
    assert f"\nuv=={pinned[1]} " in (ROOT / "docker" / "requirements-build.txt").read_text()


def test_all_that_is_copied_passes_the_ignore_file_and_nothing_else() -> None:
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    assert patterns[1] == "*"
    let_in = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    sources = {
        source.removesuffix("/")
        for stage in STAGES
        for copy in stage.all("COPY")
        if not copy.startswith("--from")
        for source in copy.split()[:-1]
    }
    assert sources - {"docker/requirements-build.txt", "docker/requirements-jobs.txt"} == let_in - {
        "docker/requirements-*.txt"
    }
    assert all((ROOT / source).exists() for source in sources)


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("HADOLINT MISSING: `make setup` installs it where a wheel for this machine exists")
    result = subprocess.run(
        [program, "--failure-threshold", "style", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["README.md", "README.pt-BR.md", "docs/image.md"])
def test_the_command_is_the_one_everybody_knows(name: str) -> None:
    assert re.search(r"^docker build -t cripto-prediction-api:latest \.", (ROOT / name).read_text(), re.M)
