"""What an upsert does to candles, the same in every lake."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS, CANDLE_KEY
from cripto.market._candle_lake import Upsert
from cripto.market.schema import checked_candles, sorted_by

__all__ = ["Difference", "difference", "distinct", "slices", "upserted"]

_VALUES = tuple(name for name in CANDLE_COLUMNS if name not in CANDLE_KEY)
_ORDER = ("interval", "time", "symbol", "quote")
_SERIES = ("symbol", "quote", "interval")


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows to write, and how many rows are new, other than before, and as they were.

    ``series`` has those three counts by symbol, quote and interval.
    """

    changed: pl.DataFrame
    inserted: int
    updated: int
    unchanged: int
    series: pl.DataFrame


def distinct(candles: pl.DataFrame) -> pl.DataFrame:
    """One row per key, the last one given, checked and ordered by interval and time."""
    ordered = sorted_by(checked_candles(candles), *_ORDER)
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in CANDLE_KEY)
    return ordered.filter(~again.fill_null(False))


def slices(candles: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    """Cut `distinct` rows into frames of one interval and at most ``rows`` rows, in order of time."""
    for part in candles.partition_by("interval", maintain_order=True):
        yield from part.iter_slices(rows)


def difference(incoming: pl.DataFrame, existing: pl.DataFrame) -> Difference:
    """Compare `distinct` rows with those a lake holds under the same keys (it may hold others)."""
    old = existing.select(
        *CANDLE_KEY, *(pl.col(name).alias(f"old_{name}") for name in _VALUES), found=pl.lit(True)
    )
    joined = incoming.join(old, on=CANDLE_KEY, how="left", maintain_order="left")
    found = pl.col("found").fill_null(False)
    other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"old_{name}")) for name in _VALUES)
    joined = joined.with_columns(found=found, other=found & other)
    changed = joined.filter(~pl.col("found") | pl.col("other"))
    series = joined.group_by(_SERIES).agg(
        inserted=(~pl.col("found")).sum(), updated=pl.col("other").sum(), rows=pl.len()
    )
    updated = int(joined["other"].sum())
    inserted = changed.height - updated
    return Difference(changed.select(CANDLE_COLUMNS), inserted, updated, incoming.height - changed.height, series)


def upserted(changes: Iterable[Difference], version: int | None) -> Upsert:
    """What the parts of one upsert did together."""
    inserted = updated = unchanged = 0
    counts: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for change in changes:
        inserted += change.inserted
        updated += change.updated
        unchanged += change.unchanged
        for symbol, quote, interval, new, other, rows in change.series.iter_rows():
            before = counts.get((symbol, quote, interval), (0, 0, 0))
            counts[symbol, quote, interval] = before[0] + new, before[1] + other, before[2] + rows - new - other
    return Upsert(inserted, updated, unchanged, version, counts)
