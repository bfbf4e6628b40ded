"""Whether a container under a CPU limit keeps its latency: the serving image, with podman, as root on Linux.

``python -m benchmarks.limits FOLDER [ROUNDS]``; ``make image`` builds the images in a FOLDER (var/image). 1,000
assets are served by a release with forests of 200 trees, from a folder. Each server is asked 100 times a second,
each answer timed from when it was due, first while nothing else happens, then while the next day's candles of all
assets arrive, one day after the other. Servers whose threads follow the limit take turns with some that have as
many as an 8-core node would give them.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.client import Connection
from benchmarks.serving.disturb import Candles
from benchmarks.serving.stores import CANDLES_EACH, many_symbols
from cripto.cli.cpus import THREAD_VARIABLES
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.containers import HARDENED, Container, Engine, limits, missing
from tests.doubles.forests import large_release_draft
from tests.doubles.processes import free_port
from tools.image import image

__all__ = ["main"]

_PER_SECOND = 100
_QUIET_SECONDS, _DISTURBED_SECONDS = 8, 16
_NODE = dict.fromkeys(THREAD_VARIABLES, "8")
_CASES: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("none", "follow", {}),
    ("1", "follow", {}),
    ("1", "8", _NODE),
    ("0.5", "follow", {}),
    ("0.5", "8", _NODE),
)
_CPU_STAT = "cat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>/dev/null || true"


@dataclass(frozen=True, slots=True)
class _Found:
    threads: int
    quiet_p50: float
    quiet_p99: float
    p50: float
    p99: float
    arrivals: int
    throttled: float


def main(folder: Path, rounds: int = 3) -> int:
    """Print medians by limit and threads, or why nothing can be measured here."""
    if reason := missing():
        print(f"LEFT OUT: {reason}")
        return 0
    if len(limits(memory="1g", cpus="1")) < 2:
        print("LEFT OUT: there are no control groups that limit memory and CPUs")
        return 0
    engine = Engine(folder.resolve())
    if not engine.folder.exists() or engine.podman("image", "exists", image("serve"), check=False).returncode:
        print(f"LEFT OUT: no image in {folder}; `make image` builds one in var/image")
        return 0
    found: dict[tuple[str, str], list[_Found]] = defaultdict(list)
    for _ in range(rounds):
        for limit, named, threads in _CASES:
            with tempfile.TemporaryDirectory() as store:
                found[limit, named].append(_measured(engine, Path(store), limit, threads))
    print(
        f"medians of {rounds} rounds, {os.cpu_count()} cores; load average {os.getloadavg()[2]:.0f} in 15 minutes"
    )
    heads = ("threads", "quiet p50", "p99", "arrivals", "p50", "p99", "throttled")
    print(f"{'CPUs':6}" + "".join(f"{head:>12}" for head in heads))
    for (limit, named), each in found.items():
        row = [statistics.median(float(getattr(one, name)) for one in each) for name in _Found.__slots__]
        count, arrivals, throttled = f"{named}: {row[0]:.0f}", f"{row[5]:.0f}", f"{row[6]:.0%}"
        quiet50, quiet99, p50, p99 = (f"{1000 * seconds:.2f} ms" for seconds in row[1:5])
        cells = (count, quiet50, quiet99, arrivals, p50, p99, throttled)
        print(f"{limit:6}" + "".join(f"{cell:>12}" for cell in cells))
    return 0


def _measured(engine: Engine, store: Path, limit: str, threads: Mapping[str, str]) -> _Found:
    port = free_port()
    open_lake(store.as_uri()).upsert(random_walk(many_symbols(), CANDLES_EACH))
    ReleaseRegistry(open_store(store.as_uri())).publish(large_release_draft())
    _make_readable(store)
    env = {"CRIPTO_STORE": "file:///store", "CRIPTO_HOST": "127.0.0.1", "PORT": str(port), **threads}
    cpus = "" if limit == "none" else limit
    options = (*limits(memory="1g", cpus=cpus), f"--volume={store}:/store:ro", *HARDENED)
    with engine.running(image("serve"), *options, env=env) as container:
        _wait(container, port)
        status = container.shell("cat /proc/1/status")
        count = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
        quiet = _asked(port, _QUIET_SECONDS)
        before = _periods(container)
        words = [
            sys.executable,
            "-m",
            "benchmarks.limits",
            "arrivals",
            str(store),
            str(port),
            str(_DISTURBED_SECONDS),
        ]
        writer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        disturbed = _asked(port, _DISTURBED_SECONDS)
        said, _ = writer.communicate(timeout=120)
        periods, throttled = (after - first for after, first in zip(_periods(container), before, strict=True))
    return _Found(
        count,
        *_quantiles(quiet),
        *_quantiles(disturbed),
        arrivals=int(said),
        throttled=throttled / periods if periods else 0.0,
    )


def _make_readable(store: Path) -> None:
    for folder, _, files in os.walk(store):
        Path(folder).chmod(0o755)
        for name in files:
            (Path(folder) / name).chmod(0o644)


def _wait(container: Container, port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with Connection(port) as connection:
                if connection.get(f"/symbol/{many_symbols()[-1]}").status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(container.logs())
        time.sleep(0.1)


def _asked(port: int, seconds: int) -> list[float]:
    """Seconds from when each request was due to its answer, one after the other on one connection."""
    path, taken = f"/symbol/{many_symbols()[0]}", []
    with Connection(port) as connection:
        begun = time.perf_counter()
        for number in range(seconds * _PER_SECOND):
            due = begun + number / _PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            if connection.get(path).status != 200:
                raise RuntimeError("an answer was no 200")
            taken.append(time.perf_counter() - due)
    return taken


def _quantiles(taken: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(taken, n=100)
    return cuts[49], cuts[98]


def _periods(container: Container) -> tuple[int, int]:
    """The periods of the quota so far, and those in which it was used up."""
    told = dict(line.split()[:2] for line in container.shell(_CPU_STAT).splitlines())
    return int(told.get("nr_periods", 0)), int(told.get("nr_throttled", 0))


def arrivals(store: Path, port: int, seconds: float) -> None:
    """Write one day after the other, each once the one before is answered from; print how many."""
    os.nice(5)
    write, begun, count = Candles(store, port), time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        write()
        count += 1
    print(count)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["arrivals", store, port, seconds]:
            arrivals(Path(store), int(port), float(seconds))
        case [folder]:
            sys.exit(main(Path(folder)))
        case [folder, rounds]:
            sys.exit(main(Path(folder), int(rounds)))
        case _:
            sys.exit(__doc__)
