import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from cripto.domain.candle import Series
from cripto.errors import InvalidInput
from cripto.market._sweep import LISTED
from cripto.market.importing import import_file
from cripto.market.lake import MemoryLake
from cripto.market.oddities import RUN_RULES
from cripto.market.quality import check_lake
from tests.doubles.candles import HOURLY, START, random_walk

NOW = START + timedelta(days=20)


def lake_of(*frames: pl.DataFrame) -> MemoryLake:
    lake = MemoryLake()
    lake.upsert(pl.concat(frames))
    return lake


def test_an_empty_lake_has_no_series() -> None:
    report = check_lake(MemoryLake(), now=NOW)
    assert (report.version, report.series, report.candles, report.suspicious) == (None, (), 0, 0)


def test_a_whole_series_up_to_date_shows_nothing() -> None:
    (series,) = check_lake(lake_of(random_walk(["BTC"], 20)), now=NOW).series
    assert (series.candles, series.first, series.last) == (20, START, START + timedelta(days=19))
    assert (series.gaps, series.missing, series.longest_gap, series.flat, series.behind) == (0, 0, 0, 0, 0)
    assert series.suspicious == {}


def test_gaps_are_counted_with_the_longest() -> None:
    candles = random_walk(["BTC"], 20)
    (series,) = check_lake(lake_of(candles.head(3), candles.slice(4, 2), candles.tail(10)), now=NOW).series
    assert (series.gaps, series.missing, series.longest_gap) == (2, 5, 4)


@pytest.mark.parametrize(
    ("late", "behind"), [(timedelta(hours=23), 0), (timedelta(days=1), 1), (timedelta(days=9), 9)]
)
def test_a_series_that_stopped_is_behind(late: timedelta, behind: int) -> None:
    (series,) = check_lake(lake_of(random_walk(["BTC"], 20)), now=NOW + late).series
    assert series.behind == behind


def test_flat_bars_without_volume_are_counted() -> None:
    candles = random_walk(["BTC"], 3)
    flat = candles.head(1).with_columns(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.0)
    (series,) = check_lake(lake_of(candles.tail(2), flat), now=NOW).series
    assert series.flat == 1


def test_candles_that_came_past_validation_are_suspicious() -> None:
    bad = random_walk(["BTC"], 3).with_columns(high=1e-9)
    report = check_lake(lake_of(bad, random_walk(["ETH"], 3)), now=NOW)
    assert report.series[0].suspicious == {"high_too_low": 3, "low_too_high": 3}
    assert report.suspicious == 6


def test_series_of_one_interval_or_of_all_are_checked() -> None:
    lake = lake_of(random_walk(["ETH", "BTC"], 3), random_walk(["BTC"], 3, HOURLY))
    assert [(s.interval, s.symbol) for s in check_lake(lake, now=NOW).series] == [
        ("1d", "BTC"),
        ("1d", "ETH"),
        ("1h", "BTC"),
    ]
    assert [s.symbol for s in check_lake(lake, "1h", now=NOW).series] == ["BTC"]
    with pytest.raises(InvalidInput):
        check_lake(lake, "1w", now=NOW)


def test_the_report_is_json() -> None:
    value = json.loads(json.dumps(check_lake(lake_of(random_walk(["BTC"], 3)), now=NOW).to_json()))
    assert value["version"] == 0
    assert value["candles"] == 3
    assert value["series"] == [
        {
            "symbol": "BTC",
            "quote": "USDT",
            "interval": "1d",
            "candles": 3,
            "first": "2024-01-01T00:00:00Z",
            "last": "2024-01-03T00:00:00Z",
            "coverage": 1.0,
            "share": 1.0,
            "gaps": 0,
            "missing": 0,
            "longest_gap": 0,
            "flat": 0,
            "suspicious": {},
            "notices": {},
            "behind": 17,
            "stale_seconds": 17 * 86400,
            "listed_gaps": [],
            "bars": [],
        }
    ]


