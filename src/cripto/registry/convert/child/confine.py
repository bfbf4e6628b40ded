"""What the child gives up before it opens a file: memory, time, writing, new rights, and the network if it may."""

import ctypes
import resource
from contextlib import suppress
from pathlib import Path

__all__ = ["MEMORY", "confine"]

MEMORY = 6 << 30
"""Bytes of address space; the libraries alone map about two of them."""

_FILES = 128
_NO_NEW_PRIVS, _DUMPABLE = 38, 4
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000


def confine(seconds: int) -> bool:
    """Confine this process for good; whether the kernel also took its network away. Linux only in full.

    ``seconds`` bounds processor time on all cores together, in case the parent is no longer there to end it.
    """
    with suppress(OSError):  # where memory runs out this process is ended, and not the one that serves
        Path("/proc/self/oom_score_adj").write_text("1000")
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        _, most = resource.getrlimit(kind)
        bound = limit if most == resource.RLIM_INFINITY else min(limit, most)
        with suppress(ValueError, OSError):  # not every system lets every one of them be lowered
            resource.setrlimit(kind, (bound, bound))
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        isolated = bool(libc.unshare(_NEW_USER_AND_NETWORK) == 0)
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return False
    return isolated
