"""Which candles are of which coin: multiplied tickers, renamed ones, and ones that were used again.

Pure functions on names and on frames of candles. ``docs/adr/0018`` says why the numbers are what they are.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from cripto.market.schema import PRICES, sorted_by

__all__ = [
    "BREAK_RATIO",
    "PART",
    "RENAMES",
    "after_last_break",
    "listed_asset",
    "normalised",
    "parted",
    "renamed",
]

BREAK_RATIO: Final = 3.0
"""A candle that opens at more than so many times the close before it, or less than one such part, is of another
thing under the same name. The most that 740,910 real pairs of candles show is 1.07, see ``docs/adr/0018``."""

PART: Final = "part"
"""The column that `parted` adds."""

# "1000X" and "1000" name coins of their own: a multiple is of a name of two characters or more that begins with a
# letter. The one that is written with an M is known by name, for 1MILLION is not a million of ILLION.
_MULTIPLE = re.compile(r"(1000|10000|100000|1000000)([A-Z][A-Z0-9]+)", re.ASCII)
_KNOWN_MULTIPLES: Mapping[str, tuple[str, int]] = MappingProxyType({"1MBABYDOGE": ("BABYDOGE", 1_000_000)})

# Each carried out 1 for 1 by a large exchange, on the day it opened the new pairs. What was not 1 for 1 (GAL to G,
# 1 for 60) is not here, nor LUNA to LUNC: the ticker LUNA was given to another coin.
RENAMES: Mapping[str, str] = MappingProxyType(
    {
        # 2024-09-13, Binance: https://coingape.com/binance-announces-matic-to-pol-token-swap-support-is-breakout-imminent
        "MATIC": "POL",
        # 2024-10-31, Binance: https://www.binance.com/cs/square/post/14937325490873
        "KLAY": "KAIA",
        # 2025-01-16, Binance: https://binance.com/en-JP/square/post/17987822306257
        "FTM": "S",
        # 2025-03-19, Binance: https://firsttechspot.com/binaryx-bnx-token-swap-to-form-what-actually-happened-in-march
        "BNX": "FORM",
        # 2025-05-29, OKX: https://ikablog.com/137.html; 1 for 1: https://www.coinjar.com/uk/learn/eos-to-vaulta
        "EOS": "A",
    }
)
"""Old ticker to the new one of the same coin. No new one is an old one."""


def listed_asset(base: str) -> tuple[str, int]:
    """The coin that a pair's base names, and how many of it make one unit of the base.

    ``1000SATS`` is ``("SATS", 1000)``: prices of the pair are divided by 1000, volumes multiplied by it. ``1INCH``
    is itself.
    """
    known = _KNOWN_MULTIPLES.get(base)
    if known is not None:
        return known
    found = _MULTIPLE.fullmatch(base)
    return (base, 1) if found is None else (found[2], int(found[1]))


def normalised(candles: pl.DataFrame, symbol: str, factor: int) -> pl.DataFrame:
    """Candles of a pair, as candles of the coin ``symbol`` of which ``factor`` make one unit of the pair's base.

    Prices are divided, volumes multiplied; nulls stay null.
    """
    named = candles.with_columns(pl.lit(symbol, pl.String).alias("symbol"))
    if factor == 1:
        return named
    return named.with_columns(pl.col(*PRICES) / factor, pl.col("volume") * factor)


def renamed(candles: pl.DataFrame, renames: Mapping[str, str] = RENAMES) -> pl.DataFrame:
    """Give candles of an old name the new one, where there are candles of the new one in any quote.

    Within a quote they are those before the first of the new name; the others are left out, since what is traded
    under the old name after the swap is what nobody exchanged. Candles of one interval, in any order; those that
    come out are sorted by symbol, quote and time if anything was renamed, else as they were.
    """
    symbols = set(candles["symbol"].unique())
    moved = {old: new for old, new in renames.items() if old in symbols and new in symbols}
    if not moved:
        return candles
    old = candles.filter(pl.col("symbol").is_in(list(moved)))
    new = candles.filter(pl.col("symbol").is_in(list(moved.values())))
    begins = new.group_by("symbol", "quote").agg(pl.col("time").min().alias("begins"))
    history = (
        old.with_columns(pl.col("symbol").replace_strict(moved, return_dtype=pl.String))
        .join(begins, on=["symbol", "quote"])
        .filter(pl.col("time") < pl.col("begins"))
        .select(candles.columns)
    )
    rest = candles.filter(~pl.col("symbol").is_in(list(moved)))
    # two old names of one new one may tell the same time
    history = history.unique(["symbol", "quote", "time"], keep="first", maintain_order=True)
    return sorted_by(pl.concat([rest, history]), "symbol", "quote", "time")


def parted(candles: pl.DataFrame) -> pl.DataFrame:
    """Add the column `PART` (UInt32): how many breaks of the price lie before each candle in its series.

    A break is where a candle opens beyond `BREAK_RATIO` of the close before it, whatever lies between the two.
    Values that are no prices break nothing: that is for validation. Any order of rows, which is kept; what comes
    later than a candle changes nothing about it.
    """
    broken = _broken(candles)
    if not broken.any():
        return candles.with_columns(pl.lit(0, pl.UInt32).alias(PART))
    return candles.with_columns(broken.alias(PART)).with_columns(
        pl.col(PART).cast(pl.UInt32).cum_sum().over("symbol", "quote", order_by="time")
    )


def after_last_break(candles: pl.DataFrame) -> pl.DataFrame:
    """The candles of each series after its last break, see `parted`; all columns and the order of rows stay."""
    if not _broken(candles).any():
        return candles
    parts = parted(candles)
    return parts.filter(pl.col(PART) == pl.col(PART).max().over("symbol", "quote")).drop(PART)


def _broken(candles: pl.DataFrame) -> pl.Series:
    """Whether each candle opens beyond reason of the close before it in its series."""
    before = pl.col("close").shift()
    opened = pl.col("open")
    beyond = (opened > before * BREAK_RATIO) | (before > opened * BREAK_RATIO)
    beyond &= (opened > 0) & (before > 0) & opened.is_finite() & before.is_finite()
    if _in_order(candles):
        # the usual case, several times as fast as looking series by series
        found = candles.select(beyond & pl.all_horizontal(_follows(name) for name in ("symbol", "quote")))
    else:
        found = candles.select(beyond.over("symbol", "quote", order_by="time"))
    return found.to_series().fill_null(False)


def _in_order(candles: pl.DataFrame) -> bool:
    """Whether each series lies in one piece, in order of time."""
    goes_on = _follows("symbol") & _follows("quote")
    begins = candles.select("symbol", "quote", begins=goes_on.not_().fill_null(True)).filter("begins")
    if begins.n_unique() != len(begins):
        return False
    return not candles.select((goes_on & (pl.col("time") < pl.col("time").shift())).any()).item()


def _follows(column: str) -> pl.Expr:
    return pl.col(column) == pl.col(column).shift()