def test_the_real_gap_and_flat_bars_are_found(gap_file: Path) -> None:
    lake = MemoryLake()
    import_file(gap_file, lake, now=datetime(2025, 1, 1, tzinfo=UTC))
    report = check_lake(lake, now=datetime(2020, 1, 17, tzinfo=UTC))
    assert [(s.symbol, s.gaps, s.longest_gap) for s in report.series] == [
        ("BTC", 1, 12),
        ("ETH", 1, 12),
        ("LTC", 1, 12),
    ]
    assert sum(s.flat for s in report.series) == 11
    assert {s.behind for s in report.series} == {0}


def changed(candles: pl.DataFrame, day: int, **values: float) -> pl.DataFrame:
    """The candles with other values in that of one day, and its high and low reaching as far as they must."""
    here = pl.col("time") == START + timedelta(days=day)
    frame = candles.with_columns(
        **{name: pl.when(here).then(pl.lit(value)).otherwise(name) for name, value in values.items()}
    )
    return frame.with_columns(
        high=pl.max_horizontal("open", "high", "close"), low=pl.min_horizontal("open", "low", "close")
    )


def test_coverage_is_told_of_the_own_span_and_of_that_of_all() -> None:
    long = random_walk(["BTC"], 20)
    short = random_walk(["ETH"], 20).slice(10, 5)
    holed = random_walk(["LTC"], 20).filter(pl.int_range(pl.len()) % 2 == 0)
    series = check_lake(lake_of(long, short, holed), now=NOW).series
    assert [(item.coverage, item.share) for item in series] == [(1.0, 1.0), (1.0, 0.25), (10 / 19, 0.5)]


def test_gaps_are_listed_by_the_candles_that_are_missing() -> None:
    candles = random_walk(["BTC"], 20)
    (series,) = check_lake(lake_of(candles.head(3), candles.slice(4, 2), candles.tail(10)), now=NOW).series
    days = [((gap.start - START).days, (gap.end - START).days, gap.missing) for gap in series.listed_gaps]
    assert days == [(3, 3, 1), (6, 9, 4)]


def test_of_many_gaps_the_longest_are_listed_in_order_of_time_and_all_are_counted() -> None:
    walk = random_walk(["BTC"], 1000).with_row_index("n")
    held = walk.filter((pl.col("n") % 3 != 1) & ~pl.col("n").is_between(500, 509)).drop("n")
    (series,) = check_lake(lake_of(held), now=NOW).series
    assert len(series.listed_gaps) == LISTED < series.gaps
    assert series.missing == 999 - held.height + 1
    assert max(series.listed_gaps, key=lambda gap: gap.missing).missing == series.longest_gap
    assert [gap.start for gap in series.listed_gaps] == sorted(gap.start for gap in series.listed_gaps)


def test_since_leaves_out_what_is_older_but_not_the_hole_it_begins_in() -> None:
    candles = random_walk(["BTC"], 20)
    lake = lake_of(candles.head(2), candles.slice(3, 2), candles.tail(10), random_walk(["OLD"], 4))
    report = check_lake(lake, now=NOW, since=START + timedelta(days=7, hours=1))
    btc, old = report.series
    assert (btc.candles, btc.gaps, btc.missing, btc.longest_gap) == (10, 1, 2, 2)
    assert btc.listed_gaps[0].start == START + timedelta(days=8)
    assert (btc.first, btc.coverage) == (START, 10 / 12)
    # a series that stopped before is still told of, and how long it has been
    assert (old.candles, old.coverage, old.share, old.behind) == (0, None, 0.0, 16)


def test_a_since_after_everything_finds_nothing_wrong() -> None:
    (series,) = check_lake(lake_of(random_walk(["BTC"], 5)), now=NOW, since=NOW).series
    assert (series.candles, series.gaps, series.coverage, series.share) == (0, 0, None, None)


def test_odd_bars_are_notices_with_their_figures_and_no_fault() -> None:
    candles = random_walk(["BTC"], 20)
    lake = lake_of(changed(candles, 10, close=candles["close"][9] * 3, volume=5.0))
    report = check_lake(lake, now=NOW)
    (series,) = report.series
    assert report.suspicious == 0
    assert series.notices == {"jump": 2, "break": 1}  # up, and back down with the next open
    up = next(bar for bar in series.bars if bar.rule == "jump")
    assert (up.time, up.candles) == (START + timedelta(days=10), 1)
    assert up.figure == pytest.approx(3)
    assert up.limit == pytest.approx(1.995, abs=0.01)


