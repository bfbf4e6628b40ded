"""The input of a forecast: the last candles of an asset, proved whole, with their digest."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import attrgetter

import numpy as np
import polars as pl

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.domain.interval import Interval
from cripto.errors import CriptoError, HistoryGap, InsufficientHistory

__all__ = ["LastCandle", "Window", "Windows", "read_windows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = ("open", "high", "low", "close", "volume")
_BYTES = np.dtype([("time", "<i8"), ("numbers", "<f8", (len(_NUMBERS),))])


@dataclass(frozen=True, slots=True)
class Window:
    """The last ``lookback`` candles of one asset, without a gap.

    ``digest`` is ``sha256:`` and the SHA-256, in hexadecimal, of: symbol, quote and interval in UTF-8, each
    followed by a line feed; then per candle, oldest first, 48 bytes: its open time as int64 microseconds since
    1970-01-01T00:00Z and open, high, low, close, volume as float64, all little-endian.
    """

    symbol: str
    quote: str
    interval: Interval
    opened: datetime
    price: float
    source: str
    sample: bool
    digest: str
    candles: pl.DataFrame = field(repr=False, compare=False)

    @property
    def closed(self) -> datetime:
        """The close of the last candle: the moment the forecast is made for."""
        return self.interval.close_of(self.opened)


@dataclass(frozen=True, slots=True)
class LastCandle:
    """Where one asset's candles end, be they enough for a window or not: the last one's open (UTC) and source.

    ``sample`` is whether any of its last ``lookback`` candles is of the bundled sample.
    """

    symbol: str
    quote: str
    opened: datetime
    source: str
    sample: bool


@dataclass(frozen=True)
class Windows:
    """Every asset's window, or why it has none; and where each one's candles end, sorted by symbol."""

    by_symbol: Mapping[str, Window | CriptoError]
    last_candles: Sequence[LastCandle]

    @cached_property
    def last_opens(self) -> Mapping[str, datetime]:
        """When each asset's last candle opened (UTC)."""
        return {last.symbol: last.opened for last in self.last_candles}

    def after(self, symbol: str, limit: int) -> Sequence[LastCandle]:
        """The first ``limit`` assets that sort after ``symbol``, which need not be one; all do after ``""``."""
        start = bisect_right(self.last_candles, symbol, key=attrgetter("symbol"))
        return self.last_candles[start : start + limit]

    def busiest(self, count: int) -> list[str]:
        """At most ``count`` assets that have a window: all, or those with the largest last close times volume.

        Quotes are not converted: where there are several, those of the larger unit come first.
        """
        windows = [window for window in self.by_symbol.values() if isinstance(window, Window)]
        if len(windows) > count:
            windows = sorted(windows, key=_turnover, reverse=True)[:count]
        return [window.symbol for window in windows]


def _turnover(window: Window) -> float:
    return window.price * float(window.candles["volume"][-1])


def read_windows(candles: pl.DataFrame, interval: Interval, lookback: int) -> Windows:
    """Cut the window of every symbol from ``candles``: one series per symbol, sorted by symbol and time.

    An asset with too few candles gets an `InsufficientHistory` and one with a gap among its last ``lookback``
    a `HistoryGap` (the latest gap) instead of a window.
    """
    by_symbol: dict[str, Window | CriptoError] = {}
    last_candles: list[LastCandle] = []
    times = candles["time"].dt.epoch("us").to_numpy()
    for symbol, first, stop in _runs(candles["symbol"]):
        start = max(first, stop - lookback)
        tail = candles.slice(start, stop - start)
        last = _last_candle(tail, symbol, times[stop - 1])
        last_candles.append(last)
        if stop - start < lookback:
            by_symbol[symbol] = InsufficientHistory(symbol, stop - start, lookback)
            continue
        gap = _latest_gap(times[start:stop], interval)
        if gap is not None:
            by_symbol[symbol] = HistoryGap(symbol, *gap)
            continue
        by_symbol[symbol] = _window(tail, times[start:stop], last, interval)
    return Windows(by_symbol, tuple(sorted(last_candles, key=attrgetter("symbol"))))


def _last_candle(candles: pl.DataFrame, symbol: str, opened: int) -> LastCandle:
    return LastCandle(
        symbol=symbol,
        quote=str(candles["quote"][-1]),
        opened=_moment(opened),
        source=str(candles["source"][-1]),
        sample=bool((candles["source"] == SAMPLE_SOURCE).any()),
    )


def _window(
    candles: pl.DataFrame,
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    last: LastCandle,
    interval: Interval,
) -> Window:
    rows = np.empty(len(times), dtype=_BYTES)
    rows["time"] = times
    for column, name in enumerate(_NUMBERS):
        rows["numbers"][:, column] = candles[name].to_numpy()
    header = "".join(f"{part}\n" for part in (last.symbol, last.quote, interval.name))
    return Window(
        symbol=last.symbol,
        quote=last.quote,
        interval=interval,
        opened=last.opened,
        price=float(candles["close"][-1]),
        source=last.source,
        sample=last.sample,
        digest=f"sha256:{hashlib.sha256(header.encode() + rows.tobytes()).hexdigest()}",
        candles=candles,
    )


def _runs(symbols: pl.Series) -> Iterator[tuple[str, int, int]]:
    lengths = symbols.rle().struct.unnest()
    start = 0
    for length, symbol in zip(lengths["len"].to_list(), lengths["value"].to_list(), strict=True):
        yield symbol, start, start + length
        start += length


def _latest_gap(
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]", interval: Interval
) -> tuple[datetime, datetime] | None:
    wide = np.flatnonzero(np.diff(times) != interval.seconds * 1_000_000)
    if wide.size == 0:
        return None
    return _moment(times[wide[-1]]), _moment(times[wide[-1] + 1])


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))
