"""Each pod of each overlay has no more rights, network, time and memory than it needs."""

import ipaddress
from typing import Any

import pytest

from tests.deploy.manifests import COLLECTOR, OPTIMIZER, OVERLAYS, TRAINER, built, named, of_kind, pods, seed_file

pytestmark = pytest.mark.parametrize("overlay", [None, *OVERLAYS], ids=lambda name: name or "deployment.yaml")


def objects_of(overlay: str | None) -> Any:
    return built(overlay) if overlay else seed_file()


def test_pods_run_as_nobody_special(overlay: str | None) -> None:
    for _, template in pods(objects_of(overlay)):
        spec = template["spec"]
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert [container["securityContext"] for container in spec["containers"]] == [
            {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
        ]
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)


def test_nobody_gets_a_token_of_kubernetes_or_its_variables(overlay: str | None) -> None:
    objects = objects_of(overlay)
    for account in of_kind(objects, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for _, template in pods(objects):
        assert template["spec"]["automountServiceAccountToken"] is False
        assert template["spec"]["enableServiceLinks"] is False


def test_whatever_is_written_is_a_bounded_volume(overlay: str | None) -> None:
    for _, template in pods(objects_of(overlay)):
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        [container] = template["spec"]["containers"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert "/tmp" in mounts
        assert set(mounts.values()) == set(volumes)
        assert all(
            set(volume) == {"name", "emptyDir"} and volume["emptyDir"]["sizeLimit"] for volume in volumes.values()
        )
        variables = {item["name"]: item["value"] for item in container["env"]}
        assert variables.get("CRIPTO_CACHE_DIR", "/tmp") in mounts


def test_requests_and_limits_are_of_cpu_and_memory_exactly(overlay: str | None) -> None:
    for _, template in pods(objects_of(overlay)):
        [container] = template["spec"]["containers"]
        assert {key: set(value) for key, value in container["resources"].items()} == {
            "requests": {"cpu", "memory"},
            "limits": {"cpu", "memory"},
        }
        for kind in ("cpu", "memory"):
            least, most = (quantity(container["resources"][key][kind]) for key in ("requests", "limits"))
            assert 0 < least <= most


def quantity(text: str) -> float:
    units = {"m": 0.001, "Mi": 2.0**20, "Gi": 2.0**30}
    [unit] = [unit for unit in units if text.endswith(unit)]
    return int(text.removesuffix(unit)) * units[unit]


def test_the_trainer_has_three_times_what_hourly_candles_took(overlay: str | None) -> None:
    if overlay is None:
        return
    [container] = dict(pods(objects_of(overlay)))[TRAINER]["spec"]["containers"]
    # docs/performance.md: 1,321 MB for 665,629 hourly rows
    assert quantity(container["resources"]["requests"]["memory"]) > 1321e6
    assert quantity(container["resources"]["limits"]["memory"]) > 3 * 1321e6


def test_pods_reach_names_https_and_the_agent_that_gives_credentials(overlay: str | None) -> None:
    for policy in of_kind(objects_of(overlay), "NetworkPolicy"):
        assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        reached: dict[tuple[str, int], set[str] | None] = {}
        for rule in policy["spec"]["egress"]:
            to = {peer["ipBlock"]["cidr"] for peer in rule["to"]} if "to" in rule else None
            reached |= {(port["protocol"], port["port"]): to for port in rule["ports"]}
        agents = {"169.254.170.23/32", "fd00:ec2::23/128"}
        assert reached == {("UDP", 53): None, ("TCP", 53): None, ("TCP", 443): None, ("TCP", 80): agents}
        assert all(ipaddress.ip_network(cidr).num_addresses == 1 for cidr in agents)


def test_nobody_reaches_the_jobs(overlay: str | None) -> None:
    if overlay is not None:
        assert not named(built(overlay), "NetworkPolicy", "cripto-prediction-jobs")["spec"].get("ingress")


def test_jobs_end_do_not_pile_up_and_try_again_only_what_may_pass(overlay: str | None) -> None:
    found = of_kind(objects_of(overlay), "CronJob")
    assert {job["metadata"]["name"] for job in found} == (
        set() if overlay is None else {COLLECTOR, OPTIMIZER, TRAINER}
    )
    for job in found:
        spec, run = job["spec"], job["spec"]["jobTemplate"]["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["timeZone"] == "Etc/UTC"
        assert spec["startingDeadlineSeconds"] > 0
        assert spec["successfulJobsHistoryLimit"] <= 3
        assert spec["failedJobsHistoryLimit"] <= 3
        assert run["activeDeadlineSeconds"] <= 6 * 3600
        assert run["ttlSecondsAfterFinished"] > 0
        assert 0 < run["backoffLimit"] <= 3
        assert run["template"]["spec"]["restartPolicy"] == "Never"
