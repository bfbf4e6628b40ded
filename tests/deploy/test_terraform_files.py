"""What can be told of the Terraform files by reading them, and the format of them."""

import re
from pathlib import Path

import pytest

from tests.deploy import names
from tests.deploy.terraform import CONFIGURATION, need_terraform, run

FILES = sorted(CONFIGURATION.glob("*.tf"))
TEXT = {path.name: path.read_text() for path in FILES}
PLATFORMS = 14  # that the provider is published for, and the manifest of the release


def variables() -> dict[str, str]:
    """The body of every variable, by name."""
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', TEXT["variables.tf"], re.M | re.S)
    return dict(blocks)


def default(name: str) -> str:
    found = re.search(r"^  default\s+= (.*)$", variables()[name], re.M)
    assert found, name
    return found[1]


def test_the_files_are_formatted() -> None:
    need_terraform()
    answer = run("fmt", "-check", "-recursive", "-diff", folder=CONFIGURATION)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("region", names.REGION),
        ("cluster_name", names.CLUSTER),
        ("bucket_name", names.BUCKET),
        ("kubernetes_namespace", names.NAMESPACE),
        ("api_service_account", names.API),
        ("collector_service_account", names.COLLECTOR),
        ("trainer_service_account", names.TRAINER),
        ("glue_job_name", names.GLUE_JOB),
        ("glue_role_name", names.GLUE_ROLE),
    ],
)
def test_a_name_that_others_know_is_the_default(variable: str, value: str) -> None:
    assert default(variable) == f'"{value}"'


def test_each_image_has_a_repository() -> None:
    assert default("image_names") == "[" + ", ".join(f'"{name}"' for name in names.IMAGES) + "]"


def test_each_variable_is_typed_described_and_has_a_default() -> None:
    assert len(variables()) > 30
    for name, body in variables().items():
        assert re.search(r"^  description = \"\S", body, re.M), name
        assert re.search(r"^  type\s+= (string|number|bool|(list|set|map)\(string\))$", body, re.M), name
        assert re.search(r"^  default\s+= ", body, re.M), name


def test_each_output_is_described() -> None:
    outputs = re.findall(r'^output "(\w+)" \{\n(.*?)^\}', TEXT["outputs.tf"], re.M | re.S)
    assert len(outputs) > 8
    assert [name for name, body in outputs if not re.search(r"^  description = \"\S", body, re.M)] == []


def test_each_variable_is_used() -> None:
    everything = "".join(text for name, text in TEXT.items() if name != "variables.tf")
    assert [name for name in variables() if not re.search(rf"\bvar\.{name}\b", everything)] == []


def test_the_lock_holds_for_every_platform() -> None:
    lock = (CONFIGURATION / ".terraform.lock.hcl").read_text()
    assert re.findall(r'^provider "(.+)"', lock, re.M) == ["registry.terraform.io/hashicorp/aws"]
    assert len(set(re.findall(r'"zh:([0-9a-f]{64})"', lock))) == PLATFORMS + 1
    constraint = re.search(r'^\s+version = "(.+)"$', TEXT["versions.tf"], re.M)
    assert constraint
    assert f'constraints = "{constraint[1]}"' in lock


def test_the_readme_shows_the_backend_of_the_configuration() -> None:
    commented = re.search(r'  # (backend "s3" \{.*?)\n  # \}', TEXT["versions.tf"], re.S)
    assert commented
    backend = re.sub(r"^\s*# ?", "", commented[1], flags=re.M)
    shown = (CONFIGURATION / "README.md").read_text()
    settings = [line.strip() for line in backend.splitlines()[1:]]
    assert "use_lockfile = true" in settings
    assert [line for line in settings if line not in shown] == []


def test_the_readme_names_each_file() -> None:
    shown = (CONFIGURATION / "README.md").read_text()
    assert [path.name for path in FILES if f"`{path.name}`" not in shown] == []


def test_no_file_is_long() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in _all_files()}
    assert [name for name, lines in lengths.items() if lines > 400] == []


def _all_files() -> list[Path]:
    return [*FILES, *(CONFIGURATION / "tests").rglob("*.hcl")]
