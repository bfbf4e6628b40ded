"""checkov, with nothing left out but what ``k8s/.checkov.yaml`` gives a reason for."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import OVERLAYS, ROOT, built, pods, rendered

CHECKOV = ROOT / ".tools" / "checkov" / "bin" / "checkov"
CONFIG = ROOT / "k8s" / ".checkov.yaml"
TAG_IS_NOT_FIXED = "CKV_K8S_14"
"""True of everything but production: the seed's own command builds ``:latest``."""


def found(text: str, folder: Path) -> Any:
    if not CHECKOV.exists():
        pytest.skip("CHECKOV MISSING: `make checkov` installs it (300 MB)")
    file = folder / "rendered.yaml"
    file.write_text(text)
    command = [str(CHECKOV), "--file", str(file), "--config-file", str(CONFIG), "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_checkov_finds_nothing(overlay: str, tmp_path: Path) -> None:
    report = found(rendered(overlay), tmp_path)
    failed = [item["check_id"] for item in report["results"]["failed_checks"]]
    assert failed == (
        [] if overlay.endswith("production") else [TAG_IS_NOT_FIXED] * len(list(pods(built(overlay))))
    )
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 200


@pytest.mark.slow
def test_checkov_finds_what_is_made_worse(tmp_path: Path) -> None:
    text = rendered("k8s/overlays/production").replace(
        "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", 1
    )
    report = found(text, tmp_path)
    assert [item["check_id"] for item in report["results"]["failed_checks"]] == ["CKV_K8S_22"]


def test_each_check_left_out_has_a_reason_before_it() -> None:
    lines = CONFIG.read_text().splitlines()
    left_out = yaml.safe_load(CONFIG.read_text())["skip-check"]
    assert left_out
    for check in left_out:
        at = lines.index(f"  - {check}")
        assert lines[at - 1].startswith("  # "), check
