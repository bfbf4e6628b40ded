"""The small production of compose.yaml: valid, our images, known settings, and nothing listens beyond loopback."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cripto.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = PAGE["services"]
OURS = {"api": "cripto-prediction-api", "collector": "cripto-prediction-jobs", "trainer": "cripto-prediction-jobs"}


def test_the_services_are_those_of_production() -> None:
    assert set(SERVICES) == {"s3", "bucket", "api", "collector", "trainer", "prometheus", "grafana"}
    assert SERVICES["trainer"]["profiles"] == ["train"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))
    assert "network_mode" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_ours_or_one_version_of_others(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    if name in OURS or name == "bucket":
        assert image == OURS.get(name, "cripto-prediction-jobs")
        assert tag == "latest"
    else:
        assert image.startswith("docker.io/")
        assert any(character.isdigit() for character in tag)


def test_both_images_are_built_from_this_dockerfile() -> None:
    targets = {
        SERVICES[name]["image"]: SERVICES[name]["build"].get("target")
        for name in SERVICES
        if "build" in SERVICES[name]
    }
    assert targets == {"cripto-prediction-api:latest": None, "cripto-prediction-jobs:latest": "jobs"}


@pytest.mark.parametrize("name", [*OURS, "bucket"])
def test_our_containers_write_nothing_and_may_do_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_our_environment_is_known_to_the_settings(name: str) -> None:
    known = {Settings.variable(field) for field in Settings.model_fields}
    environment = SERVICES[name]["environment"]
    assert {key for key in environment if not key.startswith("AWS_")} <= known
    assert environment["BUCKET_NAME"] == "criptos-data"
    assert environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environment["AWS_ENDPOINT_URL"] == "http://s3:8333"


def test_commands_exist() -> None:
    import typer.main

    from cripto.cli.app import build

    app: Any = typer.main.get_command(build())
    for name in ("collector", "trainer"):
        words = [word for word in SERVICES[name]["command"] if not word.startswith("--")]
        command = app
        for word in words:
            command = command.commands[word]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in SERVICES[name]["command"] if word.startswith("--")} <= known


def test_what_makes_the_bucket_works_and_may_be_repeated(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.setenv("BUCKET_NAME", "criptos-data")
    assert SERVICES["bucket"]["entrypoint"] == ["python", "-c"]
    for _ in range(2):
        exec(compile(SERVICES["bucket"]["command"][0], "the bucket's program", "exec"), {})
    assert "criptos-data" in [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]


def test_each_file_that_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if not source.startswith("./"):
                assert source in PAGE["volumes"]
            elif source != "./monitoring":
                assert (ROOT / source).is_file()


def test_prometheus_asks_the_port_that_the_api_listens_on() -> None:
    page = yaml.safe_load((ROOT / "docker/compose/prometheus.yml").read_text())
    targets = [
        target for job in page["scrape_configs"] for each in job["static_configs"] for target in each["targets"]
    ]
    assert targets == ["api:8000"]
    assert SERVICES["api"]["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]
    source = yaml.safe_load((ROOT / "docker/compose/grafana-datasource.yml").read_text())
    assert [each["url"] for each in source["datasources"]] == ["http://prometheus:9090"]


def test_promtool_accepts_what_prometheus_is_given() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("PROMTOOL MISSING: `make debian` installs it (as root)")
    done = subprocess.run(
        ["promtool", "check", "config", str(ROOT / "docker/compose/prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", ["", "train"])
def test_compose_itself_accepts_the_file(profile: str) -> None:
    program = shutil.which("docker-compose", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("DOCKER-COMPOSE MISSING: `make setup` installs it where a wheel for this machine exists")
    done = subprocess.run(
        [program, "--file", str(ROOT / "compose.yaml"), "--profile", profile, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
