"""The candles that are served: the last of every asset, read again only when the lake has moved on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from cripto.domain.interval import Interval
from cripto.domain.steps import step
from cripto.forecasting.windows import Windows, read_windows
from cripto.market.identity import after_last_break
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.market.selection import asset_series

__all__ = ["CandleFeed", "HeldCandles"]

_LOG = logging.getLogger(__name__)
_NOTHING_LISTED = Listings()


@dataclass(frozen=True, slots=True)
class HeldCandles:
    """Every asset's last ``lookback`` candles, cut and as they were read, and the lake's version if from there.

    ``listings`` are what exchanges were known to say of them.
    """

    windows: Windows
    frame: pl.DataFrame
    lookback: int
    version: int | None
    listings: Listings = field(default=_NOTHING_LISTED, repr=False)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read last, the lake's frame it was cut from, and the latest version that holds the same."""

    candles: HeldCandles
    recent: pl.DataFrame
    version: int | None


class CandleFeed:
    """Windows of one interval, each asset in the first of ``quotes`` it has, from its last break on."""

    def __init__(self, lake: CandleLake, interval: Interval, quotes: Sequence[str]) -> None:
        self._lake = lake
        self._interval = interval
        self._quotes = tuple(quotes)
        self._last: _Read | None = None

    def read(self, lookback: int, held: HeldCandles | None, listings: Listings = _NOTHING_LISTED) -> HeldCandles:
        """The lake's last candles: ``held`` itself where it is of this lookback and nothing has changed.

        Raises what the lake raises.
        """
        version = self._lake.version()
        same = (
            held is not None
            and held.lookback == lookback
            and (held.listings is listings or held.listings.meaning == listings.meaning)
        )
        last = self._last if self._last is not None and self._last.candles is held else None
        if held is not None and same and version == (last or held).version:
            return held
        with step("candles.read"):
            recent = self._lake.recent(self._interval.name, lookback)
            if last is not None and same and last.recent is recent:
                # what was committed is of another interval: the lake gave the very frame that it gave before
                self._last = replace(last, version=version)
                return last.candles
            frame = after_last_break(asset_series(recent, self._quotes, listings))
            candles = self.cut(frame, lookback, version, listings)
        self._last = _Read(candles, recent, version)
        assets = len(candles.windows.last_opens)
        _LOG.info("%s candles of %d assets were read, lake version %s", self._interval, assets, version)
        return candles

    def cut(
        self,
        frame: pl.DataFrame,
        lookback: int,
        version: int | None = None,
        listings: Listings = _NOTHING_LISTED,
    ) -> HeldCandles:
        """Cut ``frame``, one series per asset by symbol and time, into windows."""
        windows = read_windows(frame, self._interval, lookback, listings)
        return HeldCandles(windows, frame, lookback, version, listings)
