"""What the local exchange knows: its pairs, their candles, its own time, and how it gives pages."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from cripto.domain.interval import INTERVALS

__all__ = ["STALE_ROWS", "Book", "Row"]

STALE_ROWS = 50

Row = tuple[int, float, float, float, float, float]
"""Open time in ms, open, high, low, close, volume."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Book:
    """Candles by symbol, quote and interval (all CANDLE_COLUMNS), told as they stand at ``now``.

    The candle under way at ``now`` is told too, unfinished: its close and volume are not yet what they will be.
    ``overlap``: pages begin that many candles too soon. ``stale``: so many pages are the first 50 candles again.
    ``doubled``: rows come twice. ``delisted``: listed, and not traded. ``vanish_after``: pairs that are gone after
    so many of their pages.
    """

    candles: pl.DataFrame
    now: datetime
    overlap: int = 0
    stale: int = 0
    doubled: bool = False
    delisted: set[str] = field(default_factory=set)
    vanish_after: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def pairs(self) -> list[tuple[str, str]]:
        """Base and quote of what is listed now."""
        found = self.candles.select("symbol", "quote").unique().sort("symbol", "quote").rows()
        return [(base, quote) for base, quote in found if not self._gone(f"{base}/{quote}")]

    def is_listed(self, base: str, quote: str) -> bool:
        return (base, quote) in self.pairs()

    def is_active(self, base: str, quote: str) -> bool:
        return f"{base}/{quote}" not in self.delisted

    def volume(self, base: str, quote: str) -> float:
        """Base volume of the last candle there is."""
        return float(self.candles.filter(symbol=base, quote=quote).sort("time")["volume"][-1])

    def page(
        self, base: str, quote: str, seconds: int, start_ms: int, end_ms: int, size: int, *, last: bool
    ) -> list[Row]:
        """At most ``size`` candles within the times, both inclusive: the first ones, or the ``last``."""
        pair = f"{base}/{quote}"
        self.asked[pair] += 1
        interval = next(item for item in INTERVALS.values() if item.seconds == seconds)
        frame = self.series(base, quote, interval.name)
        frame = frame.filter(pl.col("time") <= self.now)
        times = frame["time"].dt.epoch("ms").to_list()
        rows: list[Row] = [
            (time, *values)
            for time, values in zip(
                times, frame.select("open", "high", "low", "close", "volume").rows(), strict=True
            )
        ]
        if rows and from_ms(rows[-1][0]) + interval.step > self.now:
            time, opened, high, low, _, volume = rows[-1]
            rows[-1] = (time, opened, high, low, (high + low) / 2, volume / 3)
        begin = start_ms - self.overlap * seconds * 1000
        found = [row for row in rows if begin <= row[0] <= end_ms]
        found = found[-size:] if last else found[:size]
        if self.stale > 0:
            self.stale -= 1
            return rows[:STALE_ROWS]
        return [row for row in found for _ in range(2 if self.doubled else 1)]

    def series(self, base: str, quote: str, interval: str) -> pl.DataFrame:
        """All candles of a pair, by time."""
        return self.candles.filter(symbol=base, quote=quote, interval=interval).sort("time")

    def _gone(self, pair: str) -> bool:
        return self.asked[pair] >= self.vanish_after.get(pair, 1_000_000)


def from_ms(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
