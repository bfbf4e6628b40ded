"""One pass over the candles of an interval in slices of time, so that memory does not grow with the lake.

What reaches over the end of a slice is carried into the next: the last candle of each series, and the runs of odd
bars that are still open.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from cripto.domain.candle import Series
from cripto.domain.interval import Interval
from cripto.market.oddities import ODDITY_SCHEMA, RUN_RULES, least_run, odd_bars, run_flag, with_previous
from cripto.market.rules import row_rules
from cripto.market.schema import CANDLE_SCHEMA, PRICES, empty_candles, sorted_by

__all__ = ["GAP_SCHEMA", "LISTED", "SLICE_ROWS", "Sweep", "time_slices"]

LISTED = 200
"""Of each series, so many gaps (the longest) and odd bars (the furthest beyond their limits) are listed."""
SLICE_ROWS = 500_000
"""How many candles a slice holds at most, if all are aligned."""

GAP_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "quote": pl.String(),
        "start": CANDLE_SCHEMA["time"],
        "end": CANDLE_SCHEMA["time"],
        "missing": pl.Int64(),
    }
)
"""One row per gap: the opens of the first and the last candle that is missing, and how many are."""

_KEYS = ("symbol", "quote")
_SERIES_SCHEMA = {"symbol": pl.String(), "quote": pl.String()}
_RUN_SCHEMA = {
    **_SERIES_SCHEMA,
    "run": pl.Int64(),
    "start": CANDLE_SCHEMA["time"],
    "end": CANDLE_SCHEMA["time"],
    "candles": pl.Int64(),
    "ends": pl.Boolean(),
}
_RUN = tuple(_RUN_SCHEMA)
_PRUNED_AT = 200_000


class Sweep:
    """What was found in the slices `take` has been given, one after the other in order of time.

    ``counts``: symbol, quote, candles, first and last (UTC opens), gaps, missing, longest_gap, flat, and rows by
    rule broken. ``odd``: symbol, quote, rule, count. ``gaps`` and ``bars``: see `GAP_SCHEMA`, `ODDITY_SCHEMA`; the
    largest `LISTED` of each series. ``buckets``: symbol, quote, bucket, candles, where ``bucket`` (a number of
    candles) asks for them; they count from the Unix epoch.
    """

    def __init__(self, interval: Interval, now: datetime, *, bucket: int | None = None) -> None:
        self._interval = interval
        self._rules = row_rules(interval, now)
        self._bucket = bucket
        self._tail = empty_candles()
        self._open = {rule: pl.DataFrame(schema=_RUN_SCHEMA) for rule in RUN_RULES}
        self.counts = pl.DataFrame()
        self.buckets = pl.DataFrame(schema={**_SERIES_SCHEMA, "bucket": pl.Int64(), "candles": pl.Int64()})
        self.odd = pl.DataFrame(schema={**_SERIES_SCHEMA, "rule": pl.String(), "count": pl.Int64()})
        self.gaps = pl.DataFrame(schema=GAP_SCHEMA)
        self.bars = pl.DataFrame(schema=ODDITY_SCHEMA)

    @property
    def rules(self) -> list[str]:
        """The names of the rules that ``counts`` has a column of."""
        return [rule.name for rule in self._rules]

    def take(self, candles: pl.DataFrame) -> None:
        """Look at the next slice: whole candles, sorted by symbol, quote and time, later than all before."""
        if candles.is_empty():
            return
        marked = pl.concat([self._tail.with_columns(seen=pl.lit(True)), candles.with_columns(seen=pl.lit(False))])
        rows = with_previous(sorted_by(marked, *_KEYS, "time"), self._interval)
        gaps = self._gaps(rows)
        fresh = rows.filter(~pl.col("seen"))
        self._count(fresh, gaps)
        self.gaps = _bounded(self.gaps, gaps, pl.col("missing"))
        self._tell(pl.concat([odd_bars(fresh, self._interval), *(self._runs(rule, fresh) for rule in RUN_RULES)]))
        self._tail = (
            marked.drop("seen")
            .group_by(_KEYS, maintain_order=True)
            .agg(pl.all().sort_by("time").last())
            .select(CANDLE_SCHEMA.names())
        )

    def finish(self) -> None:
        """Close what is open: no further slice comes."""
        for rule, runs in self._open.items():
            self._tell(_told(rule, runs, least_run(rule, self._interval)))
        self.gaps = _largest(self.gaps, pl.col("missing"))
        self.bars = _largest(self.bars, _severity())

    def _count(self, fresh: pl.DataFrame, gaps: pl.DataFrame) -> None:
        flat = (pl.max_horizontal(PRICES) == pl.min_horizontal(PRICES)) & (pl.col("volume") == 0)
        found = fresh.group_by(_KEYS).agg(
            candles=pl.len().cast(pl.Int64),
            first=pl.col("time").min(),
            last=pl.col("time").max(),
            flat=flat.sum().cast(pl.Int64),
            **{rule.name: rule.broken.fill_null(False).sum().cast(pl.Int64) for rule in self._rules},
        )
        missing = gaps.group_by(_KEYS).agg(
            gaps=pl.len().cast(pl.Int64), missing=pl.col("missing").sum(), longest_gap=pl.col("missing").max()
        )
        found = found.join(missing, on=_KEYS, how="left").with_columns(
            pl.col("gaps", "missing", "longest_gap").fill_null(0)
        )
        summed = pl.all().exclude(*_KEYS, "first", "last", "longest_gap").sum()
        self.counts = (
            (pl.concat([self.counts, found]) if self.counts.height else found)
            .group_by(_KEYS)
            .agg(summed, pl.col("first").min(), pl.col("last", "longest_gap").max())
            .select(found.columns)
        )
        if self._bucket is not None:
            width = self._interval.seconds * self._bucket * 1_000_000
            counted = fresh.group_by(*_KEYS, bucket=pl.col("time").dt.epoch("us") // width).agg(
                candles=pl.len().cast(pl.Int64)
            )
            self.buckets = _summed(self.buckets, counted, "bucket", "candles")

    def _gaps(self, rows: pl.DataFrame) -> pl.DataFrame:
        step = self._interval.step
        return rows.filter(~pl.col("seen"), pl.col("apart") > 1).select(
            *_KEYS,
            start=pl.col("last_time") + step,
            end=pl.col("last_time") + step * (pl.col("apart") - 1),
            missing=pl.col("apart") - 1,
        )

    def _tell(self, bars: pl.DataFrame) -> None:
        if bars.is_empty():
            return
        self.odd = _summed(
            self.odd, bars.group_by(*_KEYS, "rule").agg(count=pl.len().cast(pl.Int64)), "rule", "count"
        )
        self.bars = _bounded(self.bars, bars, _severity())

    def _runs(self, rule: str, fresh: pl.DataFrame) -> pl.DataFrame:
        """The runs of a rule that are over by now; those at the end of a series may go on, and stay open."""
        runs = _runs_of(rule, fresh)
        here = fresh.select(_KEYS).unique()
        held = self._open[rule]
        # what was open goes on in the run that begins with the first row of its series, if there is one
        joined = (
            pl.concat([held.join(here, on=_KEYS, how="semi"), runs])
            .group_by(*_KEYS, "run")
            .agg(pl.col("start").min(), pl.col("end").max(), pl.col("candles").sum(), pl.col("ends").any())
        )
        still = joined.filter("ends").with_columns(run=pl.lit(0, pl.Int64), ends=pl.lit(False))
        self._open[rule] = pl.concat([held.join(here, on=_KEYS, how="anti"), still.select(held.columns)])
        return _told(rule, joined.filter(~pl.col("ends")), least_run(rule, self._interval))


def time_slices(
    series: Sequence[Series], interval: Interval, since: datetime | None = None, rows: int = SLICE_ROWS
) -> Iterator[tuple[datetime, datetime]]:
    """Spans of time, from one to before the other, that hold ``rows`` aligned candles of ``series`` at most each.

    Together they hold all of them that open at ``since`` or later.
    """
    if not series:
        return
    first, last = min(item.first for item in series), max(item.last for item in series)
    start = first if since is None else max(first, since)
    width = interval.step * max(1, rows // len(series))
    while start <= last:
        yield start, start + width
        start += width


def _runs_of(rule: str, fresh: pl.DataFrame) -> pl.DataFrame:
    """Runs of a rule; ``run`` is 0 for one that begins a series, ``ends`` is true for one that ends it."""
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _KEYS).fill_null(False)
    rows = fresh.select(*_KEYS, "time", flag=run_flag(rule), same=same)
    begun = (pl.col("flag") != pl.col("flag").shift(1)).fill_null(True) | ~pl.col("same")
    return (
        rows.with_columns(run=begun.cum_sum().cast(pl.Int64), ends=~pl.col("same").shift(-1).fill_null(False))
        .filter("flag")
        .group_by("run")
        .agg(
            *(pl.col(name).first() for name in _KEYS),
            start=pl.col("time").first(),
            end=pl.col("time").last(),
            candles=pl.len().cast(pl.Int64),
            ends=pl.col("ends").last(),
            begins=~pl.col("same").first(),
        )
        .select(*_KEYS, pl.when("begins").then(0).otherwise("run").cast(pl.Int64).alias("run"), *_RUN[3:])
    )


def _told(rule: str, runs: pl.DataFrame, least: int) -> pl.DataFrame:
    """Runs that are long enough, in the form of `ODDITY_SCHEMA`."""
    return runs.filter(pl.col("candles") >= least).select(
        *_KEYS,
        pl.lit(rule).alias("rule"),
        time="start",
        until="end",
        candles="candles",
        figure=pl.col("candles").cast(pl.Float64),
        limit=pl.lit(float(least)),
    )


def _summed(held: pl.DataFrame, found: pl.DataFrame, by: str, what: str) -> pl.DataFrame:
    """Counts by series and another column, added up."""
    return pl.concat([held, found]).group_by(*_KEYS, by).agg(pl.col(what).sum())


def _bounded(held: pl.DataFrame, found: pl.DataFrame, size: pl.Expr) -> pl.DataFrame:
    """Both; only the largest of each series once they are many."""
    both = pl.concat([held, found])
    return both if both.height <= _PRUNED_AT else _largest(both, size)


def _largest(found: pl.DataFrame, size: pl.Expr) -> pl.DataFrame:
    """The `LISTED` largest of each series, in order of time."""
    order = ["start"] if "start" in found.columns else ["time", "rule"]
    sized = found.with_columns(size=size).sort("size", *order, descending=[True, *(False for _ in order)])
    return sized.group_by(_KEYS).head(LISTED).select(found.columns).sort(*_KEYS, *order)


def _severity() -> pl.Expr:
    """How many times its limit an odd bar reaches, on the scale of its rule."""
    beyond = pl.col("figure").log().abs() / pl.col("limit").log()
    return pl.when(pl.col("rule").is_in(RUN_RULES)).then(pl.col("figure") / pl.col("limit")).otherwise(beyond)
