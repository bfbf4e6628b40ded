"""How many CPUs this process may really use, and the thread counts that follow from it.

A pod with a limit of one CPU sees every core of its node. Libraries that start a thread per core then take turns
on one, and the kernel stops them all when the quota is used up: a request waits for the next period.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from math import ceil
from pathlib import Path

__all__ = ["THREAD_VARIABLES", "cpu_limit", "pin_threads", "share_threads", "thread_counts"]

THREAD_VARIABLES: Mapping[str, str] = {
    "POLARS_MAX_THREADS": "polars",
    "TOKIO_WORKER_THREADS": "deltalake, obstore and polars, for reading and writing",
    "OPENBLAS_NUM_THREADS": "numpy",
    "OMP_NUM_THREADS": "scikit-learn, in training",
}
"""What is set, and who reads it when it is imported. Nobody here uses rayon's own pool (``RAYON_NUM_THREADS``),
and onnxruntime, which reads none of these, is told its count by `cripto.forecasting`."""

_V1_QUOTA, _V1_PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"


def cpu_limit(root: Path = Path("/"), *, cores: int | None = None) -> int:
    """The CPUs this process may use, rounded up, at least 1: its affinity, or less where a control group says so.

    ``root`` is where ``proc`` and ``sys`` are looked for, ``cores`` stands for the affinity. Whatever cannot be
    read limits nothing.
    """
    allowed = _cores() if cores is None else cores
    return max(1, ceil(min([float(allowed), *_quotas(root)])))


def pin_threads(environ: MutableMapping[str, str], limit: int) -> None:
    """Set each of `THREAD_VARIABLES` to ``limit``, unless it is set; call it before the libraries are imported."""
    for name in THREAD_VARIABLES:
        environ.setdefault(name, str(limit))


def share_threads(environ: MutableMapping[str, str], limit: int, processes: int) -> None:
    """Divide what `pin_threads` has set among several processes; what somebody else set stays as it is."""
    for name in THREAD_VARIABLES:
        if environ.get(name) == str(limit):
            environ[name] = str(max(1, limit // processes))


def thread_counts(environ: Mapping[str, str]) -> dict[str, str]:
    """What `THREAD_VARIABLES` are set to."""
    return {name: environ[name] for name in THREAD_VARIABLES if name in environ}


def _cores() -> int:
    # only Linux has affinities
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Every limit between the process's control group and the top, in CPUs, of either version."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        if line.count(":") < 2:
            continue
        _, controllers, group = line.split(":", 2)
        if not controllers:
            for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                for folder in _upwards(root / mount, group):
                    quota, _, period = _read(folder / "cpu.max").partition(" ")
                    yield from _ratio(quota, period)
        elif "cpu" in controllers.split(","):
            for mount in ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"):
                for folder in _upwards(root / mount, group):
                    yield from _ratio(_read(folder / _V1_QUOTA), _read(folder / _V1_PERIOD))


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """The folder of ``group`` below ``mount`` and each above it.

    In a container the group may be named as the host sees it and lie nowhere here; then the mount is the group.
    """
    parts = [part for part in group.split("/") if part not in ("", ".", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _ratio(quota: str, period: str) -> Iterator[float]:
    # "max" and -1 are no limit
    if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
