"""How good the candles in the lake are, series by series."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from cripto.domain.candle import Series
from cripto.domain.interval import Interval, parse_interval
from cripto.market._quality_report import Coverage, Gap, OddBars, QualityReport, SeriesQuality
from cripto.market._sweep import SLICE_ROWS, Sweep, time_slices
from cripto.market.lake import CandleLake

__all__ = ["Coverage", "Gap", "OddBars", "QualityReport", "SeriesQuality", "Told", "check_lake"]

Told = Callable[[str, int, int], None]
"""Hears the interval that is looked at, how many slices of it are done and how many there are."""

_SPANS = 600


def check_lake(
    lake: CandleLake,
    interval: str | None = None,
    *,
    now: datetime,
    since: datetime | None = None,
    pictured: str | None = None,
    told: Told | None = None,
    slice_rows: int = SLICE_ROWS,
) -> QualityReport:
    """Check every series of one interval, or of all; ``now`` (UTC) decides how far each is behind.

    ``since`` (UTC) leaves out what opened before. ``pictured`` is the interval of which the report's
    ``coverage`` is wanted. Reads slices of time that hold ``slice_rows`` candles at most, all of one version.
    Raises `InvalidInput` for an unknown interval, and what the lake raises.
    """
    for name in (interval, pictured):
        if name is not None:
            parse_interval(name)
    version = lake.version()
    by_interval: dict[str, list[Series]] = {}
    for series in lake.series(interval):
        by_interval.setdefault(series.interval, []).append(series)
    found: list[SeriesQuality] = []
    coverage = None
    for name in sorted(by_interval):
        step, members = parse_interval(name), by_interval[name]
        window = _window(members, step, since)
        bucket = max(1, -(-((window[1] - window[0]) // step.step) // _SPANS)) if name == pictured else None
        sweep = Sweep(step, now, bucket=bucket)
        spans = list(time_slices(members, step, since, slice_rows))
        for done, (start, end) in enumerate(spans):
            if told is not None:
                told(name, done, len(spans))
            sweep.take(lake.read(name, since=start, until=end, version=version))
        sweep.finish()
        if told is not None:
            told(name, len(spans), len(spans))
        found += _qualities(sweep, members, step, window, since, now)
        if bucket is not None:
            coverage = Coverage(step, bucket, window, sweep.buckets.sort("symbol", "quote", "bucket"))
    return QualityReport(version, since, now, tuple(found), coverage)


def _window(members: Sequence[Series], step: Interval, since: datetime | None) -> tuple[datetime, datetime]:
    """From the first open that is looked at to the last close of any series; empty where ``since`` is later."""
    first = step.floor(min(item.first for item in members))
    if since is not None and since > first:
        floored = step.floor(since)
        first = floored if floored == since else floored + step.step
    return first, max(first, step.floor(max(item.last for item in members)) + step.step)


def _qualities(
    sweep: Sweep,
    members: Sequence[Series],
    step: Interval,
    window: tuple[datetime, datetime],
    since: datetime | None,
    now: datetime,
) -> Iterator[SeriesQuality]:
    counts = {(row["symbol"], row["quote"]): row for row in sweep.counts.iter_rows(named=True)}
    notices = _by_series(sweep.odd.sort("rule"))
    gaps, bars = _by_series(sweep.gaps), _by_series(sweep.bars)
    whole = (window[1] - window[0]) // step.step
    for item in members:
        key = (item.symbol, item.quote)
        row = counts.get(key)
        if row is None and since is None:
            continue  # it came after the version that is looked at
        last = item.last if row is None else row["last"]
        first = item.first if row is None or since is not None else row["first"]
        begin = max(first, window[0])
        expected = max(0, (last - begin) // step.step + 1)
        listed = [Gap(gap["start"], gap["end"], gap["missing"]) for gap in gaps.get(key, [])]
        held = {"candles": 0, "gaps": 0, "missing": 0, "longest_gap": 0, "flat": 0} if row is None else row
        leading = 0 if row is None else (row["first"] - begin) // step.step
        if leading > 0:
            listed = [Gap(begin, begin + (leading - 1) * step.step, leading), *listed]
        yield SeriesQuality(
            symbol=item.symbol,
            quote=item.quote,
            interval=step.name,
            candles=held["candles"],
            first=first,
            last=last,
            coverage=_ratio(held["candles"], expected),
            share=_ratio(held["candles"], whole),
            gaps=held["gaps"] + (leading > 0),
            missing=held["missing"] + max(0, leading),
            longest_gap=max(held["longest_gap"], leading),
            flat=held["flat"],
            suspicious={} if row is None else {rule: row[rule] for rule in sweep.rules if row[rule]},
            notices={found["rule"]: found["count"] for found in notices.get(key, [])},
            behind=step.missed_since(step.close_of(last), now),
            stale_seconds=max(0, int((now - step.close_of(last)).total_seconds())),
            listed_gaps=tuple(listed),
            bars=tuple(
                OddBars(*(bar[name] for name in ("rule", "time", "until", "candles", "figure", "limit")))
                for bar in bars.get(key, [])
            ),
        )


def _ratio(held: int, expected: int) -> float | None:
    return min(1.0, held / expected) if expected > 0 else None


def _by_series(found: pl.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each symbol and quote, in their order."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found.iter_rows(named=True):
        rows.setdefault((row["symbol"], row["quote"]), []).append(row)
    return rows
