"""Seconds and peak memory of each stage of a training run on a file of candles.

``python -m benchmarks.train FILE [INTERVAL]``: FILE is a Parquet file with the columns of the candle table
(``interval`` may be missing). The lake and the store are in memory: what is measured is the training.
"""

import resource
import sys
import time
from pathlib import Path

import polars as pl

from cripto.domain.clock import SystemClock
from cripto.market.lake import MemoryLake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import TrainingPlan, TrainingResult, train

_MEGABYTE = 1024  # ru_maxrss is in kilobytes on Linux


class Stopwatch:
    """Prints each stage when it ends."""

    def __init__(self) -> None:
        self.started = time.perf_counter()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Time a stage from its first report to its last."""
        if done == 0:
            self.started = time.perf_counter()
        if done == total:
            print(f"{stage:<18}{time.perf_counter() - self.started:8.2f} s {_peak():8.0f} MB", flush=True)


def main(path: Path, interval: str = "1d") -> TrainingResult:
    """Train on the candles at ``path``, print what it costs, and return what came out."""
    candles = pl.read_parquet(path).with_columns(interval=pl.lit(interval))
    lake = MemoryLake()
    lake.upsert(candles)
    print(f"{len(candles)} candles of {candles['symbol'].n_unique()} assets; peak memory so far {_peak():.0f} MB")
    plan = TrainingPlan(interval=interval, default_interval=interval)
    started = time.perf_counter()
    result = train(lake, ReleaseRegistry(MemoryStore()), plan, SystemClock(), Stopwatch())
    print(f"{'all':<16}{time.perf_counter() - started:8.2f} s, {plan.jobs} fits side by side")
    for name, metrics in result.metrics.items():
        low, high = metrics["intervals"]["skill"]
        print(f"{name:<16} skill {metrics['skill']:+.4f} ({low:+.4f} to {high:+.4f}): {metrics['verdict']}")
    return result


def _peak() -> float:
    """Peak resident memory of this process, in megabytes; the conversion child's is apart."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])
