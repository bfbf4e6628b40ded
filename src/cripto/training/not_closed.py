"""Candles that have not closed: whoever wrote them had a clock that was ahead. Nothing is learned from them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cripto.domain.interval import Interval
from cripto.market.lake import CandleLake
from cripto.training.leaks import listed

__all__ = ["NotClosed", "not_closed"]


@dataclass(frozen=True, slots=True)
class NotClosed:
    """How many candles of the lake close after now, and of which assets, sorted."""

    candles: int = 0
    assets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.candles > 0

    def __str__(self) -> str:
        return (
            f"left out, since they have not closed yet: {self.candles} candles of {listed(self.assets)}"
            " (`cripto candles check` tells)"
        )

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {"candles": self.candles, "assets": list(self.assets)}


def not_closed(lake: CandleLake, interval: Interval, now: datetime, version: int | None = None) -> NotClosed:
    """The candles of ``interval``, in any quote, that close after ``now`` (UTC), of one version or the last."""
    found = lake.read(interval.name, since=interval.floor(now), version=version)
    return NotClosed(len(found), tuple(found["symbol"].unique().sort()))
