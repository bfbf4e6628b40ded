"""Several processes on one port: what starts them, replaces the dead and ends them all.

Each worker is a new process (polars and onnxruntime have threads, which a fork would leave locked), given the
socket and its slot. uvicorn's own supervisor knows neither slots, without which counters go backwards, nor a pause
between the starts of a worker that dies each time, and takes a worker for hung that is slow to start.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cripto.cli.cpus import cpu_limit, share_threads
from cripto.cli.exits import OPERATOR
from cripto.errors import InvalidSettings

__all__ = ["DRAIN_SECONDS", "run_workers"]

DRAIN_SECONDS = 20
"""How long requests in flight may take once a server is asked to stop."""

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_KILL_AFTER_SECONDS = DRAIN_SECONDS + 5
_LONGEST_PAUSE = 30.0
_LIVED_LONG = 10.0


@dataclass
class _Worker:
    """One slot and the process in it; ``failures`` counts the last ones that did not live long."""

    slot: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0


def run_workers(listener: socket.socket, count: int) -> None:
    """Serve on a listening socket with ``count`` processes until a signal asks to stop; then close it, and drain.

    A worker that dies is replaced, at once if it had lived, else after a pause that doubles up to half a minute.
    Exits with the code of a worker that says the installation must be changed. Raises `InvalidSettings` if there
    is no place for what they share.
    """
    stop = _Stop()
    with _shared_folder() as folder:
        workers = [_Worker(slot) for slot in range(count)]
        code = 0
        try:
            code = _watch(workers, listener, folder, stop)
        finally:
            # what connects from now on is refused, as by a single process, and not kept waiting for nobody
            listener.close()
            _end(workers)
    if code:
        sys.exit(code)


class _Stop:
    """Whether a signal has asked to stop."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _: int, __: FrameType | None) -> None:
        self.asked = True


def _watch(workers: list[_Worker], listener: socket.socket, folder: Path, stop: _Stop) -> int:
    """Keep the workers running; 0 once it is asked to stop, or the code that stops all of them."""
    while not stop.asked:
        for worker in workers:
            code = None if worker.process is None else worker.process.poll()
            if code == OPERATOR:
                return OPERATOR
            if code is not None:
                _note_death(worker, code)
            if worker.process is None and time.monotonic() >= worker.not_before:
                _start(worker, len(workers), listener, folder)
        time.sleep(_LOOK_SECONDS)
    return 0


def _start(worker: _Worker, count: int, listener: socket.socket, folder: Path) -> None:
    environment = dict(os.environ)
    share_threads(environment, cpu_limit(), count)
    command = [sys.executable, "-m", "cripto.cli.worker", str(listener.fileno()), str(worker.slot), str(folder)]
    worker.started = time.monotonic()
    worker.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        pass_fds=[listener.fileno()],
        env={**environment, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
    )
    _LOG.info("worker %d is process %d", worker.slot, worker.process.pid)


def _note_death(worker: _Worker, code: int) -> None:
    now = time.monotonic()
    worker.process = None
    worker.failures = 0 if now - worker.started >= _LIVED_LONG else worker.failures + 1
    pause = 0.0 if worker.failures < 2 else min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(worker.failures, 10))
    worker.not_before = now + pause
    _LOG.error("worker %d ended with code %d and is started again in %.1f s", worker.slot, code, pause)


def _end(workers: list[_Worker]) -> None:
    running = [worker.process for worker in workers if worker.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _KILL_AFTER_SECONDS
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _LOG.error("process %d did not end in time and is killed", process.pid)
            process.kill()
            process.wait()


@contextmanager
def _shared_folder() -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix="cripto-"))
    except OSError as error:
        raise InvalidSettings(
            f"CRIPTO_WORKERS: several workers share a temporary folder, and none can be made: {error.strerror}"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
