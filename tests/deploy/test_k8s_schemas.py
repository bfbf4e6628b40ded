"""Every object is one that Kubernetes would take, by its own schemas, unknown fields refused.

No package at hand has schemas of the Prometheus operator's two kinds and of EKS's one: theirs are written out
here, as far as the manifests use them, and refuse every other field. Neither these nor Kubernetes' own see what
only an API server checks: names are looked at here, quantities in test_k8s_hardening.py.
"""

import re
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.deploy.manifests import API, KUBERNETES, OVERLAYS, ROOT, built, named, of_kind, seed_file

TEXT = {"type": "string", "minLength": 1}
DURATION = {"type": "string", "pattern": "^[0-9]+(s|m|h)$"}


def fields(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def some(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


LABELS = {"type": "object", "additionalProperties": TEXT, "minProperties": 1}
METADATA = fields({"name": TEXT}, labels=LABELS)
ENDPOINT = fields({"port": TEXT, "path": {"const": "/metrics"}, "interval": DURATION}, scrapeTimeout=DURATION)
MONITOR = fields({"selector": fields({"matchLabels": LABELS}), "endpoints": some(ENDPOINT)})
RULE = fields({"alert": TEXT, "expr": TEXT, "labels": LABELS, "annotations": LABELS}, **{"for": DURATION})
CRDS = {
    "ServiceMonitor": MONITOR,
    "IngressClassParams": fields({"scheme": {"enum": ["internal", "internet-facing"]}}),
    "PrometheusRule": fields({"groups": some(fields({"name": TEXT, "rules": some(RULE)}))}),
}


def check(item: Any) -> None:
    if item["apiVersion"] in {"monitoring.coreos.com/v1", "eks.amazonaws.com/v1"}:
        whole = fields({"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA, "spec": CRDS[item["kind"]]})
        jsonschema.validate(item, whole)
    else:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay", [None, *OVERLAYS], ids=lambda name: name or "deployment.yaml")
def test_every_object_keeps_its_schema(overlay: str | None) -> None:
    objects = built(overlay) if overlay else seed_file()
    for item in objects:
        check(item)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_name_is_one_that_an_api_server_takes(overlay: str) -> None:
    for item in built(overlay):
        name = item["metadata"]["name"]
        # a CronJob's pods add eleven characters to its name
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,50}[a-z0-9])", name), name
        for key, value in item["metadata"].get("labels", {}).items():
            assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value), (name, key)


def test_what_is_misspelt_or_unknown_is_refused() -> None:
    deployment = named(seed_file(), "Deployment", API)
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        check(deployment)
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        check({"apiVersion": "autoscaling/v3", "kind": "HorizontalPodAutoscaler"})
    [monitor] = of_kind(built("k8s/overlays/production"), "ServiceMonitor")
    monitor["spec"]["endpoints"][0]["prot"] = "http"
    with pytest.raises(jsonschema.ValidationError, match="prot"):
        check(monitor)


def test_the_operator_gets_the_alerts_of_the_one_file_and_finds_the_service() -> None:
    objects = built("k8s/overlays/production")
    [rule], [monitor] = of_kind(objects, "PrometheusRule"), of_kind(objects, "ServiceMonitor")
    assert rule["spec"] == yaml.safe_load((ROOT / "monitoring" / "alerts.yaml").read_text())
    labels = named(objects, "Service", API)["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert rule["metadata"]["labels"]["release"] == monitor["metadata"]["labels"]["release"]


def test_kinds_of_the_operator_are_in_the_overlay_that_asks_for_them_alone() -> None:
    for overlay in OVERLAYS:
        kinds = {item["kind"] for item in built(overlay)}
        assert ({"ServiceMonitor", "PrometheusRule"} <= kinds) == overlay.endswith("production")
