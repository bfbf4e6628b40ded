"""The machine: what it is, and which of its cores serve and which drive."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["Cores", "choose_cores", "describe_machine", "pin"]

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
