"""What keeps a server recomputing, as a process that yields to the load generator on the same core.

``python -m benchmarks.serving.disturb candles STORE PORT`` writes a day of candles for every asset and, once the
server answers from it, the next; ``swaps STORE PORT RELEASE RELEASE`` promotes the two in turn and reloads.
Each works from a line ``go`` on its standard input to a line ``stop``, then prints what it did as JSON.
"""

import json
import os
import select
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.serving.client import Connection
from benchmarks.serving.stores import CANDLES_EACH, many_symbols
from cripto.domain.clock import SystemClock, rfc3339
from cripto.domain.release_version import ReleaseVersion
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import DAILY, random_walk

__all__ = ["main"]

_DAYS = 400
_PATIENCE_SECONDS = 60.0


class Candles:
    """Writes the days after those the store was made with."""

    def __init__(self, store: Path, port: int) -> None:
        self._port = port
        self._lake = open_lake(store.as_uri())
        after = random_walk(many_symbols(), CANDLES_EACH + _DAYS)
        frames = after.partition_by("time", maintain_order=True)
        self._days = iter(sorted(frames, key=lambda frame: frame["time"][0])[CANDLES_EACH:])

    def __call__(self) -> float:
        """Write one day and wait until it is taken up; seconds that the wait took."""
        day = next(self._days)
        self._lake.upsert(day)
        begun = time.perf_counter()
        wanted = rfc3339(DAILY.close_of(day["time"][0]))
        with Connection(self._port) as connection:
            while json.loads(connection.get(f"/symbol/{many_symbols()[-1]}").body)["timestamp"] != wanted:
                if time.perf_counter() - begun > _PATIENCE_SECONDS:
                    raise TimeoutError(f"candles that close at {wanted} were not taken up")
                time.sleep(0.01)
        return time.perf_counter() - begun


class Swaps:
    """Promotes one release and the other in turn."""

    def __init__(self, store: Path, port: int, *versions: str) -> None:
        self._port = port
        self._registry = ReleaseRegistry(open_store(store.as_uri()))
        self._versions = [ReleaseVersion.parse(version) for version in versions]

    def __call__(self) -> float:
        """One swap; seconds that the server took for it."""
        self._versions.reverse()
        self._registry.promote(self._versions[0], "1d", SystemClock())
        begun = time.perf_counter()
        with Connection(self._port) as connection:
            answer = connection.get("/reload")
        if answer.status != 200 or json.loads(answer.body).get("release") != str(self._versions[0]):
            raise RuntimeError(f"the reload came to {answer.status}: {answer.body[:300]!r}")
        return time.perf_counter() - begun


def main(kind: str, store: str, port: str, *rest: str) -> None:
    """Do as standard input says until it ends."""
    # a normal process that wakes up takes the core from this one at once
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    work: Callable[[], float] = {"candles": Candles, "swaps": Swaps}[kind](Path(store), int(port), *rest)
    print(json.dumps({"ready": True}), flush=True)
    for line in iter(sys.stdin.readline, ""):
        if line.strip() != "go":
            continue
        begun, waited, count = time.perf_counter(), timedelta(), 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            waited += timedelta(seconds=work())
            count += 1
        seconds = time.perf_counter() - begun
        print(json.dumps({"count": count, "seconds": seconds, "waited": waited.total_seconds()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
