"""Terraform, the manifests and the README's commands call the same things by the same names."""

import re
from typing import Any

import pytest

from tests.deploy import names
from tests.deploy.manifests import KUBERNETES, OVERLAYS, ROOT, built, of_kind, pods, seed_file
from tests.deploy.terraform import CONFIGURATION

VARIABLES: dict[str, str] = dict(
    re.findall(
        r'^variable "(\w+)" \{.*?^  default\s+= ([^\n]*)$',
        (CONFIGURATION / "variables.tf").read_text(),
        re.M | re.S,
    )
)


def quoted(variable: str) -> str:
    """The text that a variable has by default."""
    return VARIABLES[variable].strip('"')


def environment(pod: Any) -> dict[str, str]:
    [container] = pod["spec"]["containers"]
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_pod_runs_as_a_service_account_that_has_a_role(overlay: str) -> None:
    objects = built(overlay)
    given = {quoted(f"{who}_service_account") for who in ("api", "collector", "trainer")}
    used = {pod["spec"]["serviceAccountName"] for _, pod in pods(objects)}
    made = {item["metadata"]["name"] for item in of_kind(objects, "ServiceAccount")}
    assert given == used == made == set(names.SERVICE_ACCOUNTS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_name_the_region_and_the_bucket(overlay: str) -> None:
    found = {
        (environment(pod)["AWS_DEFAULT_REGION"], environment(pod)["BUCKET_NAME"])
        for _, pod in pods(built(overlay))
    }
    assert found == {(quoted("region"), quoted("bucket_name"))}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_image_comes_from_a_repository_that_is_made(overlay: str) -> None:
    images = {pod["spec"]["containers"][0]["image"] for _, pod in pods(built(overlay))}
    repositories = {re.sub(r"[:@].*", "", image.rpartition("/")[2]) for image in images}
    assert repositories == set(re.findall(r'"([^"]+)"', VARIABLES["image_names"]))


def test_roles_are_bound_in_the_name_space_of_the_readmes_commands() -> None:
    assert quoted("kubernetes_namespace") == names.NAMESPACE
    assert {item["metadata"].get("namespace", "default") for item in seed_file()} == {"default"}


def test_manifests_are_held_to_the_clusters_version() -> None:
    assert quoted("kubernetes_version") == KUBERNETES


@pytest.mark.parametrize("page", ["README.md", "README.pt-BR.md", "docs/kubernetes.md", "terraform/README.md"])
def test_pages_name_the_cluster_that_is_made(page: str) -> None:
    commands = re.findall(r"aws eks update-kubeconfig --region (\S+) --name ([\w-]+)", (ROOT / page).read_text())
    assert commands
    assert set(commands) == {(quoted("region"), quoted("cluster_name"))}
