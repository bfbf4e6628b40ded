"""How parent and child speak: a JSON header and raw blobs, one frame each way. Nothing here is ever unpickled."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["decode_frame", "encode_frame"]

_LENGTH = 8
_LONGEST_HEADER = 1 << 20


def encode_frame(header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """One frame: the header's length in 8 big-endian bytes, the header, then the blobs one after another."""
    text = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    return b"".join((len(text).to_bytes(_LENGTH), text, *blobs))


def decode_frame(frame: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The header and the blobs of exactly one whole frame; raise ``ValueError`` for anything else."""
    length = int.from_bytes(frame[:_LENGTH])
    if len(frame) < _LENGTH or length > min(_LONGEST_HEADER, len(frame) - _LENGTH):
        raise ValueError("a frame that ends early")
    try:
        header = json.loads(frame[_LENGTH : _LENGTH + length])
        sizes = header["sizes"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("a frame without a header") from error
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("a frame with malformed sizes")
    if _LENGTH + length + sum(sizes) != len(frame):
        raise ValueError("a frame of another length than it says")
    blobs, start = [], _LENGTH + length
    for size in sizes:
        blobs.append(frame[start : start + size])
        start += size
    return header, blobs
