"""Whether a row of features knows of candles before those it is said to look back on."""

from typing import Final

import numpy as np
import polars as pl

from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.domain.proofs import WarmUp
from cripto.errors import TrainingRefused
from cripto.features import build_features
from cripto.training.leaks import Builder, listed

__all__ = ["WARM_UP_ROWS", "warm_up"]

WARM_UP_ROWS: Final = 200
"""Rows whose short history is tried unless told otherwise."""


def warm_up(
    candles: pl.DataFrame,
    spec: FeatureSpec,
    interval: Interval,
    build: Builder = build_features,
    rows: int = WARM_UP_ROWS,
    seed: int = 0,
) -> WarmUp:
    """Prove that a row's features are the same bits from its last ``spec.lookback`` candles as from all.

    ``candles`` holds one series per symbol, in any order; ``rows`` rows drawn by ``seed`` are tried. Raises
    `TrainingRefused` naming the features that know of earlier candles.
    """
    names = list(spec.names)
    candles = candles.sort("symbol", "time").with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64))
    long = build(candles.drop("place"), spec, interval).drop_nulls(names)
    if long.is_empty():
        return WarmUp(spec.lookback, 0, 0, len(names))
    drawn = np.sort(np.random.default_rng(seed).choice(len(long), size=min(rows, len(long)), replace=False))
    expected = long[drawn.tolist()].join(
        candles.select("symbol", "time", "place"), on=["symbol", "time"], how="left", maintain_order="left"
    )
    last = expected["place"].to_numpy()
    # each history stands as a series of its own, so that one call builds all of them
    places = (last[:, None] + np.arange(1 - spec.lookback, 1)).ravel()
    begins = candles["symbol"].gather(np.maximum(last + 1 - spec.lookback, 0).tolist())
    if (places < 0).any() or not begins.equals(expected["symbol"]):
        raise TrainingRefused(
            f"a row has features without the {spec.lookback} candles that they are said to look back on"
        )
    series = np.repeat(np.arange(len(last)), spec.lookback)
    short = candles.drop("place")[places.tolist()].with_columns(
        pl.Series("symbol", [f"H{number:06d}" for number in series], pl.String)
    )
    found = build(short, spec, interval).group_by("symbol", maintain_order=True).last().sort("symbol")
    wrong = [name for name in names if not expected[name].equals(found[name], null_equal=True, check_names=False)]
    if wrong:
        raise TrainingRefused(
            f"{listed(wrong)} of a row are not the same from its last {spec.lookback} candles as from its whole"
            " history: what is served would not be what was trained on"
        )
    return WarmUp(spec.lookback, expected["symbol"].n_unique(), len(expected), len(names))
