"""The candles that are served: the last of every asset, read again only when the lake has moved on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from cripto.domain.interval import Interval
from cripto.forecasting.windows import Windows, read_windows
from cripto.market.lake import CandleLake
from cripto.market.selection import preferred_series

__all__ = ["CandleFeed", "HeldCandles"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldCandles:
    """Every asset's last ``lookback`` candles, cut and as they were read, and the lake's version if from there."""

    windows: Windows
    frame: pl.DataFrame
    lookback: int
    version: int | None


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read last, the lake's frame it was cut from, and the latest version that holds the same."""

    candles: HeldCandles
    recent: pl.DataFrame
    version: int | None


class CandleFeed:
    """Windows of one interval, each asset in the first of ``quotes`` it has."""

    def __init__(self, lake: CandleLake, interval: Interval, quotes: Sequence[str]) -> None:
        self._lake = lake
        self._interval = interval
        self._quotes = tuple(quotes)
        self._last: _Read | None = None

    def read(self, lookback: int, held: HeldCandles | None) -> HeldCandles:
        """The lake's last candles: ``held`` itself where it is of this lookback and nothing has changed.

        Raises what the lake raises.
        """
        version = self._lake.version()
        last = self._last if self._last is not None and self._last.candles is held else None
        if held is not None and version == (last or held).version and lookback == held.lookback:
            return held
        recent = self._lake.recent(self._interval.name, lookback)
        if last is not None and last.recent is recent and last.candles.lookback == lookback:
            # what was committed is of another interval: the lake gave the very frame that it gave before
            self._last = replace(last, version=version)
            return last.candles
        candles = self.cut(preferred_series(recent, self._quotes), lookback, version)
        self._last = _Read(candles, recent, version)
        assets = len(candles.windows.last_opens)
        _LOG.info("%s candles of %d assets were read, lake version %s", self._interval, assets, version)
        return candles

    def cut(self, frame: pl.DataFrame, lookback: int, version: int | None = None) -> HeldCandles:
        """Cut ``frame``, one series per asset by symbol and time, into windows."""
        return HeldCandles(read_windows(frame, self._interval, lookback), frame, lookback, version)
