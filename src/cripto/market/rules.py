"""The rules every candle must keep, and what is only remarked upon. Their names are stable: reports carry them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cripto.domain.interval import Interval
from cripto.market.schema import PRICES

__all__ = ["NOTICES", "RULES", "Rule", "row_rules"]

RULES: Mapping[str, str] = {
    "unreadable": "the line is not text, or not of as many fields as the header",
    "bad_symbol": "symbol or quote is not 1 to 20 letters or digits",
    "bad_time": "the time is missing or cannot be read",
    "not_a_number": "a price or the volume is missing, not a number, or infinite",
    "non_positive": "a price is zero or below",
    "negative_volume": "the volume is below zero",
    "high_too_low": "the high is below the low, the open or the close",
    "low_too_high": "the low is above the high, the open or the close",
    "misaligned": "the time is not the open of a candle of this interval",
    "open_candle": "the candle has not closed yet",
    "future": "the candle has not opened yet",
    "duplicate": "the same candle stands in the file already, with the same values",
    "conflicting": "the same candle stands in the file again, further down, with other values",
}
"""Rules that quarantine a row, and what each says."""

NOTICES: Mapping[str, str] = {
    "unsorted": "the row is earlier than the one before it of the same series",
    "gap": "candles are missing before this one",
    "zero_volume": "nothing was traded",
    "flat": "open, high, low and close are one price",
}
"""What is counted while the row is kept."""

_NUMBERS = (*PRICES, "volume")
_SYMBOL = r"^[A-Z0-9]{1,20}$"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on single rows: its name, the rows that break it, and the offending values as text."""

    name: str
    broken: pl.Expr
    detail: pl.Expr


def row_rules(interval: Interval, now: datetime) -> list[Rule]:
    """The rules a row keeps or breaks by itself, whatever stands around it."""
    open_, high, low, close, volume = (pl.col(name) for name in ("open", "high", "low", "close", "volume"))
    known = pl.all_horizontal(pl.col(name).is_finite() for name in PRICES)
    bad_names = [~pl.col(name).str.contains(_SYMBOL).fill_null(False) for name in ("symbol", "quote")]
    length = interval.seconds * 1_000_000
    instant = pl.lit(now).cast(pl.Datetime("us", "UTC"))
    closes = pl.col("time") + pl.duration(microseconds=length)
    prices = _shown(*PRICES)
    return [
        Rule("bad_symbol", pl.any_horizontal(bad_names), _shown("symbol", "quote")),
        Rule("bad_time", pl.col("time").is_null(), pl.lit("")),
        Rule(
            "not_a_number",
            pl.any_horizontal(~pl.col(name).is_finite().fill_null(False) for name in _NUMBERS),
            _shown(*_NUMBERS),
        ),
        Rule("non_positive", pl.any_horizontal(pl.col(name) <= 0 for name in PRICES), prices),
        Rule("negative_volume", volume < 0, _shown("volume")),
        Rule("high_too_low", known & (high < pl.max_horizontal(open_, low, close)), prices),
        Rule("low_too_high", known & (low > pl.min_horizontal(open_, high, close)), prices),
        Rule("misaligned", pl.col("time").dt.epoch("us") % length != 0, _shown("time")),
        Rule("open_candle", (pl.col("time") <= instant) & (closes > instant), _shown("time")),
        Rule("future", pl.col("time") > instant, _shown("time")),
    ]


def _shown(*names: str) -> pl.Expr:
    """``name=value`` of each column; a missing value shows as ``null``."""
    return pl.concat_str(
        [pl.format(f"{name}={{}}", pl.col(name).cast(pl.String).fill_null("null")) for name in names],
        separator=" ",
    )
