"""Which bars are too odd to enter unchecked, and whether two exchanges tell the same. Pure.

The bounds come from real candles (docs/exchanges.md has the figures): in 66,702 daily and 667,669 hourly bars of
Binance no open is further than 6.8 % from the close before it; closes move by at most 34 % in an hour and 45 % in
four; by day all but one of 66,702 stay below 2.1 times (DOGE's 4.9 of 2021-01-28 is the one).

They are wider than those of `cripto.market.oddities`, which only make a remark (docs/adr/0019).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from cripto.domain.interval import Interval
from cripto.market.schema import PRICES

__all__ = [
    "AGREEMENT",
    "OPEN_JUMP",
    "Bar",
    "Close",
    "Doubt",
    "agree",
    "close_jump",
    "close_to",
    "doubt",
    "doubted",
    "is_possible",
]

OPEN_JUMP = 1.25
"""An open this many times the close before it, or its inverse, is doubted."""
AGREEMENT = 1.10
"""Opens and closes of two exchanges agree within this factor (at most 1.064 by day, Binance and Bitstamp)."""

_CLOSE_JUMPS = ((3600, 1.5), (43200, 2.0), (86400, 3.0))

Bar = Mapping[str, Any]
"""A candle by column."""


@dataclass(frozen=True, slots=True)
class Close:
    """The close of the candle that opened at ``time``, as ``source`` told it."""

    time: datetime
    price: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a bar is doubted: ``zero`` if a price is missing, zero or below, else a jump."""

    zero: bool
    detail: str


def close_jump(interval: Interval) -> float:
    """A close this many times the one before it, or its inverse, is doubted."""
    return next(factor for seconds, factor in _CLOSE_JUMPS if interval.seconds <= seconds)


def doubted(candles: pl.DataFrame, before: Close | None, interval: Interval) -> bool:
    """Whether `doubt` doubts any of these candles, sorted by time, each held against the one before it."""
    earlier = pl.col("close").shift(1, fill_value=None if before is None else before.price)
    since = pl.col("time") - pl.col("time").shift(1, fill_value=None if before is None else before.time)
    passed = (since.dt.total_seconds() / interval.seconds).clip(1)
    wide = math.log(close_jump(interval)) * passed.sqrt()
    narrow = pl.when(passed > 1).then(wide).otherwise(math.log(OPEN_JUMP))
    zero = [~(pl.col(name).is_finite() & (pl.col(name) > 0)).fill_null(False) for name in PRICES]
    jumps = [
        (_distance(pl.col(name), earlier) > bound).fill_null(False)
        for name, bound in (("close", wide), ("open", narrow))
    ]
    return bool(candles.select(pl.any_horizontal(*zero, *jumps).any()).item())


def doubt(bar: Bar, before: Close | None, interval: Interval) -> Doubt | None:
    """Why a bar is doubted, if it is; after missing candles, bounds are wider by the root of their number."""
    if not all(_is_price(bar[name]) for name in PRICES):
        return Doubt(True, " ".join(f"{name}={bar[name]}" for name in PRICES))
    if before is None or not _is_price(before.price):
        return None
    passed = max(1.0, (bar["time"] - before.time).total_seconds() / interval.seconds)
    wide = math.log(close_jump(interval)) * math.sqrt(passed)
    for name, bound in (("close", wide), ("open", wide if passed > 1 else math.log(OPEN_JUMP))):
        if abs(math.log(bar[name] / before.price)) > bound:
            return Doubt(False, f"{name}={bar[name]} after close={before.price}")
    return None


def agree(bar: Bar, other: Bar) -> bool:
    """Whether open and close of two bars are prices, and the same within `AGREEMENT`."""
    return all(close_to(bar[name], other[name]) for name in ("open", "close"))


def close_to(one: float | None, other: float | None) -> bool:
    """Whether both are prices, and the same within `AGREEMENT`."""
    if one is None or other is None or not (_is_price(one) and _is_price(other)):
        return False
    return max(one / other, other / one) <= AGREEMENT


def is_possible(bar: Bar) -> bool:
    """Whether a bar keeps the rules that validation has for its own values."""
    prices, volume = [bar[name] for name in PRICES], bar["volume"]
    return (
        all(_is_price(price) for price in prices)
        and bar["low"] == min(prices)
        and bar["high"] == max(prices)
        and volume is not None
        and math.isfinite(volume)
        and volume >= 0
    )


def _is_price(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _distance(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return (one.log() - other.log()).abs()
