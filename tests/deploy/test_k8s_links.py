"""What one object says of another is true: selectors, ports, accounts, targets, images."""

from typing import Any

import pytest

from tests.deploy.manifests import API, COLLECTOR, OPTIMIZER, OVERLAYS, TRAINER, built, named, of_kind, pods

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def matches(selector: Any, labels: dict[str, str]) -> bool:
    if set(selector) - {"matchLabels", "matchExpressions"}:
        raise AssertionError(selector)
    by_label = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return by_label and all(
        item["operator"] == "In" and labels.get(item["key"]) in item["values"]
        for item in selector.get("matchExpressions", [])
    )


def selected(objects: Any, selector: Any) -> set[str]:
    assert selector, "an empty selector takes every pod of the namespace"
    return {name for name, template in pods(objects) if matches(selector, template["metadata"]["labels"])}


def container_ports(objects: Any) -> dict[str, int]:
    [container] = named(objects, "Deployment", API)["spec"]["template"]["spec"]["containers"]
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def test_every_workload_is_there_once(overlay: str) -> None:
    objects = built(overlay)
    assert [name for name, _ in pods(objects)] == [API, COLLECTOR, OPTIMIZER, TRAINER]
    keys = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(set(keys)) == len(keys)


def test_selectors_take_the_pods_they_mean(overlay: str) -> None:
    objects = built(overlay)
    deployment = named(objects, "Deployment", API)
    assert selected(objects, deployment["spec"]["selector"]) == {API}
    assert selected(objects, {"matchLabels": named(objects, "Service", API)["spec"]["selector"]}) == {API}
    assert selected(objects, named(objects, "PodDisruptionBudget", API)["spec"]["selector"]) == {API}
    assert selected(objects, named(objects, "NetworkPolicy", API)["spec"]["podSelector"]) == {API}
    jobs = named(objects, "NetworkPolicy", "cripto-prediction-jobs")["spec"]["podSelector"]
    assert selected(objects, jobs) == {COLLECTOR, OPTIMIZER, TRAINER}
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [item["topologyKey"] for item in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(selected(objects, item["labelSelector"]) == {API} for item in spread)


def test_ports_are_named_alike(overlay: str) -> None:
    objects = built(overlay)
    ports = container_ports(objects)
    [service] = named(objects, "Service", API)["spec"]["ports"]
    assert service["targetPort"] in ports
    [container] = named(objects, "Deployment", API)["spec"]["template"]["spec"]["containers"]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    [entry] = named(objects, "NetworkPolicy", API)["spec"]["ingress"]
    assert [port["port"] for port in entry["ports"]] == list(ports)
    for monitor in of_kind(objects, "ServiceMonitor"):
        assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == [service["name"]]


def test_each_workload_runs_as_an_account_of_its_own(overlay: str) -> None:
    objects = built(overlay)
    accounts = {item["metadata"]["name"] for item in of_kind(objects, "ServiceAccount")}
    used = {name: template["spec"]["serviceAccountName"] for name, template in pods(objects)}
    # what compacts the candles may do what the collector may, and is it to AWS
    assert used == {name: name for name in accounts} | {OPTIMIZER: COLLECTOR}


def test_autoscaler_and_budget_are_the_deployment_s(overlay: str) -> None:
    objects = built(overlay)
    scaler, budget = (
        named(objects, "HorizontalPodAutoscaler", API)["spec"],
        named(objects, "PodDisruptionBudget", API),
    )
    target = named(objects, scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"])
    assert scaler["scaleTargetRef"]["apiVersion"] == target["apiVersion"]
    assert {item["resource"]["name"] for item in scaler["metrics"]} == {"cpu", "memory"}
    # a number here would undo the autoscaler's work at each apply
    assert "replicas" not in target["spec"]
    assert budget["spec"]["maxUnavailable"] == 1
    assert scaler["minReplicas"] >= (1 if overlay.endswith("dev") else 2)
    assert scaler["maxReplicas"] > scaler["minReplicas"]


def test_the_ingress_leads_to_the_service_and_keeps_metrics_inside(overlay: str) -> None:
    objects = built(overlay)
    if overlay.endswith("dev"):
        assert of_kind(objects, "Ingress") == []
        return
    ingress = named(objects, "Ingress", API)
    [rule] = ingress["spec"]["rules"]
    inside, rest = (path["backend"]["service"] for path in rule["http"]["paths"])
    assert [path["path"] for path in rule["http"]["paths"]] == ["/metrics", "/"]
    assert f"alb.ingress.kubernetes.io/actions.{inside['name']}" in ingress["metadata"]["annotations"]
    assert inside["port"] == {"name": "use-annotation"}
    assert rest["name"] == named(objects, "Service", API)["metadata"]["name"]
    assert rest["port"]["name"] in {port["name"] for port in named(objects, "Service", API)["spec"]["ports"]}
    assert ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == "/health"


def test_the_ingress_is_of_a_class_that_is_there_and_as_open_as_it_says(overlay: str) -> None:
    objects = built(overlay)
    if overlay.endswith("dev"):
        assert of_kind(objects, "IngressClass") == []
        return
    ingress = named(objects, "Ingress", API)
    kind = named(objects, "IngressClass", ingress["spec"]["ingressClassName"])
    parameters = named(objects, kind["spec"]["parameters"]["kind"], kind["spec"]["parameters"]["name"])
    assert parameters["apiVersion"].split("/")[0] == kind["spec"]["parameters"]["apiGroup"]
    # Auto Mode goes by the class, the AWS Load Balancer Controller by the annotation
    scheme = ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/scheme"]
    assert parameters["spec"]["scheme"] == scheme
    assert scheme == ("internet-facing" if overlay.endswith("production") else "internal")


def test_whoever_is_open_to_the_internet_is_so_by_https(overlay: str) -> None:
    for ingress in of_kind(built(overlay), "Ingress"):
        notes = ingress["metadata"]["annotations"]
        if notes["alb.ingress.kubernetes.io/scheme"] == "internet-facing":
            assert "HTTPS" in notes["alb.ingress.kubernetes.io/listen-ports"]
            assert notes["alb.ingress.kubernetes.io/ssl-redirect"] == "443"
            assert "TLS13" in notes["alb.ingress.kubernetes.io/ssl-policy"]
            # by which the certificate is found
            assert all(rule["host"] for rule in ingress["spec"]["rules"])


def test_jobs_run_by_themselves_but_in_development(overlay: str) -> None:
    suspended = {
        job["metadata"]["name"]: job["spec"].get("suspend", False) for job in of_kind(built(overlay), "CronJob")
    }
    assert suspended == dict.fromkeys((COLLECTOR, OPTIMIZER, TRAINER), overlay.endswith("dev"))


def test_images_are_the_two_of_the_dockerfile(overlay: str) -> None:
    images = {name: template["spec"]["containers"][0]["image"] for name, template in pods(built(overlay))}
    repositories = {name: image.rpartition(":")[0].rpartition("/")[2] for name, image in images.items()}
    jobs = "cripto-prediction-jobs"
    assert repositories == {API: API, COLLECTOR: jobs, OPTIMIZER: jobs, TRAINER: jobs}
    tags = {image.rpartition(":")[2] for image in images.values()}
    assert len(tags) == 1
    assert (tags == {"latest"}) == (overlay != "k8s/overlays/production")
