"""What one more interval costs a server: memory, and time until everything is answered, on one core.

``python -m benchmarks.intervals [ROUNDS]``. The store is a folder with 400 assets in days, hours and four hours,
and for each interval a release that has two forests of 200 trees. Servers of one, two and three take turns.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from cripto.domain.interval import INTERVALS
from cripto.domain.release_version import ReleaseVersion
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.forests import large_release_draft
from tests.doubles.processes import free_port, resident_kib

__all__ = ["main"]

_ASSETS = 400
_CASES = ("", "1h", "1h,4h")
_MOST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Start:
    first: float
    all: float
    processor: float
    resident_kib: int
    threads: int


def main(rounds: int = 5) -> None:
    """Print medians by the number of intervals, and what each further one adds."""
    with tempfile.TemporaryDirectory() as folder:
        url = _store(Path(folder))
        found: dict[str, list[_Start]] = defaultdict(list)
        for _ in range(rounds):
            for further in _CASES:
                found[further].append(_started(url, further))
    print(f"medians of {rounds} rounds on one core, {_ASSETS} assets in each interval")
    print(f"{'intervals':10}{'1d answers':>12}{'all answer':>12}{'processor':>12}{'resident':>12}{'threads':>9}")
    for further, starts in found.items():
        first, everything, processor, resident, threads = (
            statistics.median(getattr(start, name) for start in starts)
            for name in ("first", "all", "processor", "resident_kib", "threads")
        )
        name = ",".join(filter(None, ("1d", further)))
        seconds = "".join(f"{value:10.3f} s" for value in (first, everything, processor))
        print(f"{name:10}{seconds}{resident / 1024:8.0f} MiB{threads:9.0f}")


def _store(folder: Path) -> str:
    url = (folder / "store").as_uri()
    symbols = ["BTC", *(f"A{number}" for number in range(_ASSETS - 1))]
    lake, registry = open_lake(url), ReleaseRegistry(open_store(url))
    draft = large_release_draft()
    for number, interval in enumerate(("1d", "1h", "4h")):
        lake.upsert(random_walk(symbols, 120, INTERVALS[interval]))
        version = ReleaseVersion.parse(f"2025072{number}-0000")
        registry.publish(replace(draft, version=version, created=version.time, interval=interval))
    return url


def _started(url: str, further: str) -> _Start:
    port = free_port()
    env = {**os.environ, "CRIPTO_STORE": url, "CRIPTO_INTERVALS": further, "PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", "0", sys.executable, "-m", "cripto.cli", "serve"], env=env, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port, "/symbol/BTC", began)
        first = time.perf_counter() - began
        for interval in filter(None, further.split(",")):
            _wait(port, f"/symbol/BTC?intervalo={interval}", began)
        everything = time.perf_counter() - began
        time.sleep(1.0)  # what is given back to the system after the last load
        # in ticks of 10 ms, but threads that have ended are in it
        counts = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        processor = (int(counts[11]) + int(counts[12])) / os.sysconf("SC_CLK_TCK")
        threads = len(list(Path(f"/proc/{process.pid}/task").iterdir()))
        return _Start(first, everything, processor, resident_kib(process.pid), threads)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(port: int, path: str, began: float) -> None:
    while not _answers(port, path):
        if time.perf_counter() - began > _MOST_SECONDS:
            raise TimeoutError(f"{path} was not answered")
        time.sleep(0.005)


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
