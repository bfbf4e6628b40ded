"""Servers as processes of their own, pinned, watched through /proc, and stopped again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.client import Answer, Connection
from benchmarks.serving.machine import pin
from benchmarks.serving.outcome import Unmeasured
from tests.doubles.processes import free_port, resident_kib

__all__ = ["Server", "clean_environment", "cpu_seconds_of", "first_answer", "started"]

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers on ``port`` of 127.0.0.1.

    ``seconds`` is how long it took to its first 200, ``cpu_until_then`` how much processor time that took.
    """

    name: str
    pid: int
    port: int
    seconds: float
    log: Path
    cpu_until_then: float

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """One answer, on a connection of its own."""
        with Connection(self.port) as connection:
            return connection.get(path, headers)

    @property
    def resident_mb(self) -> float:
        """Resident memory, in megabytes, of the process and its children (a server may run workers)."""
        return sum(resident_kib(pid) for pid in _family(self.pid)) * 1024 / 1e6

    def cpu_seconds(self) -> float:
        """Processor time so far of the process and its children."""
        return cpu_seconds_of(self.pid)

    def worker_seconds(self) -> float:
        """Processor time so far of every thread but the first of each process: those that recompute."""
        total = 0
        for pid in _family(self.pid):
            for task in Path(f"/proc/{pid}/task").iterdir():
                if task.name != str(pid):
                    total += _ticks(task / "stat")
        return total / _TICKS


def clean_environment() -> dict[str, str]:
    """The environment without any setting of ours: what is measured is not what this shell happens to say."""
    ours = ("CRIPTO_", "AWS_", "COVERAGE_")
    # where the last is set and nothing was compiled before, a start compiles every library
    names = {"BUCKET_NAME", "LOG_LEVEL", "PORT", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if not name.startswith(ours) and name not in names}


@contextmanager
def started(
    name: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    core: int | None,
    folder: Path,
    path: str = "/symbol/BTC",
    port: int | None = None,
    seconds: float = 90.0,
) -> Iterator[Server]:
    """Run ``command`` on one core until the block is left; it is given once ``path`` is answered with 200.

    ``{port}`` in the command, and PORT in the environment, are the port. Raises `Unmeasured` with the end of the
    log where it does not come to that within ``seconds``.
    """
    port = free_port() if port is None else port
    log = folder / f"{name.replace(' ', '-').replace('/', '-')}-{port}.log"
    with log.open("wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part).format(port=port) for part in command],
            env={**clean_environment(), **env, "PORT": str(port)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    pin(process.pid, core)
    try:
        taken = first_answer(process, port, path, begun, seconds)
        if taken is None:
            raise Unmeasured(f"{name} did not answer {path}: {_end_of(log)}")
        yield Server(name, process.pid, port, taken, log, cpu_seconds_of(process.pid))
        if process.poll() is not None:
            raise Unmeasured(f"{name} ended with status {process.returncode}: {_end_of(log)}")
    finally:
        _stop(process)


def first_answer(
    process: "subprocess.Popen[bytes]", port: int, path: str, begun: float, seconds: float
) -> float | None:
    """Seconds since ``begun`` when ``path`` is first answered with 200, asked every 5 ms; ``None`` if never."""
    while (now := time.perf_counter()) - begun < seconds and process.poll() is None:
        try:
            with Connection(port, 5.0) as connection:
                if connection.get(path).status == 200:
                    return time.perf_counter() - begun
        except (OSError, Unmeasured):
            pass
        time.sleep(max(0.0, 0.005 - (time.perf_counter() - now)))
    return None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def cpu_seconds_of(pid: int) -> float:
    """Processor time so far of a process and its children."""
    return sum(_ticks(Path(f"/proc/{member}/stat")) for member in _family(pid)) / _TICKS


def _ticks(stat: Path) -> int:
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]
