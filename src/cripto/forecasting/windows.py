"""The input of a forecast: the last candles of an asset, proved whole, with their digest."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from operator import attrgetter

import numpy as np
import polars as pl

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.domain.interval import Interval
from cripto.errors import CriptoError, HistoryGap, InsufficientHistory, RetiredAsset
from cripto.forecasting._turns import in_turns
from cripto.market.identity import RENAMES
from cripto.market.listings import Listings

__all__ = ["LastCandle", "Window", "Windows", "candles_of", "read_windows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = ("open", "high", "low", "close", "volume")
_CLOSE, _VOLUME = _NUMBERS.index("close"), _NUMBERS.index("volume")
_HASHED_AT_ONCE = 2000  # from 2,048 bytes on hashlib lets go of the interpreter, see `read_windows`
_NOTHING_LISTED = Listings()
_BYTES = np.dtype([("time", "<i8"), ("numbers", "<f8", (len(_NUMBERS),))])


@dataclass(frozen=True, slots=True)
class Window:
    """The last ``lookback`` candles of one asset, without a gap.

    ``digest`` is ``sha256:`` and the SHA-256, in hexadecimal, of: symbol, quote and interval in UTF-8, each
    followed by a line feed; then per candle, oldest first, 48 bytes: its open time as int64 microseconds since
    1970-01-01T00:00Z and open, high, low, close, volume as float64, all little-endian. ``pair`` and ``factor`` say
    what the last candle was normalised from, where that is not the coin itself (`cripto.market.listings.Listing`).
    """

    symbol: str
    quote: str
    interval: Interval
    opened: datetime
    price: float
    source: str
    sample: bool
    digest: str
    pair: str | None
    factor: int
    turnover: float = field(repr=False, compare=False)
    """Last close times volume."""
    _frame: pl.DataFrame = field(repr=False, compare=False)
    _rows: tuple[int, int] = field(repr=False, compare=False)

    @property
    def candles(self) -> pl.DataFrame:
        """The candles, by time."""
        start, stop = self._rows
        return self._frame.slice(start, stop - start)

    @property
    def closed(self) -> datetime:
        """The close of the last candle: the moment the forecast is made for."""
        return self.interval.close_of(self.opened)


@dataclass(frozen=True, slots=True)
class LastCandle:
    """Where one asset's candles end, be they enough for a window or not: the last one's open (UTC) and source.

    ``sample`` is whether any of its last ``lookback`` candles is of the bundled sample, ``retired`` whether no
    exchange trades it any more.
    """

    symbol: str
    quote: str
    opened: datetime
    source: str
    sample: bool
    retired: bool = False


@dataclass(frozen=True)
class Windows:
    """Every asset's window, or why it has none; and where each one's candles end, sorted by symbol.

    ``aliases`` are other names that are answered for: old tickers and multiples, to the symbol each stands for.
    """

    by_symbol: Mapping[str, Window | CriptoError]
    last_candles: Sequence[LastCandle]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def last_opens(self) -> Mapping[str, datetime]:
        """When each asset's last candle opened (UTC)."""
        return {last.symbol: last.opened for last in self.last_candles}

    def resolve(self, asset: str) -> str:
        """The symbol that an upper-case name stands for: itself, if it is no alias."""
        return self.aliases.get(asset, asset)

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
            windows = sorted(windows, key=attrgetter("turnover"), reverse=True)[:count]
        return [window.symbol for window in windows]


def candles_of(windows: Sequence[Window]) -> pl.DataFrame:
    """The candles of one or more windows, one after the other."""
    frame = windows[0]._frame
    if any(window._frame is not frame for window in windows):
        return pl.concat([window.candles for window in windows])
    rows = [window._rows for window in windows]
    if all(stop == start for (_, stop), (start, _) in pairwise(rows)):
        start, stop = rows[0][0], rows[-1][1]
        return frame.slice(start, stop - start)
    return frame[[row for start, stop in rows for row in range(start, stop)]]


