"""From one version of the candle lake to the matrix that models are fitted on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.clock import rfc3339
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.errors import TrainingRefused
from cripto.features import build_features
from cripto.market.identity import PART, parted
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.market.selection import asset_series
from cripto.market.universe import PEGGED
from cripto.training.leaks import Builder
from cripto.training.targets import next_log_return

__all__ = [
    "Dataset",
    "build_dataset",
    "dataset_of",
    "featured_rows",
    "free_prices",
    "labelled_rows",
    "read_candles",
    "to_datetime",
]

_NOTHING_LISTED = Listings()
# no symbol holds a blank
_PART_OF = " "


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pooled rows of all assets, sorted by time, then symbol; row ``i`` of every field is the same candle.

    ``features`` is float64 (rows, features) of float32-rounded values, C order; ``log_return`` float64 (rows,),
    the next candle's; ``time`` the candles' UTC opens as ``datetime64[us]``; ``symbol`` their assets.
    """

    names: tuple[str, ...]
    features: NDArray[np.float64]
    log_return: NDArray[np.float64]
    time: NDArray[np.datetime64]
    symbol: pl.Series

    def __len__(self) -> int:
        return len(self.log_return)

    def describe(self) -> dict[str, Any]:
        """Rows, assets with the rows of each, and the range of candle opens, as JSON values."""
        counts = self.symbol.cast(pl.String).value_counts(sort=False, name="rows").sort(self.symbol.name)
        return {
            "rows": len(self),
            "first": rfc3339(to_datetime(self.time[0])),
            "last": rfc3339(to_datetime(self.time[-1])),
            "assets": dict(counts.iter_rows()),
        }


def read_candles(
    lake: CandleLake,
    interval: Interval,
    quotes: Sequence[str],
    listings: Listings = _NOTHING_LISTED,
    read: Callable[[int], pl.DataFrame] | None = None,
    until: datetime | None = None,
) -> tuple[pl.DataFrame, int]:
    """The candles to train on, one series per symbol as `asset_series` gives them, and the lake's version.

    Those with `free_prices` alone, that open before ``until`` (UTC) where it is given. The version is resolved
    once, so that candles arriving meanwhile change nothing. ``read`` may stand in for `CandleLake.read` of a
    version, up to ``until``; it may leave out series that `asset_series` does not look into. Raises
    `TrainingRefused` if there are none.
    """
    version = lake.version()
    if version is None:
        raise TrainingRefused("there are no candles in the lake: import or fetch some first")
    found = lake.read(interval.name, until=until, version=version) if read is None else read(version)
    candles = asset_series(found, quotes, listings)
    if candles.is_empty():
        known = ", ".join(sorted({series.interval for series in lake.series()})) or "none at all"
        raise TrainingRefused(
            f"version {version} of the lake has no closed {interval.name} candles; it has {known}"
        )
    free = free_prices(candles)
    if free.is_empty():
        raise TrainingRefused(
            f"every asset follows a currency, so that there is nothing to learn:"
            f" {', '.join(sorted(candles['symbol'].unique()))}"
        )
    return free, version


def free_prices(candles: pl.DataFrame) -> pl.DataFrame:
    """The candles of assets that follow no currency.

    A price that is held in place is easily told and flatters every score, while it says nothing of other coins.
    """
    return candles.filter(~pl.col("symbol").is_in(list(PEGGED)))


def build_dataset(
    candles: pl.DataFrame, spec: FeatureSpec, interval: Interval, build: Builder = build_features
) -> Dataset:
    """Features and target of every candle that has both; raise `TrainingRefused` if none has, or nothing moves."""
    return dataset_of(labelled_rows(candles, spec, interval, build), candles, spec)


def dataset_of(rows: pl.DataFrame, candles: pl.DataFrame, spec: FeatureSpec) -> Dataset:
    """The `labelled_rows` of ``candles`` as a matrix; `TrainingRefused` if there is none, or nothing moves."""
    rows = rows.sort("time", "symbol")
    if rows.is_empty() and candles.group_by("symbol").agg(pl.col("close").n_unique())["close"].max() == 1:
        raise TrainingRefused(
            f"the price never moves in any of the {len(candles)} candles: there is nothing to learn"
        )
    if rows.is_empty():
        longest = max(_parts_apart(candles)[0].group_by("symbol").len()["len"].to_list(), default=0)
        raise TrainingRefused(
            f"no candle has features and a next candle: {spec.lookback + 1} without a gap are needed in which the"
            f" price moves, and the longest series has {longest}"
        )
    log_return = rows["log_return"].to_numpy()
    return Dataset(
        names=spec.names,
        features=np.ascontiguousarray(rows.select(spec.names).to_numpy(), dtype=np.float64),
        log_return=log_return,
        time=rows["time"].dt.replace_time_zone(None).to_numpy(),
        symbol=rows["symbol"],
    )


def labelled_rows(
    candles: pl.DataFrame, spec: FeatureSpec, interval: Interval, build: Builder = build_features
) -> pl.DataFrame:
    """``symbol, time``, the features and ``log_return`` of every candle that has all, by symbol and time."""
    return featured_rows(candles, spec, interval, build).drop_nulls("log_return")


def featured_rows(
    candles: pl.DataFrame, spec: FeatureSpec, interval: Interval, build: Builder = build_features
) -> pl.DataFrame:
    """As `labelled_rows`, with those candles too whose ``log_return`` is null, since the next one is not known.

    Nothing is computed across a break of a series (`cripto.market.identity.parted`). A candle up to which the
    price has stood still as far as its features look is left out: a market that is halted or dead moves no more,
    which is no skill to know.
    """
    apart, broken = _parts_apart(candles)
    features = build(apart, spec, interval)
    targets = next_log_return(apart, interval)
    rows = features.join(targets, on=["symbol", "time"], how="left", maintain_order="left")
    rows = rows.drop_nulls(list(spec.names))
    still = _standing_still(apart, spec.lookback)
    if len(still):
        rows = rows.join(still, on=["symbol", "time"], how="anti", maintain_order="left")
    if broken:
        rows = rows.with_columns(pl.col("symbol").str.split(_PART_OF).list.first())
    return rows


def _standing_still(candles: pl.DataFrame, lookback: int) -> pl.DataFrame:
    """``symbol, time`` of candles that close where all of the ``lookback - 1`` before them did."""
    close = pl.col("close")
    same = close.rolling_max(lookback) == close.rolling_min(lookback)
    return (
        candles.sort("symbol", "time")
        .select("symbol", "time", same.over("symbol").alias("same"))
        .filter("same")
        .drop("same")
    )


def _parts_apart(candles: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """The candles with each part of a broken series under a name of its own, and whether there is any."""
    parts = parted(candles)
    if not (parts[PART] > 0).any():
        return candles, False
    return parts.with_columns(pl.concat_str("symbol", PART, separator=_PART_OF).alias("symbol")).drop(PART), True


def to_datetime(time: np.datetime64) -> datetime:
    """A numpy UTC time as a UTC-aware ``datetime``."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=int(time.astype("datetime64[us]").astype(np.int64))
    )
