"""``kubectl apply -f k8s/deployment.yaml`` gives what the project's first README promises, figure by figure."""

from typing import Any

import pytest

from cripto.cli import serve
from cripto.cli.workers import DRAIN_SECONDS
from tests.deploy.manifests import API, OVERLAYS, ROOT, built, named, seed_file

COMMANDS = (
    "aws eks update-kubeconfig --region us-east-1 --name cripto-prediction-cluster",
    "kubectl apply -f k8s/deployment.yaml",
    "kubectl get pods",
    "kubectl get services",
    "kubectl logs -f deployment/cripto-prediction-api",
    "kubectl set image deployment/cripto-prediction-api cripto-prediction-api=new-image:tag",
    "kubectl rollout undo deployment/cripto-prediction-api",
)


@pytest.mark.parametrize("page", ["README.md", "README.pt-BR.md", "docs/kubernetes.md"])
def test_the_seed_s_commands_are_told_word_for_word(page: str) -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / page).read_text().splitlines()]
    assert [command for command in COMMANDS if command not in lines] == []


def test_the_page_tells_of_every_kind_and_every_folder() -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    objects = [item for overlay in OVERLAYS for item in built(overlay)]
    assert [kind for kind in sorted({item["kind"] for item in objects}) if kind not in text] == []
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "k8s").rglob("kustomization.yaml")}
    assert set(OVERLAYS) < folders
    assert [folder for folder in sorted(folders) if f"| `{folder}` |" not in text] == []


def deployment() -> Any:
    return named(seed_file(), "Deployment", API)


def container(objects: Any = None) -> Any:
    [only] = named(objects or seed_file(), "Deployment", API)["spec"]["template"]["spec"]["containers"]
    return only


def test_the_seed_s_path_is_a_link_into_the_base() -> None:
    path = ROOT / "k8s" / "deployment.yaml"
    assert path.is_symlink()
    assert path.readlink().as_posix() == "base/deployment.yaml"


def test_it_holds_account_deployment_and_service_of_the_seed_s_name_and_no_namespace() -> None:
    assert [(item["kind"], item["metadata"]["name"]) for item in seed_file()] == [
        ("ServiceAccount", API),
        ("Deployment", API),
        ("Service", API),
    ]
    assert all("namespace" not in item["metadata"] for item in seed_file())


def test_replicas_and_resources() -> None:
    assert deployment()["spec"]["replicas"] == 2
    assert container()["name"] == API
    assert container()["resources"] == {
        "requests": {"cpu": "500m", "memory": "2Gi"},
        "limits": {"cpu": "1000m", "memory": "4Gi"},
    }


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_probes(overlay: str | None) -> None:
    """The seed: liveness every 30 s after 60 s, readiness every 10 s after 30 s, both on /health."""
    found = container(built(overlay) if overlay else None)
    live, ready, start = (found[f"{kind}Probe"] for kind in ("liveness", "readiness", "startup"))
    assert (live["periodSeconds"], live["initialDelaySeconds"]) == (30, 60)
    assert (ready["periodSeconds"], ready["initialDelaySeconds"]) == (10, 30)
    assert {probe["httpGet"]["path"] for probe in (live, ready, start)} == {"/health"}
    # a pod that loads for long, or has nothing to load, is not ready and must not be restarted
    asks_for_life = [{"name": "X-Probe", "value": "liveness"}]
    assert live["httpGet"]["httpHeaders"] == start["httpGet"]["httpHeaders"] == asks_for_life
    assert "httpHeaders" not in ready["httpGet"]


def test_variables_are_literal_and_those_of_the_seed_have_its_values() -> None:
    variables = {item["name"]: item["value"] for item in container()["env"]}
    assert variables["AWS_DEFAULT_REGION"] == "us-east-1"
    assert variables["BUCKET_NAME"] == "criptos-data"


def test_the_service_sends_port_80_to_the_container_s_8000() -> None:
    [port] = named(seed_file(), "Service", API)["spec"]["ports"]
    [listening] = container()["ports"]
    assert (port["port"], port["targetPort"]) == (80, listening["name"])
    assert listening["containerPort"] == 8000


def test_an_update_takes_no_replica_away_before_another_is_ready() -> None:
    assert deployment()["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }


def attributes(text: str) -> dict[str, str]:
    return dict(item.split("=", 1) for item in text.split(","))


@pytest.mark.parametrize("overlay", ["k8s", "k8s/overlays/production"])
def test_a_pod_outlasts_its_deregistration_and_an_idle_connection_the_load_balancer_s(overlay: str) -> None:
    objects = built(overlay)
    spec = named(objects, "Deployment", API)["spec"]["template"]["spec"]
    notes = named(objects, "Ingress", API)["metadata"]["annotations"]
    of_targets = attributes(notes["alb.ingress.kubernetes.io/target-group-attributes"])
    of_balancer = attributes(notes["alb.ingress.kubernetes.io/load-balancer-attributes"])
    waits = container(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
    # ten seconds for the controller to hear of it and tell the load balancer
    assert waits >= int(of_targets["deregistration_delay.timeout_seconds"]) + 10
    assert spec["terminationGracePeriodSeconds"] >= waits + DRAIN_SECONDS + 5
    assert int(of_balancer["idle_timeout.timeout_seconds"]) < serve._IDLE_SECONDS
