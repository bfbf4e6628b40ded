"""Manifests as a cluster would get them: built by kustomize, parsed."""

import functools
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

__all__ = [
    "API",
    "COLLECTOR",
    "KUBERNETES",
    "OPTIMIZER",
    "OVERLAYS",
    "ROOT",
    "TRAINER",
    "built",
    "named",
    "of_kind",
    "pods",
    "rendered",
    "seed_file",
]

ROOT = Path(__file__).parents[2]
OVERLAYS = ("k8s", "k8s/overlays/dev", "k8s/overlays/production")
KUBERNETES = "1.35"
"""The version of Kubernetes that the manifests are held to."""

API, COLLECTOR, TRAINER = "cripto-prediction-api", "cripto-prediction-collector", "cripto-prediction-trainer"
OPTIMIZER = "cripto-prediction-optimizer"

Manifest = Mapping[str, Any]


@functools.cache
def rendered(overlay: str) -> str:
    """What ``kubectl kustomize`` makes of a folder, or a loud skip."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("KUBECTL MISSING: https://kubernetes.io/docs/tasks/tools says how to install it")
    done = subprocess.run([kubectl, "kustomize", ROOT / overlay], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def built(overlay: str) -> list[Manifest]:
    """The objects that a folder gives."""
    return _parsed(rendered(overlay))


def seed_file() -> list[Manifest]:
    """The objects of ``kubectl apply -f k8s/deployment.yaml``."""
    return _parsed((ROOT / "k8s" / "deployment.yaml").read_text())


def named(objects: Sequence[Manifest], kind: str, name: str) -> Any:
    """The one object of that kind and name."""
    [found] = [item for item in of_kind(objects, kind) if item["metadata"]["name"] == name]
    return found


def of_kind(objects: Sequence[Manifest], kind: str) -> list[Any]:
    """The objects of a kind."""
    return [item for item in objects if item["kind"] == kind]


def pods(objects: Sequence[Manifest]) -> Iterator[tuple[str, Any]]:
    """The name of each workload, and the pod template it starts."""
    for item in of_kind(objects, "Deployment"):
        yield item["metadata"]["name"], item["spec"]["template"]
    for item in of_kind(objects, "CronJob"):
        yield item["metadata"]["name"], item["spec"]["jobTemplate"]["spec"]["template"]


def _parsed(text: str) -> list[Manifest]:
    return [item for item in yaml.safe_load_all(text) if item is not None]