@pytest.mark.parametrize(
    "slice_rows", [1, 7, *(pytest.param(rows, marks=pytest.mark.slow) for rows in (2, 3, 50, 1_000_000))]
)
def test_a_lake_looked_at_in_slices_gives_the_same_report_as_at_once(slice_rows: int) -> None:
    walk = random_walk(["BTC", "ETH", "LTC"], 60)
    still = walk.with_columns(close=pl.when(symbol="ETH").then(pl.lit(100.0)).otherwise("close")).with_columns(
        high=pl.max_horizontal("open", "high", "close"), low=pl.min_horizontal("open", "low", "close")
    )
    day = (pl.col("time") - START).dt.total_days()
    quiet = still.with_columns(
        volume=pl.when((pl.col("symbol") == "BTC") & day.is_between(20, 31)).then(0.0).otherwise("volume")
    )
    of_ltc, of_eth = pl.col("symbol") == "LTC", pl.col("symbol") == "ETH"
    broken = quiet.with_columns(high=pl.when((day == 40) & of_ltc).then(1e-9).otherwise("high"))
    held = broken.filter(~(of_ltc & day.is_between(5, 12)), ~(of_eth & (day == 45)))
    lake = lake_of(held)
    later = START + timedelta(days=80)
    whole = check_lake(lake, now=later, pictured="1d")
    sliced = check_lake(lake, now=later, pictured="1d", slice_rows=slice_rows)
    assert sliced.to_json() == whole.to_json()
    assert whole.coverage is not None
    assert sliced.coverage is not None
    assert sliced.coverage.held.equals(whole.coverage.held)
    btc, eth, ltc = whole.series
    runs = [(bar.rule, bar.candles) for item in (btc, eth) for bar in item.bars if bar.rule in RUN_RULES]
    assert runs == [("no_volume", 12), ("stale_close", 44), ("stale_close", 13)]
    assert (ltc.suspicious, ltc.missing) == ({"high_too_low": 1, "low_too_high": 1}, 8)


def test_what_arrives_while_the_lake_is_looked_at_is_left_out() -> None:
    class Busy(MemoryLake):
        def series(self, interval: str | None = None, *, since: datetime | None = None) -> list[Series]:
            self.upsert(random_walk(["BTC", "NEW"], 12))
            return super().series(interval, since=since)

    lake = Busy()
    lake.upsert(random_walk(["BTC"], 10))
    (series,) = check_lake(lake, now=NOW).series
    assert (series.symbol, series.candles, series.coverage) == ("BTC", 10, 1.0)


def test_progress_is_told_slice_by_slice() -> None:
    heard: list[tuple[str, int, int]] = []
    lake = lake_of(random_walk(["BTC"], 6))
    check_lake(lake, now=NOW, slice_rows=2, told=lambda *step: heard.append(step))
    assert heard == [("1d", 0, 3), ("1d", 1, 3), ("1d", 2, 3), ("1d", 3, 3)]


def test_real_candles_show_what_really_happened(daily_file: Path) -> None:
    lake = MemoryLake()
    import_file(daily_file, lake, now=datetime(2025, 7, 1, tzinfo=UTC))
    report = check_lake(lake, now=datetime(2025, 7, 1, tzinfo=UTC))
    by_symbol = {item.symbol: item for item in report.series}
    assert report.suspicious == 0
    assert report.notices == 15
    doge = {(f"{bar.time:%Y-%m-%d}", bar.rule): round(bar.figure, 2) for bar in by_symbol["DOGE"].bars}
    assert doge == {
        ("2020-03-13", "break"): 0.94,
        ("2021-01-28", "jump"): 4.92,
        ("2021-04-16", "jump"): 2.0,
    }
    assert [(bar.rule, f"{bar.time:%Y-%m-%d}") for bar in by_symbol["LINK"].bars] == [("spike", "2020-03-12")]
