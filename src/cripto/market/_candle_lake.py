"""The protocol every lake of candles keeps, and what an upsert says it did."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import polars as pl

from cripto.domain.candle import Series
from cripto.errors import InvalidInput

__all__ = ["KEPT", "CandleLake", "Optimization", "Told", "Upsert", "retention_hours", "series_of"]

KEPT = timedelta(days=30)
"""For how long `CandleLake.optimize` leaves a file that no later version holds, unless it is told otherwise."""
Told = Callable[[str, int, int], None]
"""Hears a step as it begins, how many are done and how many there are."""

_LEAST_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Upsert:
    """How many candles were new, changed and as they were, and the lake's version now (``None``: no table).

    ``series`` tells the same counts by (symbol, quote, interval).
    """

    inserted: int
    updated: int
    unchanged: int
    version: int | None
    series: Mapping[tuple[str, str, str], tuple[int, int, int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Optimization:
    """How many files the candles lay in before and lie in now, how many old ones were removed, and the version.

    ``version`` is the lake's afterwards, ``None`` if there is no table.
    """

    files_before: int
    files: int
    removed: int
    version: int | None


class CandleLake(Protocol):
    """All candles, keyed by symbol, quote, interval and time; the last write of a key wins.

    Every method blocks; call it off the event loop. Besides what each says it raises, any may raise
    `StorageUnavailable` (try again), `StorageDenied` (credentials), `ObjectNotFound` (a file of the table is gone)
    and `OperatorError` (what lies there is damaged, or no candle table).
    """

    def version(self) -> int | None:
        """The number of the latest commit; ``None`` while there is no table.

        Cheap to ask again and again of one lake: a request of a small file, while nothing was committed. A table
        that was removed, or made anew with fewer commits, is noticed at the tenth look at the latest.
        """
        ...

    def upsert(self, candles: pl.DataFrame, *, replace: bool = True) -> Upsert:
        """Write what differs from what is held; commit nothing if nothing does.

        Without ``replace`` only new candles are written, and those that are held stay as they are, whoever wrote
        them and however late: they count as unchanged.
        Of rows with the same key the last wins. Safe against other writers. A large frame is committed in parts,
        in order of time, so a killed upsert leaves whole candles and may be repeated. Raises `InvalidInput` for a
        frame without the columns of ``cripto.market.schema`` or with nulls, `WriteConflict` if others kept
        winning.
        """
        ...

    def read(
        self,
        interval: str,
        *,
        symbols: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
    ) -> pl.DataFrame:
        """Candles of one interval, all columns, sorted by symbol, quote and time; empty if there are none.

        ``symbols`` restricts them (``None``: all), ``since`` to those that open then or later, ``until`` to those
        that open before. ``version`` reads the lake as it was; `InvalidInput` if it never had that version.
        """
        ...

    def files(self, interval: str, version: int) -> list[str] | None:
        """The Parquet files that hold the candles of one interval in a version, for readers of other libraries.

        Absolute paths, or URIs with their scheme; each holds all columns but ``interval``, and nothing that the
        version does not. ``None`` where plain Parquet does not tell the whole: the lake has no files, or its table
        uses features (deletion vectors, renamed columns) that only a reader of Delta understands; then `read`
        does. `InvalidInput` if there never was that version.
        """
        ...

    def recent(self, interval: str, candles: int) -> pl.DataFrame:
        """The last ``candles`` candles of every series of one interval, columns and order as `read`'s."""
        ...

    def spans(
        self, interval: str, *, since: datetime | None = None, leaving_out: Collection[str] = ()
    ) -> list[Series]:
        """The unbroken runs of candles of every series of one interval, sorted by symbol, quote and time.

        A series without a gap is one run. Only candles that open at ``since`` or later count, and none whose
        ``source`` is among ``leaving_out``.
        """
        ...

    def optimize(self, *, keep: timedelta = KEPT, told: Told | None = None) -> Optimization:
        """Write small files together, sum up the log, and remove files that none of the last versions holds.

        No candle changes. Every version that was current within the last ``keep`` (seven days at least, else
        `InvalidInput`) can still be read, older ones no more. Safe beside readers and writers (`WriteConflict` if
        they kept winning), safe to kill at any moment, and nothing new the second time.
        """
        ...

    def series(self, interval: str | None = None, *, since: datetime | None = None) -> list[Series]:
        """Every series, of one interval or of all, sorted by symbol, quote and interval.

        ``since`` looks at candles that open then (UTC) or later alone: little to read where that is lately.
        """
        ...


def retention_hours(keep: timedelta) -> int:
    """Hours; raise `InvalidInput` for less than seven days, in which a slow reader or writer may need a file."""
    if keep < _LEAST_KEPT:
        raise InvalidInput(f"files are kept for {_LEAST_KEPT.days} days at least")
    return int(keep.total_seconds() // 3600)


def series_of(spans: pl.DataFrame) -> list[Series]:
    """The series that rows of symbol, quote, interval, first, last and candles describe, sorted."""
    return [
        Series(symbol, quote, interval, first.astimezone(UTC), last.astimezone(UTC), candles)
        for symbol, quote, interval, first, last, candles in spans.sort("symbol", "quote", "interval", "first")
        .select("symbol", "quote", "interval", "first", "last", "candles")
        .iter_rows()
    ]
