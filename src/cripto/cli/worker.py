"""One of several processes that serve: ``python -m cripto.cli.worker SOCKET SLOT FOLDER``.

Started by `cripto.cli.workers` alone.
"""

import ctypes
import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, slot: int, folder: Path) -> None:
    """Serve on an inherited socket as the one in ``slot`` of those that share ``folder``."""
    from cripto.cli.ending import told
    from cripto.cli.logs import configure_logging
    from cripto.cli.serve import run_server
    from cripto.cli.wiring import installation

    _end_with_parent()
    gc.disable()
    with told(), socket.socket(fileno=descriptor) as listener:
        parts = installation()
        configure_logging(parts.settings.log_level, readable=sys.stderr.isatty())
        run_server(parts, listener, (slot, folder))


def _end_with_parent() -> None:
    """Have the kernel ask this process to stop when the one that started it dies, however it dies."""
    parent = os.getppid()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died meanwhile
        sys.exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
