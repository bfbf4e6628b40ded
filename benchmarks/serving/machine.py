"""The machine: what it is, and which of its cores serve and which drive."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["Cores", "Neighbours", "choose_cores", "describe_machine", "pin"]

_PACKAGES = (
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "granian",
    "polars",
    "deltalake",
    "onnxruntime",
    "scikit-learn",
)


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the server, and that of everything else; ``None`` where there is only one."""

    server: int | None
    load: int | None


def choose_cores() -> Cores:
    """The first two cores this process may run on."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("ONE CORE ONLY: server and load generator share it, so no figure below compares with others")
        return Cores(None, None)
    return Cores(cores[0], cores[1])


def pin(pid: int, core: int | None) -> None:
    """Keep a process, and the threads it starts from now on, to one core; 0 is the calling thread."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


class Neighbours:
    """How much of the machine others take from now on, so that a noisy run can be told from a slow server."""

    def __init__(self, running: Callable[[], float] = lambda: 0.0) -> None:
        self._running = running
        self._begun, self._busy, self._ours = time.perf_counter(), _busy_seconds(), self._our_seconds()

    def share(self) -> float:
        """The share of all processor time since then that neither this process nor one it has ended used.

        Processes of ours that still run count as others, save for the processor seconds that ``running`` tells.
        """
        seconds = (time.perf_counter() - self._begun) * (os.cpu_count() or 1)
        others = _busy_seconds() - self._busy - (self._our_seconds() - self._ours)
        return min(1.0, max(0.0, others / seconds))

    def _our_seconds(self) -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system + self._running()


def _busy_seconds() -> float:
    """Processor time so far that was not idle, time stolen by the host included, over all cores."""
    user, nice, system, _, _, irq, softirq, steal = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / os.sysconf("SC_CLK_TCK")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, kernel, Python, and the versions of what is measured."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "versions": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
