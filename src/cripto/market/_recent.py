"""The last candles of every series, and how a later version's follow from an earlier one's.

Candles are added and revised, never taken away. So of a later version only what is no older than the files that
came or went has to be read; whatever is older was read before. That keeps a look after an append a small read,
however long the history, and however long ago a series stopped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from deltalake import DeltaTable

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.market.schema import sorted_by

__all__ = ["HeldRecent", "Span", "continued", "last_of_each", "spans_of"]

_STATISTICS_ROUND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """The opens of a file's first and last candle (UTC), within a millisecond."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class HeldRecent:
    """The last ``candles`` candles of every series of an interval, and the files they were read from."""

    table: str
    candles: int
    files: Mapping[str, Span]
    frame: pl.DataFrame


def spans_of(table: DeltaTable, interval: str) -> dict[str, Span] | None:
    """The span of every file of one interval by its path; ``None`` if a file's statistics do not say."""
    files = pl.DataFrame(table.get_add_actions(flatten=True))
    if files.is_empty():
        return {}
    needed = ("path", "min.time", "max.time")
    if not {*needed, "partition.interval"} <= set(files.columns):
        return None
    mine = files.filter(pl.col("partition.interval") == interval).select(needed)
    if mine.null_count().sum_horizontal().item():
        return None
    return {path: Span(first, last) for path, first, last in mine.iter_rows()}


def last_of_each(candles: pl.DataFrame, count: int) -> pl.DataFrame:
    """The last ``count`` candles of every series, by symbol, quote and time."""
    ordered = sorted_by(candles, "symbol", "quote", "time")
    return ordered.group_by("symbol", "quote", maintain_order=True).tail(count).select(CANDLE_COLUMNS)


def continued(
    held: HeldRecent, files: Mapping[str, Span], step: timedelta, read: Callable[[datetime], pl.DataFrame]
) -> pl.DataFrame | None:
    """The last candles of the version that lies in ``files``; ``read`` gives all of it from a time on.

    ``None`` where all has to be read anew: a change reaches further back than the last candles of a series that
    is up to date, or candles were taken away after all.
    """
    changed = [{**held.files, **files}[path].first for path in held.files.keys() ^ files.keys()]
    if not changed:
        return held.frame
    since = min(changed) - _STATISTICS_ROUND
    if not held.files or since < max(span.last for span in held.files.values()) - held.candles * step:
        return None
    older = held.frame.filter(pl.col("time") < since)
    found = last_of_each(pl.concat([older, read(since)]), held.candles)
    now = found.group_by("symbol", "quote").len("now")
    counts = held.frame.group_by("symbol", "quote").len("before").join(now, on=["symbol", "quote"], how="left")
    return None if (counts["now"].fill_null(0) < counts["before"]).any() else found
