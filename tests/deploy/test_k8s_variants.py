"""What the pages and the comments tell to change in an overlay does what they say."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from cripto.settings import Settings
from tests.deploy.manifests import API, ROOT, of_kind, pods, rendered


@pytest.fixture
def production(tmp_path: Path) -> Path:
    """The production overlay in a copy of all manifests."""
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s", symlinks=True)
    return tmp_path / "k8s" / "overlays" / "production"


def build(folder: Path) -> list[Any]:
    rendered("k8s")  # a loud skip where kubectl is missing
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def test_another_bucket_reaches_every_workload(production: Path) -> None:
    file = production / "kustomization.yaml"
    head, comment, rest = re.split(r"(  # Another bucket.*\n(?:  # .*\n)+)", file.read_text())
    lines = comment.splitlines()[1:]
    file.write_text(head + "\n".join(line.replace("# ", "", 1) for line in lines) + "\n" + rest)
    buckets = {
        name: [item["value"] for item in template["spec"]["containers"][0]["env"] if item["name"] == "BUCKET_NAME"]
        for name, template in pods(build(production))
    }
    assert API in buckets
    assert len(buckets) == 4
    assert all(values == ["my-bucket"] for values in buckets.values())


def test_traces_are_one_component_more_and_leave_the_cluster_by_https_alone(production: Path) -> None:
    before = build(production)
    file = production / "kustomization.yaml"
    file.write_text(
        file.read_text().replace(
            "  - ../../components/monitoring\n", "  - ../../components/monitoring\n  - ../../components/traces\n"
        )
    )
    after = build(production)
    changed = {
        (item["kind"], item["metadata"]["name"]): item
        for item, old in zip(after, before, strict=True)
        if item != old
    }
    assert set(changed) == {("Deployment", API), ("NetworkPolicy", API)}
    environment = changed["Deployment", API]["spec"]["template"]["spec"]["containers"][0]["env"]
    (receiver,) = [item["value"] for item in environment if item["name"] == Settings.variable("traces")]
    assert Settings(traces=receiver).traces == receiver
    old = next(item for item in before if item["kind"] == "NetworkPolicy" and item["metadata"]["name"] == API)
    opened = [
        rule for rule in changed["NetworkPolicy", API]["spec"]["egress"] if rule not in old["spec"]["egress"]
    ]
    assert opened == [
        {"to": [{"namespaceSelector": {}}], "ports": [{"port": urlsplit(receiver).port, "protocol": "TCP"}]}
    ]


def test_another_namespace_leaves_what_belongs_to_the_system(production: Path) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    (transformer,) = re.findall(r"```yaml\n(.*?NamespaceTransformer.*?)```", page, re.S)
    (production / "namespace.yaml").write_text(transformer)
    file = production / "kustomization.yaml"
    file.write_text(file.read_text() + "transformers:\n  - namespace.yaml\n")
    objects = build(production)
    spaces = {(item["kind"], item["metadata"]["name"]): item["metadata"].get("namespace") for item in objects}
    assert spaces.pop(("ConfigMap", "amazon-vpc-cni")) == "kube-system"
    cluster_wide = {("IngressClass", "alb"), ("IngressClassParams", "alb")}
    assert {space for key, space in spaces.items() if key not in cluster_wide} == {"cripto"}
    assert of_kind(objects, "Deployment")[0]["metadata"]["namespace"] == "cripto"
