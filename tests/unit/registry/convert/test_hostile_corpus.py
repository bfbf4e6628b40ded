"""Every file of the corpus, through a real child: refused for good, by the right stage, with nothing done."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cripto.errors import ModelRefused
from cripto.registry.convert import Limits, conversion, convert_each
from cripto.registry.convert.child.estimators import load_estimator
from cripto.registry.convert.child.opening import decompress
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.scan import scan
from tests.doubles.hostile import CORPUS, GADGETS, SOME, SPOILED
from tests.doubles.releases import joblib_bytes, toy_files
from tests.unit.registry.convert.test_isolation import asked

PLAIN_OPENER = """
import joblib, pathlib, sys
for file in pathlib.Path(sys.argv[1]).glob("*.joblib"):
    joblib.load(file)
"""


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in SOME else pytest.mark.slow) for n in CORPUS])
def test_a_hostile_file_is_refused_for_good_and_does_nothing(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    found = convert_each({"regressor_rf": CORPUS[name](canary)})["regressor_rf"]
    assert isinstance(found, ModelRefused)
    assert found.final
    assert not canary.exists()


@pytest.mark.parametrize("name", sorted(CORPUS.keys() - SPOILED))
def test_what_the_scan_refuses_never_meets_the_libraries(tmp_path: Path, name: str) -> None:
    answer, heavy = asked(CORPUS[name](tmp_path / "canary"), features=None)
    assert (answer["stage"], heavy) == ("scan", "")


@pytest.mark.parametrize("name", sorted(SPOILED))
def test_what_looks_sound_passes_the_scan(tmp_path: Path, name: str) -> None:
    scan(decompress(CORPUS[name](tmp_path / "canary")))


@pytest.mark.parametrize("name", sorted(GADGETS))
def test_the_unpickler_alone_refuses_a_gadget_too(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="not on the list"):
        load_estimator(decompress(CORPUS[name](tmp_path / "canary")))
    assert not (tmp_path / "canary").exists()


def test_every_gadget_is_a_live_one(tmp_path: Path) -> None:
    for place, name in enumerate(sorted(GADGETS)):
        (tmp_path / f"{place}.joblib").write_bytes(CORPUS[name](tmp_path / f"{place}.canary"))
    subprocess.run([sys.executable, "-W", "ignore", "-c", PLAIN_OPENER, tmp_path], check=True, timeout=240)
    canaries = {tmp_path / f"{place}.canary": name for place, name in enumerate(sorted(GADGETS))}
    deadline = time.monotonic() + 120  # one of them starts a process, and does not wait for it
    while not all(canary.exists() for canary in canaries) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [name for canary, name in canaries.items() if not canary.exists()] == []


def test_a_child_that_never_ends_is_ended_and_says_nothing_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        conversion, "child_command", lambda: (sys.executable, "-I", "-S", "-c", "while True: pass")
    )
    found = convert_each(toy_files(3), limits=Limits(seconds=0.5))
    for refused in found.values():
        assert isinstance(refused, ModelRefused)
        assert "not done within 0.5 s" in refused.reason
        assert not refused.final


@pytest.mark.slow
def test_a_large_file_is_decompressed_a_piece_at_a_time() -> None:
    plain = os.urandom(3 << 20)  # more than one piece, of which nothing can be made smaller
    for compress in (("zlib", 1), ("gzip", 1), ("bz2", 1), ("lzma", 1), ("xz", 1)):
        assert plain in decompress(joblib_bytes(plain, compress))
