"""What a build is given of the machine it runs on: what pip is told there, and nothing else."""

import shutil
import threading
from configparser import RawConfigParser
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from tests.doubles.containers import unreached
from tests.doubles.processes import free_port
from tools.image import environment, image, pip_mounts


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose pip is told of an index in a folder, wheels, a certificate and places to install to."""
    for name in ("index/simple", "wheels", "image"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bundle.pem").touch()
    told = tmp_path / "pip.conf"
    told.write_text(
        f"[global]\nextra-index-url = file://{tmp_path}/index/simple https://127.0.0.1:1/simple\n"
        f"find-links = {tmp_path}/wheels {tmp_path}/gone\ntarget = {tmp_path}/elsewhere\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(told))
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "bundle.pem"))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return tmp_path


def test_what_pip_is_told_is_told_in_the_build_and_what_it_names_is_there(machine: Path) -> None:
    mounts = list(pip_mounts(machine / "image"))
    assert f"{machine}/image/pip.conf:/etc/pip.conf:ro" in mounts
    # the pages of an index link to files beside it
    for path in ("index", "wheels", "bundle.pem"):
        assert f"{machine}/{path}:{machine}/{path}:ro" in mounts
    assert not [mount for mount in mounts if "gone" in mount or "elsewhere" in mount or not mount.endswith(":ro")]
    written = RawConfigParser()
    written.read(machine / "image" / "pip.conf")
    told = dict(written["global"])
    assert told["cert"] == f"{machine}/bundle.pem"
    assert told["find-links"].split() == [f"{machine}/wheels", f"{machine}/gone"]
    assert told["extra-index-url"].split() == [f"file://{machine}/index/simple", "https://127.0.0.1:1/simple"]
    assert "target" not in told


def test_everything_is_kept_in_the_folder(tmp_path: Path) -> None:
    kept = environment(tmp_path)
    assert {kept["CONTAINERS_CONF"], kept["CONTAINERS_STORAGE_CONF"]} == {
        f"{tmp_path}/containers.conf",
        f"{tmp_path}/storage.conf",
    }
    assert image("serve").split("/")[1].startswith("cripto-prediction-api:")


@pytest.mark.skipif(shutil.which("wget") is None, reason="WGET MISSING: debootstrap comes with it")
def test_a_mirror_that_cannot_be_reached_is_told_from_one_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    nobody = f"http://127.0.0.1:{free_port()}/debian"
    assert unreached(nobody).startswith(f"IMAGES NOT TRIED: the mirror {nobody} cannot be reached")
    release = tmp_path / "debian" / "dists" / "bookworm" / "Release"
    release.parent.mkdir(parents=True)
    release.touch()
    with HTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            assert unreached(f"http://127.0.0.1:{server.server_port}/debian") == ""
        finally:
            server.shutdown()
            thread.join()
