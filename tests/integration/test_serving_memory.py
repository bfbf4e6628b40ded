"""The serving process with forests as heavy as real ones: small, and without scikit-learn, however they came."""

import time
from pathlib import Path

import pytest

from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.bare import put_bare
from tests.doubles.candles import random_walk
from tests.doubles.forests import large_files, large_release_draft
from tests.doubles.processes import UNMEASURED, resident_kib, serving

MOST_KIB = 350_000


def settled_kib(pid: int) -> int:
    """Resident memory once small enough, or after twenty seconds: what loading takes goes back in a while."""
    deadline = time.monotonic() + 120
    while (resident := resident_kib(pid)) >= MOST_KIB and time.monotonic() < deadline:
        time.sleep(0.2)
    return resident


@pytest.mark.parametrize("kind", ["a release", pytest.param("joblibs without one", marks=pytest.mark.slow)])
def test_a_server_of_large_forests_stays_small_and_never_imports_what_fitted_them(
    tmp_path: Path, kind: str
) -> None:
    url = (tmp_path / "store").as_uri()
    open_lake(url).upsert(random_walk([f"A{number}" for number in range(100)], 120))
    if kind == "a release":
        ReleaseRegistry(open_store(url)).publish(large_release_draft())
    else:
        put_bare(open_store(url), "20250729-2130", large_files())
    with serving("serve", env={"CRIPTO_STORE": url, **UNMEASURED}, cwd=tmp_path) as client:
        assert client.get("/symbol/A7").json()["total_modelos"] == 5
        mapped = Path(f"/proc/{client.pid}/maps").read_text()
        resident = settled_kib(client.pid)
    assert "onnxruntime" in mapped
    assert [name for name in ("/sklearn/", "/scipy/", "/joblib/", "/onnx/") if name in mapped] == []
    assert resident < MOST_KIB, resident
