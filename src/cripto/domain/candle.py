"""What a candle is. Bulk candles live in data frames with these columns; see ``cripto.market.schema``."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["CANDLE_COLUMNS", "CANDLE_KEY", "SAMPLE_SOURCE", "Series"]

CANDLE_COLUMNS = (
    "symbol",
    "quote",
    "interval",
    "time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "source",
)
"""Columns of the candle table, in order; ``time`` is the UTC open."""

CANDLE_KEY = ("symbol", "quote", "interval", "time")
"""The columns that identify one candle."""

SAMPLE_SOURCE = "amostra"
"""``source`` of every candle that comes from the bundled sample."""


@dataclass(frozen=True, slots=True)
class Series:
    """One asset in one quote at one interval, and how far its candles reach (UTC opens)."""

    symbol: str
    quote: str
    interval: str
    first: datetime
    last: datetime
    candles: int
