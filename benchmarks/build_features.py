"""How fast features are built: boards of one window per asset, and whole histories. Run it with ``python -m``."""

import time
from collections.abc import Callable

import polars as pl

from cripto.domain.interval import INTERVALS
from cripto.features import build_features, default_spec, latest_features
from tests.doubles.candles import random_walk

__all__ = ["main"]

HOUR = INTERVALS["1h"]
HISTORIES = ((39, 1711), (33, 20233))
"""Assets and candles of each: the sizes of about five years of days and two and a half of hours."""


def main() -> None:
    spec = default_spec()
    print(f"{len(spec.features)} features, lookback {spec.lookback}; invented candles; best of several runs")
    for assets in (1, 100, 1000):
        candles = random_walk([f"A{asset}" for asset in range(assets)], spec.lookback, HOUR)
        _report(f"latest_features, {assets} assets", candles, lambda frame: latest_features(frame, spec, HOUR), 20)
    for assets, count in HISTORIES:
        candles = random_walk([f"A{asset}" for asset in range(assets)], count, HOUR)
        _report(f"build_features, {assets} assets", candles, lambda frame: build_features(frame, spec, HOUR), 3)


def _report(name: str, candles: pl.DataFrame, run: Callable[[pl.DataFrame], object], repeats: int) -> None:
    run(candles)
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run(candles)
        seconds.append(time.perf_counter() - begun)
    best = min(seconds)
    print(f"{name:32} {len(candles):>8,} rows {best * 1000:>10,.2f} ms {len(candles) / best:>12,.0f} rows/s")


if __name__ == "__main__":
    main()
