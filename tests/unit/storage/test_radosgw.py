"""The real S3 server of the suite checks who asks, which moto does not, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cripto.errors import StorageDenied
from cripto.market.lake import open_lake
from cripto.storage import ObjectStore, open_store
from tests.doubles.candles import random_walk
from tests.doubles.processes import UNMEASURED
from tests.doubles.radosgw import Gateway, radosgw

CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "get": lambda store: store.get("a"),
    "get of a missing object": lambda store: store.get("none"),
    "get_if_changed": lambda store: store.get_if_changed("a", '"tag"'),
    "create": lambda store: store.create("b", b"1"),
    "replace": lambda store: store.replace("a", b"1", '"tag"'),
    "put": lambda store: store.put("a", b"1"),
    "delete": lambda store: store.delete("a"),
    "list": lambda store: list(store.list("")),
}
WRONG = {
    "another secret": ("AWS_SECRET_ACCESS_KEY", "not-the-secret"),
    "an unknown key": ("AWS_ACCESS_KEY_ID", "AKNOBODY"),
}


@pytest.fixture(params=WRONG)
def denied_url(request: pytest.FixtureRequest, radosgw_bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that holds an object and a table, asked from here on with wrong credentials."""
    url = f"s3://{radosgw_bucket}"
    open_store(url).put("a", b"held")
    open_lake(url).upsert(random_walk(["BTC"], 3))
    monkeypatch.setenv(*WRONG[request.param])
    return url


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_wrong_credentials_are_denied(denied_url: str, call: Callable[[ObjectStore], object]) -> None:
    with pytest.raises(StorageDenied) as caught:
        call(open_store(denied_url))
    assert "not-the-secret" not in str(caught.value)


def test_wrong_credentials_are_denied_a_table(denied_url: str) -> None:
    for call in (open_lake(denied_url).version, lambda: open_lake(denied_url).upsert(random_walk(["BTC"], 4))):
        with pytest.raises(StorageDenied):
            call()


def test_a_bucket_that_is_not_there_is_denied_and_never_empty(radosgw_bucket: str) -> None:
    store = open_store("s3://there-is-no-such-bucket")
    for call in CALLS.values():
        with pytest.raises(StorageDenied, match="the bucket does not exist"):
            call(store)


def running(folder: Path) -> list[str]:
    """The programs whose settings are somewhere in ``folder``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text(errors="replace").split("\0")
        except OSError:
            continue
        if any(word.startswith(f"{folder}/") and word.endswith("/ceph.conf") for word in words):
            found.append(Path(words[0]).name)
    return sorted(found)


DAEMONS = ["ceph-mon", "ceph-osd", "radosgw"]


def test_nothing_is_left_when_its_user_fails(radosgw_server: Gateway, tmp_path: Path) -> None:
    def fail() -> None:
        with radosgw(tmp_path):
            assert running(tmp_path) == DAEMONS
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert running(tmp_path) == []


@pytest.mark.slow
def test_a_daemon_that_dies_on_the_way_is_a_new_start(
    radosgw_server: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, died, cluster = tmp_path / "bin" / "radosgw", tmp_path / "died", tmp_path / "cluster"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nmkdir {died} && exit 1\nexec {shutil.which("radosgw")} "$@"\n')
    program.chmod(0o755)
    cluster.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with radosgw(cluster) as gateway:
        assert died.exists()
        assert httpx.get(gateway.url).status_code == 200
        assert running(cluster) == DAEMONS
    assert running(cluster) == []


RUN = """
import sys, time
from pathlib import Path
from tests.doubles.radosgw import radosgw
with radosgw(Path(sys.argv[1])):
    print("started", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_its_process_is_ended(
    how: signal.Signals, radosgw_server: Gateway, tmp_path: Path
) -> None:
    log, cluster = tmp_path / "log", tmp_path / "cluster"
    cluster.mkdir()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(cluster)],
            env={**os.environ, **UNMEASURED},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n", log.read_text()
        assert running(tmp_path) == DAEMONS
        process.send_signal(how)
    deadline = time.monotonic() + 120
    while running(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(tmp_path) == []
