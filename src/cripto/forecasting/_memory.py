"""Memory that loading leaves behind, given back to the system."""

import ctypes
from contextlib import suppress

__all__ = ["give_back"]


def give_back() -> None:
    """Have the C library return what it holds free; does nothing where it cannot.

    onnxruntime takes more than twice what a model needs while it loads it, in pieces that glibc would keep: 81 of
    131 MB with two forests of 200 trees (``python -m benchmarks.model_memory``).
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
