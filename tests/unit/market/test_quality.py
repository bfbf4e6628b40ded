import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from cripto.errors import InvalidInput
from cripto.market.importing import import_file
from cripto.market.lake import MemoryLake
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
            "gaps": 0,
            "missing": 0,
            "longest_gap": 0,
            "flat": 0,
            "suspicious": {},
            "behind": 17,
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
