"""A child process that ends with the one that started it, however that one ends."""

import ctypes
import os
import signal
import sys
import threading
from contextlib import suppress

__all__ = ["end_with_parent", "end_with_stdin"]

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> bool:
    """Have the kernel ask this process to stop when the one that started it dies, however it dies.

    Whether it will: only Linux does.
    """
    parent, heard = os.getppid(), False
    with suppress(OSError, AttributeError):
        heard = ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) == 0
    if os.getppid() != parent:  # it died meanwhile
        sys.exit(0)
    return heard


def end_with_stdin() -> None:
    """Ask this process to stop when its standard input ends: a pipe that nobody but its parent holds. Anywhere."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
