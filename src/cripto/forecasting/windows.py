"""The input of a forecast: the last candles of an asset, proved whole, with their digest."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.domain.interval import Interval
from cripto.errors import CriptoError, HistoryGap, InsufficientHistory

__all__ = ["Window", "Windows", "read_windows"]

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
class Windows:
    """Every asset's window, or why it has none; and when each one's last candle opened (UTC)."""

    by_symbol: Mapping[str, Window | CriptoError]
    last_opens: Mapping[str, datetime]

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
    last_opens: dict[str, datetime] = {}
    times = candles["time"].dt.epoch("us").to_numpy()
    for symbol, start, stop in _runs(candles["symbol"]):
        last_opens[symbol] = _moment(times[stop - 1])
        available = stop - start
        if available < lookback:
            by_symbol[symbol] = InsufficientHistory(symbol, available, lookback)
            continue
        start = stop - lookback
        gap = _latest_gap(times[start:stop], interval)
        if gap is not None:
            by_symbol[symbol] = HistoryGap(symbol, *gap)
            continue
        by_symbol[symbol] = _window(candles.slice(start, lookback), times[start:stop], symbol, interval)
    return Windows(by_symbol, last_opens)


def _window(
    candles: pl.DataFrame, times: "np.ndarray[tuple[int], np.dtype[np.int64]]", symbol: str, interval: Interval
) -> Window:
    quote = str(candles["quote"][-1])
    rows = np.empty(len(times), dtype=_BYTES)
    rows["time"] = times
    for column, name in enumerate(_NUMBERS):
        rows["numbers"][:, column] = candles[name].to_numpy()
    header = "".join(f"{part}\n" for part in (symbol, quote, interval.name))
    return Window(
        symbol=symbol,
        quote=quote,
        interval=interval,
        opened=_moment(times[-1]),
        price=float(candles["close"][-1]),
        source=str(candles["source"][-1]),
        sample=bool((candles["source"] == SAMPLE_SOURCE).any()),
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
