import json

import pytest

from cripto.registry.convert._frames import decode_frame, encode_frame


@pytest.mark.parametrize("blobs", [[], [b""], [b"a", b"", b"bcd"]])
def test_a_frame_is_read_as_it_was_written(blobs: list[bytes]) -> None:
    header, found = decode_frame(encode_frame({"names": ["á"]}, blobs))
    assert header["names"] == ["á"]
    assert found == blobs


def framed(text: bytes) -> bytes:
    return len(text).to_bytes(8) + text


WHOLE = encode_frame({"a": 1}, [b"blob"])


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00" * 7,
        b"\xff" * 8,
        WHOLE[:-1],
        WHOLE + b"x",
        framed(b"not json"),
        framed(b"[]"),
        framed(b"[" * 5000),
        framed(b"{}"),
        framed(json.dumps({"sizes": [-1]}).encode()),
        framed(json.dumps({"sizes": [True]}).encode()),
        framed(json.dumps({"sizes": {"a": 1}}).encode()),
        framed(json.dumps({"sizes": [10**30]}).encode()),
    ],
)
def test_anything_else_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame|Expecting|JSON"):
        decode_frame(frame)
