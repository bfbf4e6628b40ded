"""One of several processes that serve: ``python -m cripto.cli.worker SOCKET SLOT FOLDER``.

Started by `cripto.cli.workers` alone.
"""

import gc
import socket
import sys
from pathlib import Path

__all__ = ["main"]


def main(descriptor: int, slot: int, folder: Path) -> None:
    """Serve on an inherited socket as the one in ``slot`` of those that share ``folder``."""
    from cripto.cli.ending import told
    from cripto.cli.lifeline import end_with_parent
    from cripto.cli.logs import configure_logging
    from cripto.cli.serve import run_server
    from cripto.cli.wiring import installation

    end_with_parent()
    gc.disable()
    with told(), socket.socket(fileno=descriptor) as listener:
        parts = installation()
        configure_logging(parts.settings.log_level, readable=sys.stderr.isatty())
        run_server(parts, listener, (slot, folder))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
