"""Seconds and peak memory of each stage of a training run on a file of candles.

``python -m benchmarks.train FILE [INTERVAL] [--folds N] [--assets N]``: FILE is a Parquet file with the columns of
the candle table (``interval`` may be missing); ``--assets`` keeps those with most candles. The lake and the store
are in memory: what is measured is the training. Processor time is told beside the clock's, as machines are shared.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import polars as pl

from cripto.domain.clock import SystemClock
from cripto.market.lake import MemoryLake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import EVALUATION_FILE, TrainingPlan, TrainingResult, train
from cripto.training.walk_forward import FOLDS

_MEGABYTE = 1024  # ru_maxrss is in kilobytes on Linux


class Stopwatch:
    """Prints each stage when it ends."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.worked = time.process_time()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Time a stage from its first report to its last."""
        if done == 0:
            self.started, self.worked = time.perf_counter(), time.process_time()
        if done == total:
            took, worked = time.perf_counter() - self.started, time.process_time() - self.worked
            print(f"{stage:<18}{took:8.2f} s {worked:8.2f} CPU s {_peak():8.0f} MB", flush=True)


def main(path: Path, interval: str = "1d", folds: int = FOLDS, assets: int | None = None) -> TrainingResult:
    """Train on the candles at ``path``, print what it costs, and return what came out."""
    candles = pl.read_parquet(path).with_columns(interval=pl.lit(interval))
    if assets is not None:
        largest = candles.group_by("symbol").len().sort("len", "symbol", descending=True).head(assets)
        candles = candles.join(largest, on="symbol", how="semi")
    lake = MemoryLake()
    lake.upsert(candles)
    print(f"{len(candles)} candles of {candles['symbol'].n_unique()} assets; peak memory so far {_peak():.0f} MB")
    plan = TrainingPlan(interval=interval, default_interval=interval, folds=folds)
    started, registry = time.perf_counter(), ReleaseRegistry(MemoryStore())
    result = train(lake, registry, plan, SystemClock(), Stopwatch())
    print(f"{'all':<16}{time.perf_counter() - started:8.2f} s, {plan.jobs} fits side by side")
    (entry,) = [entry for entry in result.manifest.files if entry.path.endswith(f"/{EVALUATION_FILE}")]
    for name, scores in json.loads(registry.read(result.manifest, entry))["models"].items():
        wide, wider = _percent(*scores["intervals"]["skill"]), _percent(*scores["verdict_interval"])
        parts = " ".join(f"{100 * part['skill']:+.2f}" for part in scores["parts"])
        auc = "" if "auc" not in scores else f"; AUC {scores['auc']:.3f} from {scores['intervals']['auc'][0]:.3f}"
        print(
            f"{name:<16} skill {100 * scores['skill']:+.2f} % (95 %: {wide}; 99 %: {wider});"
            f" by fold {parts}{auc}: {scores['verdict']}"
        )
    return result


def _percent(low: float, high: float) -> str:
    return f"{100 * low:+.2f} to {100 * high:+.2f}"


def _peak() -> float:
    """Peak resident memory of this process, in megabytes; the conversion child's is apart."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("interval", nargs="?", default="1d")
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--assets", type=int)
    asked = parser.parse_args()
    main(asked.file, asked.interval, asked.folds, asked.assets)
