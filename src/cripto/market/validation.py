"""Candles held to the rules: what is accepted, what is quarantined and why, where candles are missing.

Nothing is repaired, filled or lost: every row given is accepted or in quarantine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS, CANDLE_KEY
from cripto.domain.interval import Interval
from cripto.errors import InvalidInput
from cripto.market.rules import row_rules
from cripto.market.schema import CANDLE_SCHEMA, PRICES, sorted_by

__all__ = ["QUARANTINE_SCHEMA", "Validation", "find_gaps", "validate"]

QUARANTINE_SCHEMA = pl.Schema(
    {
        "row": pl.Int64(),
        "rule": pl.String(),
        "symbol": pl.String(),
        "quote": pl.String(),
        "time": CANDLE_SCHEMA["time"],
        "detail": pl.String(),
    }
)
"""One row per row and rule broken: its number, the rule, its key and the offending values as text."""

_VALUES = (*PRICES, "volume", "source")
_SERIES = ("symbol", "quote")


@dataclass(frozen=True, slots=True)
class Validation:
    """What became of the rows.

    ``accepted``: columns of the candle table, sorted by symbol, quote and time, one row per key. ``quarantine``:
    see `QUARANTINE_SCHEMA`, by row. ``gaps``: symbol, quote, after, before (UTC opens), missing (candles).
    ``rules``: rows by rule broken. ``notices``: rows by what was remarked, of all rows for ``zero_volume``.
    """

    rows: int
    accepted: pl.DataFrame
    quarantine: pl.DataFrame
    gaps: pl.DataFrame
    rules: Mapping[str, int]
    notices: Mapping[str, int]

    @property
    def quarantined(self) -> int:
        """How many rows are in quarantine; one that breaks two rules counts once."""
        return self.quarantine["row"].n_unique()


def validate(candles: pl.DataFrame, interval: Interval, now: datetime) -> Validation:
    """Hold candles of one interval to the rules; ``now`` (UTC) decides which are still open.

    ``candles`` needs the columns and types of the candle table; nulls are allowed, they are defects. A column
    ``row`` (integers) numbers the rows for the report; without it they count from 1. Of rows with the same key and
    other values the last is accepted. Raises `InvalidInput` for missing columns.
    """
    rows = _numbered(candles)
    quarantine = _broken(rows, interval, now)
    good = rows.join(quarantine.select("row").unique(), on="row", how="anti", maintain_order="left")
    notices = {"unsorted": _unsorted(good)}
    again = _repeated(good)
    if not again.is_empty():
        good = good.join(again.select("row"), on="row", how="anti", maintain_order="left")
        quarantine = pl.concat([quarantine, again])
    accepted = sorted_by(good.select(CANDLE_COLUMNS), *_SERIES, "time")
    gaps = find_gaps(accepted, interval)
    notices |= {
        "gap": gaps.height,
        "zero_volume": int((rows["volume"] == 0).sum()),
        "flat": accepted.filter(pl.max_horizontal(PRICES) == pl.min_horizontal(PRICES)).height,
    }
    return Validation(
        rows=rows.height,
        accepted=accepted,
        quarantine=quarantine.sort("row", maintain_order=True),
        gaps=gaps,
        rules=dict(quarantine.group_by("rule").len().sort("rule").iter_rows()),
        notices={name: count for name, count in notices.items() if count},
    )


def find_gaps(candles: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """Where candles are missing: symbol, quote, after, before (UTC opens either side), missing (how many).

    ``candles`` are of one interval, sorted by symbol, quote and time.
    """
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _SERIES)
    steps = (pl.col("time") - pl.col("time").shift(1)).dt.total_microseconds() // (interval.seconds * 1_000_000)
    return (
        candles.select(
            *_SERIES, after=pl.col("time").shift(1), before=pl.col("time"), missing=steps - 1, same=same
        )
        .filter(pl.col("same") & (pl.col("missing") > 0))
        .drop("same")
    )


def _numbered(candles: pl.DataFrame) -> pl.DataFrame:
    wrong = [name for name, kind in CANDLE_SCHEMA.items() if candles.schema.get(name) != kind]
    if wrong:
        raise InvalidInput(f"candles need the columns of the candle table; missing or of another type: {wrong}")
    if "row" not in candles.columns:
        candles = candles.with_row_index("row", offset=1)
    return candles.select(pl.col("row").cast(pl.Int64), *CANDLE_COLUMNS)


def _broken(rows: pl.DataFrame, interval: Interval, now: datetime) -> pl.DataFrame:
    """The rows that break a rule by themselves, in the form of `QUARANTINE_SCHEMA`."""
    rules = row_rules(interval, now)
    marks = rows.select(rule.broken.fill_null(False).alias(rule.name) for rule in rules)
    suspects = rows.hstack(marks).filter(pl.any_horizontal(rule.name for rule in rules))
    found = [
        suspects.filter(pl.col(rule.name)).select(
            "row", pl.lit(rule.name).alias("rule"), *_key(), detail=rule.detail
        )
        for rule in rules
    ]
    return pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *found])


def _key() -> list[pl.Expr]:
    return [pl.col(name) for name in ("symbol", "quote", "time")]


def _unsorted(rows: pl.DataFrame) -> int:
    """How many rows are earlier than the one before them of the same series."""
    earlier = pl.col("time") < pl.col("time").shift(1).over(_SERIES)
    return int(rows.select(earlier.fill_null(False).sum()).item())


def _repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose key comes again: all but the last, but of equal ones at the end the first stays."""
    several = rows.filter(rows.select(CANDLE_KEY).is_duplicated())
    if several.is_empty():
        return pl.DataFrame(schema=QUARANTINE_SCHEMA)
    last = several.unique(CANDLE_KEY, keep="last").select(
        *CANDLE_KEY, *(pl.col(n).alias(f"last_{n}") for n in _VALUES)
    )
    compared = several.join(last, on=CANDLE_KEY, how="left", maintain_order="left").with_columns(
        equal=pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"last_{name}")) for name in _VALUES)
    )
    stays = pl.col("row") == pl.col("row").filter(pl.col("equal")).first().over(CANDLE_KEY)
    return compared.filter(~stays).select(
        "row",
        pl.when("equal").then(pl.lit("duplicate")).otherwise(pl.lit("conflicting")).alias("rule"),
        *_key(),
        detail=pl.format(
            "open={} high={} low={} close={} volume={} source={}",
            *(pl.col(name) for name in ("open", "high", "low", "close", "volume", "source")),
        ),
    )
