"""checkov finds nothing in the configuration but what a comment beside the resource gives a reason for."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.terraform import CONFIGURATION

CHECKOV = CONFIGURATION.parent / ".tools" / "checkov" / "bin" / "checkov"
SKIPPED = 8

pytestmark = pytest.mark.slow


def found(folder: Path) -> Any:
    if not CHECKOV.exists():
        pytest.skip("CHECKOV MISSING: `make checkov` installs it (300 MB)")
    command = [str(CHECKOV), "--directory", str(folder), "--framework", "terraform", "--skip-download"]
    done = subprocess.run([*command, "--output", "json"], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_checkov_finds_nothing() -> None:
    report = found(CONFIGURATION)
    assert [item["check_id"] for item in report["results"]["failed_checks"]] == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 100
    assert [
        item for item in report["results"]["skipped_checks"] if not item["check_result"]["suppress_comment"]
    ] == []
    assert report["summary"]["skipped"] == SKIPPED


def test_checkov_finds_what_is_made_worse(tmp_path: Path) -> None:
    copy = tmp_path / "terraform"
    shutil.copytree(CONFIGURATION, copy, ignore=shutil.ignore_patterns(".terraform"))
    file = copy / "storage.tf"
    file.write_text(file.read_text().replace("block_public_acls       = true", "block_public_acls       = false"))
    assert [item["check_id"] for item in found(copy)["results"]["failed_checks"]] == ["CKV_AWS_53", "CKV2_AWS_6"]
