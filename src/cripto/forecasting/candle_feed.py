"""The candles that are served: the last of every asset, read again only when the lake has moved on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

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


class CandleFeed:
    """Windows of one interval, each asset in the first of ``quotes`` it has."""

    def __init__(self, lake: CandleLake, interval: Interval, quotes: Sequence[str]) -> None:
        self._lake = lake
        self._interval = interval
        self._quotes = tuple(quotes)

    def read(self, lookback: int, held: HeldCandles | None) -> HeldCandles:
        """The lake's last candles: ``held`` itself where it is of this lookback and nothing has changed.

        Raises what the lake raises.
        """
        version = self._lake.version()
        if held is not None and (held.version, held.lookback) == (version, lookback):
            return held
        frame = preferred_series(self._lake.recent(self._interval.name, lookback), self._quotes)
        candles = self.cut(frame, lookback, version)
        _LOG.info("candles of %d assets were read, lake version %s", len(candles.windows.last_opens), version)
        return candles

    def cut(self, frame: pl.DataFrame, lookback: int, version: int | None = None) -> HeldCandles:
        """Cut ``frame``, one series per asset by symbol and time, into windows."""
        return HeldCandles(read_windows(frame, self._interval, lookback), frame, lookback, version)
