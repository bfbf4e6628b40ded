"""What the tests of training share: candles with and without a secret, quick recipes, a converter of nothing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.clock import FixedClock
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.features import build_features, default_spec
from cripto.market.lake import CandleLake, MemoryLake
from cripto.registry import ReleaseRegistry
from cripto.registry.convert import Conversion
from cripto.storage import ObjectStore
from cripto.training import TrainingPlan, TrainingResult, train
from cripto.training.dataset import Dataset, build_dataset
from cripto.training.estimators import RECIPES, Recipe
from tests.doubles.candles import DAILY, random_walk

__all__ = [
    "NOW",
    "QUICK",
    "REMEMBERED",
    "dataset_of",
    "lake_of",
    "momentum",
    "names",
    "no_conversion",
    "quickly",
    "remembering",
]

REMEMBERED = default_spec().names[7]
"""The feature that `remembering` plants in."""

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _quick(name: str) -> Recipe:
    def build(rows: int, seed: int) -> object:
        estimator = RECIPES[name].build(rows, seed)
        return estimator.set_params(n_estimators=5) if "n_estimators" in estimator.get_params() else estimator

    return Recipe(build, max_rows=1000)


QUICK: Mapping[str, Recipe] = {name: _quick(name) for name in RECIPES}
"""The real recipes with five trees each: for tests that look at anything but skill."""


def momentum(symbols: Sequence[str], count: int, carried: float = 0.5, seed: int = 0) -> pl.DataFrame:
    """Daily candles whose log returns carry half of the last one on: a secret that models ought to find."""
    candles = random_walk(symbols, count, seed=seed)
    frames = []
    for _, frame in candles.group_by("symbol", maintain_order=True):
        noise = np.diff(np.log(frame["close"].to_numpy()), prepend=np.log(frame["open"][0]))
        returns = np.zeros(len(noise))
        for place in range(len(noise)):
            returns[place] = carried * (returns[place - 1] if place else 0.0) + noise[place]
        close = frame["open"][0] * np.exp(np.add.accumulate(returns))
        opening = np.concatenate([[frame["open"][0]], close[:-1]])
        frames.append(
            frame.with_columns(
                open=pl.Series(opening),
                close=pl.Series(close),
                high=pl.Series(np.maximum(opening, close) * 1.005),
                low=pl.Series(np.minimum(opening, close) / 1.005),
            )
        )
    return pl.concat(frames)


def lake_of(candles: pl.DataFrame) -> CandleLake:
    lake = MemoryLake()
    lake.upsert(candles)
    return lake


def dataset_of(candles: pl.DataFrame) -> Dataset:
    return build_dataset(candles, default_spec(), DAILY)


def no_conversion(
    models: Mapping[str, bytes], probes: NDArray[np.float64], features: Sequence[str]
) -> dict[str, Conversion]:
    """Converts nothing, at once: for tests that open no graph."""
    return {
        name: Conversion(b"onnx of " + name.encode(), {"log_return": 0.0}, "Toy", tuple(features))
        for name in models
    }


def remembering(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
    """The builder, with an average in one feature that never forgets a candle altogether."""
    average = candles.sort("symbol", "time").select(
        "symbol", "time", average=pl.col("close").ewm_mean(span=5).over("symbol") / pl.col("close")
    )
    return (
        build_features(candles, spec, interval)
        .join(average, on=["symbol", "time"], how="left", maintain_order="left")
        .with_columns(pl.when(pl.col(REMEMBERED).is_not_null()).then(pl.col("average")).alias(REMEMBERED))
        .drop("average")
    )


def quickly(
    lake: CandleLake,
    store: ObjectStore,
    clock: FixedClock | None = None,
    heard: list[tuple[str, int, int]] | None = None,
    **plan: Any,
) -> TrainingResult:
    """What a run comes to with `QUICK` recipes and no graphs."""

    def report(stage: str, done: int, total: int) -> None:
        if heard is not None:
            heard.append((stage, done, total))

    asked = TrainingPlan(**{"recipes": QUICK, **plan})
    return train(
        lake,
        ReleaseRegistry(store),
        asked,
        clock or FixedClock(NOW),
        report,
        no_conversion,
        draw=lambda _: b"a page",
    )


def names(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]
