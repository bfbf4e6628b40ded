"""What the manifests tell the program is what the program understands: commands, exit codes, environment."""

import functools
from typing import Any

import pytest
from typer.testing import CliRunner

from cripto.cli import exits
from cripto.cli.app import build
from cripto.settings import Settings, load_settings
from tests.deploy.manifests import API, COLLECTOR, OPTIMIZER, OVERLAYS, TRAINER, built, named, of_kind, pods
from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application

PASSED_TO_AWS = {"AWS_DEFAULT_REGION"}


def container(overlay: str, workload: str) -> Any:
    [only] = dict(pods(built(overlay)))[workload]["spec"]["containers"]
    return only


@functools.cache
def understood(*arguments: str) -> bool:
    """Whether the command line takes these; --help ends it once all are parsed, before anything runs."""
    result = CliRunner().invoke(build(), [*arguments, "--help"])
    assert result.exit_code in (0, exits.CALLER)
    return result.exit_code == 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_command_is_one_that_the_program_knows(overlay: str) -> None:
    commands = {name: container(overlay, name)["args"] for name in (API, COLLECTOR, OPTIMIZER, TRAINER)}
    assert commands == {
        API: ["serve"],
        COLLECTOR: ["candles", "fetch"],
        OPTIMIZER: ["candles", "optimize"],
        TRAINER: ["train", "--promote", "--if-new", "7"],
    }
    assert all(understood(*arguments) for arguments in commands.values())
    assert all("command" not in container(overlay, name) for name in commands)


def test_a_command_that_the_program_does_not_know_would_be_noticed() -> None:
    assert not understood("train", "--promoted")
    assert not understood("candles", "fetched")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_jobs_fail_at_once_on_each_exit_code_that_trying_again_does_not_change(overlay: str) -> None:
    hopeless = sorted({exits.FOUND, exits.CALLER, exits.OPERATOR})
    assert exits.LATER not in hopeless
    for job in of_kind(built(overlay), "CronJob"):
        run = job["spec"]["jobTemplate"]["spec"]
        disrupted, refused = run["podFailurePolicy"]["rules"]
        assert disrupted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
        assert (refused["action"], refused["onExitCodes"]["operator"]) == ("FailJob", "In")
        assert refused["onExitCodes"]["values"] == hopeless
        [only] = run["template"]["spec"]["containers"]
        assert refused["onExitCodes"]["containerName"] == only["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("workload", [API, COLLECTOR, OPTIMIZER, TRAINER])
def test_each_variable_is_a_setting_and_together_they_make_the_seed_s_store(
    monkeypatch: pytest.MonkeyPatch, overlay: str, workload: str
) -> None:
    items = container(overlay, workload)["env"]
    assert all(set(item) == {"name", "value"} and isinstance(item["value"], str) for item in items)
    variables = {item["name"]: item["value"] for item in items}
    assert len(variables) == len(items)
    known = {Settings.variable(field) for field in Settings.model_fields}
    assert set(variables) - known == PASSED_TO_AWS
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.store_url == "s3://criptos-data"
    if workload == API:
        # from outside the pod, on the port that the Service sends to, by one process: pods are what is scaled
        [port] = container(overlay, API)["ports"]
        assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", port["containerPort"], 1)


def answered(client: Client, probe: Any) -> int:
    """What the program answers to a probe as the manifest has it."""
    asks = probe["httpGet"]
    headers = {item["name"]: item["value"] for item in asks.get("httpHeaders", [])}
    return client.get(asks["path"], headers).status_code


def test_a_pod_without_a_release_is_alive_and_started_and_not_ready_and_with_one_it_is_all_three() -> None:
    probes = [container("k8s", API)[f"{kind}Probe"] for kind in ("liveness", "startup", "readiness")]
    house = House("BTC", publish=False)
    assert [answered(Client(application(house)), probe) for probe in probes] == [200, 200, 503]
    house = House("BTC")
    house.service.load()
    assert [answered(Client(application(house)), probe) for probe in probes] == [200, 200, 200]


def injected(service: Any) -> dict[str, str]:
    """What Kubernetes would tell pods of a Service, as variables, did they not refuse it."""
    prefix, address = service["metadata"]["name"].upper().replace("-", "_"), "10.100.0.7"
    found = {f"{prefix}_SERVICE_HOST": address}
    for port in service["spec"]["ports"]:
        number, protocol = port["port"], port["protocol"]
        url, name = f"{protocol.lower()}://{address}:{number}", f"{prefix}_PORT_{number}_{protocol}"
        found |= {
            f"{prefix}_SERVICE_PORT": str(number),
            f"{prefix}_SERVICE_PORT_{port['name'].upper()}": str(number),
            f"{prefix}_PORT": url,
            name: url,
            f"{name}_PROTO": protocol.lower(),
            f"{name}_PORT": str(number),
            f"{name}_ADDR": address,
        }
    return found


def test_the_variables_that_kubernetes_injects_for_the_service_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = injected(named(built("k8s"), "Service", API))
    assert all(name.startswith("CRIPTO_") for name in variables)
    assert len(variables) == 8
    before = load_settings()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == before
