"""What a whole board costs, stage by stage, and how that grows with the assets; in a process of its own.

``python -m benchmarks.serving.board STORE`` prints it as JSON for the release in the folder STORE; `measure` runs
that on one core, with one thread for polars as the service has there.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.machine import pin
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import clean_environment
from benchmarks.serving.summary import median_of, ratio_of_rounds

__all__ = ["SIZES", "growth", "measure", "tables"]

SIZES = (1, 100, 1000, 5000)
_ROUNDS = 7
_REPEATS = {1: 10, 100: 3, 1000: 1, 5000: 1}
"""How often a stage is run in each round: short ones more often, and all sizes in every round."""
_ROOT = Path(__file__).parents[2]


def measure(bench: Bench) -> Figures:
    """Median microseconds of every stage for 1, 100, 1,000 and 5,000 assets of invented candles."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving.board", str(bench.stores.real)],
        env={**clean_environment(), "POLARS_MAX_THREADS": "1"},
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pin(process.pid, bench.cores.server)
    told, errors = process.communicate(timeout=600)
    if process.returncode != 0:
        raise Unmeasured(f"the stages could not be measured: {errors[-800:]}")
    figures: Figures = json.loads(told)
    return figures


def _stages(store: Path) -> Figures:
    """The figures; runs in the process of its own."""
    from cripto.forecasting.release import load_release
    from cripto.registry import ReleaseRegistry
    from cripto.storage import open_store

    registry = ReleaseRegistry(open_store(store.as_uri()))
    release = load_release(registry, registry.resolve("1d", "1d"))
    stages = {size: _stages_of(release, size) for size in SIZES}
    seconds: dict[int, dict[str, list[float]]] = {size: {name: [] for name in stages[size]} for size in SIZES}
    for _ in range(_ROUNDS):
        for size, name in [(each, name) for each in SIZES for name in stages[each]]:
            begun = time.perf_counter()
            for _ in range(_REPEATS[size]):
                stages[size][name]()
            seconds[size][name].append((time.perf_counter() - begun) / _REPEATS[size])
    return {
        "microseconds": {
            str(size): {name: round(median_of(values) * 1e6, 1) for name, values in found.items()}
            for size, found in seconds.items()
        },
        "board_rounds": {
            str(size): [round(one * 1e6) for one in found["board"]] for size, found in seconds.items()
        },
    }


def _stages_of(release: Any, size: int) -> dict[str, Callable[[], object]]:
    """What is timed, each run once: lazy imports and caches are not."""
    import numpy as np
    import polars as pl

    from cripto.domain.clock import SystemClock
    from cripto.domain.forecast import Forecast
    from cripto.features import latest_features
    from cripto.forecasting import Board
    from cripto.forecasting.encode import encode_answer
    from cripto.forecasting.forecaster import forecast_windows
    from cripto.forecasting.windows import Window, read_windows
    from tests.doubles.candles import random_walk

    spec, interval, now = release.features, release.interval, SystemClock().now()
    candles = random_walk([f"A{number:04}" for number in range(size)], spec.lookback)
    windows = read_windows(candles, interval, spec.lookback)
    whole = [window for window in windows.by_symbol.values() if isinstance(window, Window)]
    assert len(whole) == size

    def features() -> pl.DataFrame:
        return latest_features(pl.concat([window.candles for window in whole]), spec, interval)

    matrix = np.ascontiguousarray(features().select(spec.names).to_numpy(), dtype=np.float64)
    found = [one for one in forecast_windows(release, whole, now).values() if isinstance(one, Forecast)]
    assert len(found) == size
    stages: dict[str, Callable[[], object]] = {
        "read_windows": lambda: read_windows(candles, interval, spec.lookback),
        "features": features,
        **{model.name: partial(model.predict, matrix) for model in release.models},
        "forecast_windows": lambda: forecast_windows(release, whole, now),
        "encode": lambda: [encode_answer(one) for one in found],
        "board": lambda: _warm(Board(release, windows), now, size),
    }
    for run in stages.values():
        run()
    return stages


def _warm(board: Any, now: datetime, size: int) -> None:
    without = board.warm(now)
    assert not without, without
    # a board that answers for some in advance and leaves the rest would be timed for what it did not do
    held = sum(board.held(asset, now) is not None for asset in board.windows.by_symbol)
    assert held == size, f"{held} of {size} answers are at hand"


def growth(figures: Figures) -> float:
    """What an asset costs in a board of 5,000, divided by that in one of 1,000 of the same round; the median."""
    most, fewer = ([one / size for one in figures["board_rounds"][str(size)]] for size in (5000, 1000))
    return ratio_of_rounds(most, fewer)


def tables(figures: Figures) -> list[Table]:
    """Microseconds an asset, so that a cost that grows faster than the assets shows."""
    by_size = {int(size): stages for size, stages in figures["microseconds"].items()}
    first = next(iter(by_size.values()))
    models = [name for name in first if name.startswith(("regressor_", "classifier_"))]
    for stages in by_size.values():
        spent = stages["features"] + sum(stages[name] for name in models)
        stages["decide"] = max(0.0, stages["forecast_windows"] - spent)
    lines = {
        "windows, with digests": "read_windows",
        "features": "features",
        **{name: name for name in models},
        "decide and build forecasts": "decide",
        "encode": "encode",
        "the whole board": "board",
    }
    rows = [
        [label, *(f"{stages[key] / size:,.1f}" for size, stages in by_size.items())]
        for label, key in lines.items()
    ]
    rows.append(["the whole board, ms", *(f"{stages['board'] / 1000:,.1f}" for stages in by_size.values())])
    notes = [
        "Invented candles, one core, one polars thread. Stages are timed over all assets at once; the whole board "
        "is what the service runs, in batches, with windows read before.",
        '"Decide" is forecast_windows less features and models. A board of 5,000 costs '
        f"{growth(figures):.2f} x one of 1,000, an asset.",
    ]
    return [Table("Microseconds an asset, by stage", ["assets", *(f"{size:,}" for size in by_size)], rows, notes)]


if __name__ == "__main__":
    print(json.dumps(_stages(Path(sys.argv[1]))))
