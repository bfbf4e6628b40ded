"""The bytes behind joblib's compressors, never more than a bound. Standard library only."""

import bz2
import lzma
import zlib
from typing import Protocol

from cripto.registry.convert.child.refusal import Refused

__all__ = ["LARGEST", "decompress"]

LARGEST = 512 << 20
"""Bytes a file may hold once decompressed."""

_RATIO = 1_000
_ALWAYS_FINE = 16 << 20
_STEP = 1 << 20
_LZMA_MEMORY = 128 << 20


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def decompress(file: bytes) -> bytes:
    """What joblib wrote before it compressed it; raise `Refused` beyond 512 MiB, or 1000 times the file's size.

    Exactly one compressed stream, to the end of the file. Files of joblib before 0.10, and lz4, are refused.
    """
    if len(file) > LARGEST:
        raise Refused(f"it has more than {LARGEST} bytes")
    machine = _decompressor(file)
    if machine is None:
        return file
    bound = min(LARGEST, max(_ALWAYS_FINE, _RATIO * len(file)))
    try:
        return _bounded(machine, file, bound)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise Refused(f"it is not a joblib file: its compression is broken: {error}"[:400]) from error


def _decompressor(file: bytes) -> _Decompressor | None:
    if file.startswith(b"\x80"):
        return None
    if file.startswith(b"\x78"):
        return zlib.decompressobj()
    if file.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31)
    if file.startswith(b"BZ"):
        return bz2.BZ2Decompressor()
    if file.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)
    if file.startswith(b"\x5d\x00"):
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY)
    if file.startswith(b"\x04\x22\x4d\x18"):
        raise Refused("it is compressed by lz4, which is not read here")
    raise Refused("it is not a joblib file: it begins with neither a pickle nor a compressor's mark")


def _bounded(machine: _Decompressor, file: bytes, bound: int) -> bytes:
    out, given, left = bytearray(), 0, memoryview(file)
    data = b""
    while not machine.eof:
        # A piece at a time: zlib copies what it hands back at every step, the others what they have left.
        if not data and getattr(machine, "needs_input", True):
            data = bytes(left[given : given + _STEP])
            given += len(data)
        piece = machine.decompress(data, _STEP)
        ended = not piece and not data
        data = getattr(machine, "unconsumed_tail", b"")
        out += piece
        if len(out) > bound:
            raise Refused(f"it is a small file that expands beyond {bound} bytes")
        if ended and not machine.eof:
            raise Refused("it is not a joblib file: its compressed data end early")
    if machine.unused_data or given < len(file):
        raise Refused("it is not a joblib file: there is more after its compressed data")
    return bytes(out)
