"""The lists of what is in each image, as `make sbom` writes them, name what the images install."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN = {
    "cripto-prediction-api.cdx.json": "requirements.txt",
    "cripto-prediction-jobs.cdx.json": "docker/requirements-jobs.txt",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make sbom` has written; what it needs is set up, or these tests would not run."""
    if not (ROOT / ".uv" / "bin" / "uv").exists():
        pytest.skip("UV MISSING: `make setup` installs it")
    found = tmp_path_factory.mktemp("sbom")
    command = ["make", "--silent", "--old-file=.venv/.ready", "sbom", f"SBOM={found}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return found


@pytest.mark.parametrize("name", WRITTEN)
def test_each_locked_package_is_listed_with_its_version_and_hashes(folder: Path, name: str) -> None:
    page = json.loads((folder / name).read_text())
    assert (page["bomFormat"], page["metadata"]["component"]["name"]) == ("CycloneDX", "cripto")
    locked = set(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / WRITTEN[name]).read_text(), re.M))
    assert len(locked) > 40
    assert {(each["name"], each["version"]) for each in page["components"]} == locked
    for each in page["components"]:
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert all(file["hashes"] for file in each["externalReferences"])