def read_windows(
    candles: pl.DataFrame, interval: Interval, lookback: int, listings: Listings = _NOTHING_LISTED
) -> Windows:
    """Cut the window of every symbol from ``candles``: one series per symbol, sorted by symbol and time.

    An asset that is retired by ``listings`` gets a `RetiredAsset`, one with too few candles an
    `InsufficientHistory`, and one with a gap among its last ``lookback`` a `HistoryGap` (the latest gap) instead
    of a window.
    """
    by_symbol: dict[str, Window | CriptoError] = {}
    last_candles: list[LastCandle] = []
    # Columns are taken over whole. A call into polars for each asset would let go of the interpreter and take it
    # again thousands of times, too quickly for a thread that waits for it, as the one that answers requests does.
    runs = list(_runs(candles["symbol"]))
    columns = _Columns(candles, [stop - 1 for _, _, stop in runs], listings)
    for place, (symbol, first, stop) in in_turns(enumerate(runs)):
        start = max(first, stop - lookback)
        last = columns.last(place, symbol, start, stop)
        last_candles.append(last)
        if last.retired:
            exchanges = [item.exchange for item in listings.of(symbol, last.quote)]
            by_symbol[symbol] = RetiredAsset(symbol, last.quote, exchanges, interval.close_of(last.opened))
            continue
        if stop - start < lookback:
            by_symbol[symbol] = InsufficientHistory(symbol, stop - start, lookback)
            continue
        gap = _latest_gap(columns.times[start:stop], interval)
        by_symbol[symbol] = (
            columns.window(last, start, stop, interval) if gap is None else HistoryGap(symbol, *gap)
        )
    aliases = {
        name: symbol
        for name, symbol in {**listings.aliases, **RENAMES}.items()
        if symbol in by_symbol and name not in by_symbol
    }
    return Windows(by_symbol, tuple(sorted(last_candles, key=attrgetter("symbol"))), aliases)


class _Columns:
    """A frame's columns as arrays, and what its ``lasts`` rows say in words."""

    def __init__(self, frame: pl.DataFrame, lasts: list[int], listings: Listings) -> None:
        self._frame = frame
        self._listings = listings
        self._bytes = np.empty(len(frame), dtype=_BYTES)
        self._bytes["time"] = self.times = frame["time"].dt.epoch("us").to_numpy()
        for column, name in enumerate(_NUMBERS):
            self._bytes["numbers"][:, column] = frame[name].to_numpy()
        self._quotes = frame["quote"].gather(lasts).to_list()
        self._sources = frame["source"].gather(lasts).to_list()
        # how many candles up to each row are of the sample
        self._samples = np.concatenate([[0], np.cumsum((frame["source"] == SAMPLE_SOURCE).to_numpy())])

    def last(self, place: int, symbol: str, start: int, stop: int) -> LastCandle:
        return LastCandle(
            symbol=symbol,
            quote=self._quotes[place],
            opened=_moment(self.times[stop - 1]),
            source=self._sources[place],
            sample=bool(self._samples[stop] > self._samples[start]),
            retired=self._listings.retired(symbol, self._quotes[place]),
        )

    def window(self, last: LastCandle, start: int, stop: int, interval: Interval) -> Window:
        digest = hashlib.sha256("".join(f"{part}\n" for part in (last.symbol, last.quote, interval.name)).encode())
        data = self._bytes[start:stop].tobytes()
        for place in range(0, len(data), _HASHED_AT_ONCE):
            digest.update(data[place : place + _HASHED_AT_ONCE])
        numbers = self._bytes["numbers"][stop - 1]
        close, volume = float(numbers[_CLOSE]), float(numbers[_VOLUME])
        listing = self._listings.listing(last.symbol, last.quote, last.source)
        multiple = None if listing is None or listing.factor == 1 else listing
        return Window(
            symbol=last.symbol,
            quote=last.quote,
            interval=interval,
            opened=last.opened,
            price=close,
            source=last.source,
            sample=last.sample,
            digest=f"sha256:{digest.hexdigest()}",
            pair=None if multiple is None else multiple.pair,
            factor=1 if multiple is None else multiple.factor,
            turnover=close * volume,
            _frame=self._frame,
            _rows=(start, stop),
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
