"""Terraform's own checks, with its provider and no account: valid, and right on an account that is made up."""

import json
import shutil
from pathlib import Path

import pytest

from tests.deploy.terraform import CONFIGURATION, Terraform, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUNS = 17
"""In the files below terraform/tests: Terraform calls it a success, too, when it finds none."""


def test_the_configuration_is_valid(terraform: Terraform) -> None:
    answer = json.loads(terraform.done("validate", "-json"))
    assert (answer["valid"], answer["diagnostics"]) == (True, [])


def test_a_misspelt_argument_is_not_valid(terraform: Terraform, tmp_path: Path) -> None:
    copy = tmp_path / "terraform"
    shutil.copytree(terraform.folder, copy, symlinks=True)
    file = copy / "storage.tf"
    file.write_text(file.read_text().replace("restrict_public_buckets", "restrict_public_bucket"))
    assert run("validate", folder=copy).returncode == 1


def test_the_lock_needs_no_change(terraform: Terraform) -> None:
    locked = (CONFIGURATION / ".terraform.lock.hcl").read_text()
    assert (terraform.folder / ".terraform.lock.hcl").read_text() == locked


def test_its_own_tests_pass_and_there_are_some(terraform: Terraform) -> None:
    events = [json.loads(line) for line in terraform.done("test", "-json").splitlines()]
    summary = next(event["test_summary"] for event in events if event["type"] == "test_summary")
    assert (summary["status"], summary["failed"], summary["errored"], summary["skipped"]) == ("pass", 0, 0, 0)
    assert summary["passed"] == RUNS
