"""The images, really built and really run: nobody is root, nothing is written, nothing unneeded is there."""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cripto.cli.workers import DRAIN_SECONDS
from cripto.market.lake import open_lake
from cripto.market.sample import sample_candles
from tests.conftest import ROOT, new_bucket
from tests.doubles.containers import HARDENED, Container, Engine, limits, missing, unreached
from tests.doubles.processes import free_port
from tools.image import build, image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400), pytest.mark.xdist_group("image")]

REVISION = "0123456789abcdef"
DEPLOYMENT = ROOT / "k8s" / "base" / "deployment.yaml"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Both images, built; in the folder that IMAGE_FOLDER names, which is kept, or in one that is removed."""
    if reason := missing():
        pytest.skip(reason)
    kept = os.environ.get("IMAGE_FOLDER")
    if not kept and (reason := unreached()):
        pytest.skip(reason)
    # conmon's sockets lie in it, and the path of a socket has to be short
    found = Engine(Path(kept or tempfile.mkdtemp(prefix="image-")).resolve())
    try:
        build(found.folder, {"REVISION": REVISION}, again=kept is not None)
        yield found
    finally:
        if not kept:
            found.remove()


@pytest.fixture(scope="module")
def store(engine: Engine, s3_server: str) -> dict[str, str]:
    """The environment of a store with some of the sample, and a release that the jobs image trained on it."""
    with pytest.MonkeyPatch.context() as patched:
        bucket = new_bucket(patched, s3_server, "test", "test")
        candles = sample_candles().sort("symbol", "time").group_by("symbol", maintain_order=True).tail(700)
        open_lake(f"s3://{bucket}").upsert(candles)
        names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
        env = {"BUCKET_NAME": bucket, **{name: os.environ[name] for name in names}}
    command = ("train", "--promote", "--folds", "2", "--json")
    with engine.running(image("jobs"), *limits(memory="2g"), *HARDENED, env=env, command=command) as trainer:
        code = int(engine.podman("wait", trainer.name, timeout=1500).stdout)
        assert code == 0, trainer.logs()
    return env


@pytest.fixture(scope="module")
def server(engine: Engine, store: dict[str, str]) -> Iterator[tuple[Container, httpx.Client]]:
    """The serving image, hardened and limited, with a release loaded; and a client of it."""
    port = free_port()
    env = {**store, "PORT": str(port), "CRIPTO_HOST": "127.0.0.1"}
    options = (*limits(memory="512m", cpus="1"), *HARDENED, "--security-opt=no-new-privileges")
    with (
        engine.running(image("serve"), *options, env=env) as container,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        wait_until_healthy(container, client)
        yield container, client


def wait_until_healthy(container: Container, client: httpx.Client, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, container.logs()
        time.sleep(0.2)


def installed(engine: Engine, target: str) -> dict[str, str]:
    """Each distribution of an image and its version, as its own interpreter finds them."""
    program = (
        "import importlib.metadata as m, json, re;"
        "print(json.dumps({re.sub('[-_.]+', '-', d.name).lower(): d.version for d in m.distributions()}))"
    )
    words = ("run", "--rm", "--network=none", "--pull=never", "--no-healthcheck", "--entrypoint=python")
    found: dict[str, str] = json.loads(engine.podman(*words, image(target), "-c", program).stdout)
    return found


def locked(path: str) -> dict[str, str]:
    """What a file of requirements names for this kind of machine."""
    from packaging.requirements import Requirement

    lines = re.findall(r"^([a-z0-9][^\\\n]*?)\s*\\?$", (ROOT / path).read_text(), re.M)
    named = [Requirement(line) for line in lines]
    here = [each for each in named if each.marker is None or each.marker.evaluate()]
    return {each.name: str(each.specifier).removeprefix("==") for each in here}


def test_it_predicts(server: tuple[Container, httpx.Client]) -> None:
    _, client = server
    health = client.get("/health").json()
    assert health["models_loaded"] is True
    assert health["total_models"] == 5
    answer = client.get("/symbol/BTC")
    assert answer.status_code == 200
    assert answer.json()["total_modelos"] == 5
    assert client.get("/docs").status_code == 200


def test_it_is_nobody_and_may_do_nothing(server: tuple[Container, httpx.Client]) -> None:
    container, _ = server
    assert container.shell("id -u; id -g").split() == ["10001", "10001"]
    status = dict(re.findall(r"^(\w+):\s+(\S+)", container.shell("cat /proc/1/status"), re.M))
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize("place", ["/", "/opt/cripto", "/opt/cripto/lib", "/usr/bin", "/etc", "/var/cache/cripto"])
def test_its_root_cannot_be_written(server: tuple[Container, httpx.Client], place: str) -> None:
    container, _ = server
    done = container.run("touch", f"{place}/written")
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
    container.shell("touch /tmp/written")


def test_its_health_check_needs_no_tool_and_says_whether_it_lives(server: tuple[Container, httpx.Client]) -> None:
    container, _ = server
    told = container.engine.inspect(image("serve"))
    command = told.get("HealthCheck", told.get("Healthcheck"))["Test"]
    assert command[0] == "CMD"
    assert container.run(*command[1:]).returncode == 0
    elsewhere = container.run("env", f"PORT={free_port()}", *command[1:])
    assert elsewhere.returncode != 0


def test_threads_follow_the_limit_and_memory_keeps_far_below_it(server: tuple[Container, httpx.Client]) -> None:
    container, _ = server
    resident = re.search(r"VmRSS:\s+(\d+) kB", container.shell("cat /proc/1/status"))
    assert resident
    assert int(resident[1]) < 400 * 1024
    if len(limits(memory="512m", cpus="1")) < 2:
        pytest.skip("CPU LIMIT NOT TRIED: there are no control groups for it")
    program = "from cripto.cli.cpus import cpu_limit; print(cpu_limit())"
    assert container.run("python", "-c", program).stdout.strip() == "1"


def test_it_drains_and_ends_well_when_it_is_told_to(engine: Engine, store: dict[str, str]) -> None:
    port = free_port()
    env = {**store, "PORT": str(port), "CRIPTO_HOST": "127.0.0.1"}
    with (
        engine.running(image("serve"), *limits(memory="512m"), *HARDENED, env=env) as container,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        wait_until_healthy(container, client)
        code, took = container.stop(DRAIN_SECONDS + 10)
        assert code == 0, container.logs()
        assert took < DRAIN_SECONDS + 10


@pytest.mark.parametrize(
    ("target", "requirements"), [("serve", "requirements.txt"), ("jobs", "docker/requirements-jobs.txt")]
)
def test_exactly_what_is_locked_is_installed(engine: Engine, target: str, requirements: str) -> None:
    found = installed(engine, target)
    assert found.pop("cripto")
    assert found == locked(requirements)


def test_nothing_that_trains_or_fetches_is_near_the_api(engine: Engine) -> None:
    found = installed(engine, "serve")
    assert not {"scikit-learn", "skl2onnx", "onnx", "joblib", "ccxt", "matplotlib", "pip", "uv"} & set(found)
    assert {"scikit-learn", "joblib", "ccxt"} <= set(installed(engine, "jobs"))


def test_everything_is_compiled_already(engine: Engine) -> None:
    script = "find /opt/cripto/lib -name '*.py' | wc -l; find /opt/cripto/lib -name '*.pyc' | wc -l"
    words = ("run", "--rm", "--network=none", "--pull=never", "--no-healthcheck", "--entrypoint=sh")
    sources, compiled = map(int, engine.podman(*words, image("serve"), "-c", script).stdout.split())
    # a few files of tests and templates are no Python that compiles
    assert 0.99 * sources < compiled <= sources


@pytest.mark.parametrize("target", ["serve", "jobs"])
def test_labels_and_entry_point(engine: Engine, target: str) -> None:
    config = engine.inspect(image(target))["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["cripto"]
    assert config["Labels"]["org.opencontainers.image.revision"] == REVISION
    assert config["Labels"]["org.opencontainers.image.title"] == image(target).split("/")[1].split(":")[0]


def runnable(deployment: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """The Deployment with what podman cannot do left out, one replica, and another environment."""
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["hostNetwork"] = True
    [container] = pod["containers"]
    # a probe of a named port becomes one of port 0 there
    for name in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports"):
        container.pop(name, None)
    container["image"], container["imagePullPolicy"] = image("serve"), "Never"
    kept = [entry for entry in container["env"] if entry["name"] not in env]
    container["env"] = kept + [{"name": name, "value": value} for name, value in env.items()]
    return deployment


def test_the_deployment_runs(engine: Engine, store: dict[str, str], tmp_path: Path) -> None:
    if not DEPLOYMENT.exists():
        pytest.skip("DEPLOYMENT MISSING: there is no k8s/base/deployment.yaml")
    deployment = next(each for each in yaml.safe_load_all(DEPLOYMENT.read_text()) if each["kind"] == "Deployment")
    port = free_port()
    page = tmp_path / "deployment.yaml"
    env = {**store, "PORT": str(port), "CRIPTO_HOST": "127.0.0.1"}
    page.write_text(yaml.safe_dump(runnable(deployment, env)))
    try:
        engine.podman("play", "kube", "--network=host", str(page))
        [name] = engine.podman(
            "ps", "--filter=label=app=cripto-prediction-api", "--format={{.Names}}"
        ).stdout.split()
        container = Container(engine, name)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until_healthy(container, client)
            assert client.get("/symbol/BTC").json()["total_modelos"] == 5
        assert container.shell("id -u") == "10001"
        assert "Read-only file system" in container.run("touch", "/written").stderr
        container.shell("ls /var/cache/cripto/* > /dev/null")  # the last good release is kept there
        assert container.stop(DRAIN_SECONDS + 10)[0] == 0
    finally:
        engine.podman("play", "kube", "--down", str(page), check=False)
        sys.stdout.flush()
