"""Coarser candles made of finer ones, where every one of these is there; nothing is ever filled in."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.candle import CANDLE_COLUMNS, Series
from cripto.domain.interval import Interval
from cripto.errors import InvalidInput
from cripto.market._upserting import distinct
from cripto.market.lake import CandleLake, Upsert
from cripto.market.schema import CANDLE_SCHEMA, empty_candles

__all__ = ["derive", "derived", "parts_of"]

_KEYS = ("symbol", "quote", "group")
_MICROSECONDS = 1_000_000
_ROWS_AT_ONCE = 500_000
_JOINED = "+"


def parts_of(finer: Interval, coarser: Interval) -> int:
    """How many candles of ``finer`` make one of ``coarser``; raise `InvalidInput` where they do not fit."""
    parts, rest = divmod(coarser.seconds, finer.seconds)
    if rest or parts < 2:
        raise InvalidInput(f"candles of {coarser} cannot be made of those of {finer}")
    return parts


def derived(candles: pl.DataFrame, finer: Interval, coarser: Interval) -> pl.DataFrame:
    """The candles of ``coarser`` that ``candles`` of ``finer`` make whole, by symbol, quote and time.

    Each opens at a multiple of its length since 1970-01-01T00:00Z, and is made only where all its parts are there:
    first open, highest high, lowest low, last close, volumes added up in order of time. ``source`` is that of the
    parts, or their distinct ones by name, joined by ``+``. Of candles with one key the last counts. Raises
    `InvalidInput` for intervals of which one does not divide the other, or candles of another interval.
    """
    parts = parts_of(finer, coarser)
    checked = distinct(candles)
    if set(checked["interval"].unique()) - {finer.name}:
        raise InvalidInput(f"these are not all candles of {finer}")
    at = pl.col("time").dt.epoch("us")
    length = coarser.seconds * _MICROSECONDS
    whole = (
        # a candle beside the grid is part of nothing
        checked.filter(at % (finer.seconds * _MICROSECONDS) == 0)
        .with_columns(group=at - at % length)
        .filter(pl.len().over(_KEYS) == parts)
        .sort(*_KEYS, "time")
    )
    if whole.is_empty():
        return empty_candles()
    columns = {
        name: whole[name].to_numpy().reshape(-1, parts) for name in ("open", "high", "low", "close", "volume")
    }
    firsts = whole.gather_every(parts)
    return firsts.with_columns(
        pl.lit(coarser.name, pl.String).alias("interval"),
        pl.col("group").cast(pl.Datetime("us", "UTC")).alias("time"),
        pl.Series("open", columns["open"][:, 0]),
        pl.Series("high", columns["high"].max(axis=1)),
        pl.Series("low", columns["low"].min(axis=1)),
        pl.Series("close", columns["close"][:, -1]),
        pl.Series("volume", _summed(columns["volume"])),
        pl.Series("source", _sources(whole["source"], parts), pl.String),
    ).match_to_schema(CANDLE_SCHEMA, extra_columns="ignore")[list(CANDLE_COLUMNS)]


def derive(
    lake: CandleLake,
    finer: Interval,
    coarser: Interval,
    since: datetime | None = None,
    *,
    replace: bool = False,
    told: Callable[[int, int], None] = lambda *_: None,
    rows_at_once: int = _ROWS_AT_ONCE,
) -> Upsert:
    """Write into ``lake`` the candles of ``coarser`` that its candles of ``finer`` make whole.

    From the coarser candle on that holds ``since`` (UTC), or all of them. Without ``replace`` candles that are
    there already stay as they are: one of an exchange cannot be told from one that was derived. About
    ``rows_at_once`` candles are held at a time; ``told`` hears how many parts of the work are done, and how many
    there are. Safe to kill and to repeat, and beside other writers. Raises `InvalidInput` for intervals that do
    not fit, and what the lake raises.
    """
    parts = parts_of(finer, coarser)
    begin = None if since is None else coarser.floor(since)
    series = lake.series(finer.name, since=begin)
    inserted = updated = unchanged = 0
    pieces = list(_pieces(series, coarser, max(1, rows_at_once // parts)))
    for place, (symbols, first, end) in enumerate(pieces):
        told(place, len(pieces))
        found = lake.read(finer.name, symbols=symbols, since=first, until=end)
        change = lake.upsert(derived(found, finer, coarser), replace=replace)
        inserted, updated = inserted + change.inserted, updated + change.updated
        unchanged += change.unchanged
    told(len(pieces), len(pieces))
    return Upsert(inserted, updated, unchanged, lake.version())


def _pieces(
    series: Sequence[Series], coarser: Interval, candles: int
) -> Iterator[tuple[list[str], datetime, datetime]]:
    """Symbols, the first open and the one to stop before, of about ``candles`` coarser candles each."""
    # the files of a lake lie in order of time: few stretches of many assets are less to read than the reverse
    for start in range(0, len(series), candles):
        some = series[start : start + candles]
        symbols = sorted({one.symbol for one in some})
        first, last = coarser.floor(min(one.first for one in some)), max(one.last for one in some)
        step = coarser.step * max(1, candles // len(some))
        while first <= last:
            yield symbols, first, first + step
            first += step


def _summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums of the rows, added from left to right: the same bits however many rows there are."""
    total = values[:, 0].copy()
    for column in values.T[1:]:
        total += column
    return total


def _sources(sources: pl.Series, parts: int) -> list[str]:
    """Of each ``parts`` sources the one they are, or all of them."""
    names = sources.unique().sort().to_list()
    codes: NDArray[Any] = sources.cast(pl.Enum(names)).to_physical().to_numpy().reshape(-1, parts)
    known: dict[tuple[int, ...], str] = {}
    found = [names[code] for code in codes[:, 0]]
    for row in np.flatnonzero((codes != codes[:, :1]).any(axis=1)):
        mixed = tuple(np.unique(codes[row]).tolist())
        if mixed not in known:
            each = {part for code in mixed for part in names[code].split(_JOINED)}
            known[mixed] = _JOINED.join(sorted(each))
        found[row] = known[mixed]
    return found
