"""Hostile joblib files: refused by the scan, with the reason, and nothing that they ask for is done."""

import bz2
import gzip
import io
import lzma
import pickle
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from cripto.errors import ModelRefused
from cripto.registry.convert import Conversion, convert_each
from cripto.registry.convert.child.opening import decompress
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.scan import scan
from tests.doubles.releases import joblib_bytes, toy_files


class Gadget:
    """A pickle that makes a file when it is opened."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.canary)!r}, 'w').close()",)


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)], ids=str)
@pytest.mark.parametrize("inside", [False, True], ids=["plain", "in an array of objects"])
def test_a_gadget_is_refused_behind_every_compressor(tmp_path: Path, compress: Any, inside: bool) -> None:
    canary = tmp_path / "canary"
    value = np.array([Gadget(canary), None], dtype=object) if inside else Gadget(canary)
    file = joblib_bytes(value, compress)
    with pytest.raises(Refused, match=r"builtins\.exec, which is not on the list"):
        scan(decompress(file))
    assert not canary.exists()
    joblib.load(io.BytesIO(file))  # the gadget is a live one
    assert canary.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("pty", "spawn"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("importlib", "import_module"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy", "load"),
        ("sklearn.utils._testing", "os"),
        ("numpy._core.multiarray", "scalar.__class__"),
        ("joblib", "load"),
    ],
)
def test_a_name_that_is_not_listed_is_refused_however_near(module: str, name: str) -> None:
    with pytest.raises(Refused, match="not on the list"):
        scan(b"\x80\x02c" + f"{module}\n{name}\n".encode() + b".")


@pytest.mark.parametrize("squeeze", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_a_decompression_bomb_is_refused(squeeze: Any) -> None:
    with pytest.raises(Refused, match="expands beyond"):
        scan(decompress(squeeze(bytes(40 << 20))))


@pytest.mark.parametrize("code", [b"\x8e", b"\x96", b"\x95", b"\x8d"])
def test_a_length_of_ten_gigabytes_is_refused(code: bytes) -> None:
    with pytest.raises(Refused, match="claims 10000000000 bytes"):
        scan(b"\x80\x04" + code + (10**10).to_bytes(8, "little"))


@pytest.mark.parametrize("code", [b"\x82\x01", b"P1\n", b"Q", b"2", b"o", b"i", b"\x92", b"0"])
def test_an_opcode_that_no_model_needs_is_refused(code: bytes) -> None:
    with pytest.raises(Refused, match="pickle opcode"):
        scan(b"\x80\x02" + code + b".")


def test_a_second_pickle_after_the_first_is_refused() -> None:
    with pytest.raises(Refused, match="more after its end"):
        scan(pickle.dumps(1) + pickle.dumps(2))


def test_one_hostile_file_loses_no_other() -> None:
    files = {**toy_files(3), "regressor_lin": b"rubbish", "regressor_rf": b""}
    files = {name: files[name] for name in ("regressor_lin", "classifier_log")}
    found = convert_each(files, ("a", "b", "c"))
    assert isinstance(found["regressor_lin"], ModelRefused)
    assert isinstance(found["classifier_log"], Conversion)
