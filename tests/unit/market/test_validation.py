from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.domain.interval import INTERVALS
from cripto.errors import InvalidInput
from cripto.market.rules import NOTICES, RULES, row_rules
from cripto.market.validation import QUARANTINE_SCHEMA, Validation, find_gaps, validate
from tests.doubles.candles import DAILY, HOURLY, START, random_walk

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def changed(row: int, **values: object) -> pl.DataFrame:
    """Five good candles, one of them with other values."""
    candles = random_walk(["BTC"], 5).with_row_index("n")
    chosen = pl.col("n") == row
    return candles.with_columns(
        pl.when(chosen).then(pl.lit(value, candles.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    ).drop("n")


def broken(found: Validation) -> list[tuple[int, str]]:
    return [(row, rule) for row, rule in found.quarantine.select("row", "rule").iter_rows()]


def test_good_candles_are_all_accepted() -> None:
    candles = random_walk(["BTC", "ETH"], 20)
    found = validate(candles, DAILY, LATER)
    assert_frame_equal(found.accepted, candles)
    assert found.quarantine.schema == QUARANTINE_SCHEMA
    assert (found.rows, found.quarantined, found.rules, found.notices) == (40, 0, {}, {})


BAD_VALUES: dict[str, tuple[dict[str, object], list[str], str]] = {
    "zero price": ({"open": 0.0}, ["non_positive", "low_too_high"], "open=0.0"),
    "negative price": ({"low": -1.0}, ["non_positive"], "low=-1.0"),
    "negative volume": ({"volume": -1.0}, ["negative_volume"], "volume=-1.0"),
    "nan": ({"close": float("nan")}, ["not_a_number"], "close=NaN"),
    "infinite": ({"high": float("inf")}, ["not_a_number"], "high=inf"),
    "missing price": ({"high": None}, ["not_a_number"], "high=null"),
    "missing volume": ({"volume": None}, ["not_a_number"], "volume=null"),
    "high too low": ({"high": 1e-9}, ["high_too_low", "low_too_high"], "high=1.0000e-9"),
    "low too high": ({"low": 1e9}, ["high_too_low", "low_too_high"], "low="),
    "misaligned": ({"time": START + timedelta(hours=7)}, ["misaligned"], "2024-01-01 07:00"),
    "no time": ({"time": None}, ["bad_time"], ""),
    "no symbol": ({"symbol": None}, ["bad_symbol"], "symbol=null"),
    "bad symbol": ({"symbol": "../x"}, ["bad_symbol"], "symbol=../x"),
    "lower case": ({"symbol": "btc"}, ["bad_symbol"], "symbol=btc"),
    "bad quote": ({"quote": "US D"}, ["bad_symbol"], "quote=US D"),
    "future": ({"time": datetime(2040, 1, 1, tzinfo=UTC)}, ["future"], "2040-01-01"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_bad_row_is_quarantined_by_number_rule_and_value_and_the_others_arrive(case: str) -> None:
    values, rules, shown = BAD_VALUES[case]
    found = validate(changed(2, **values), DAILY, LATER)
    assert broken(found) == [(3, rule) for rule in rules]
    assert found.rules == dict.fromkeys(sorted(rules), 1)
    assert found.quarantined == 1
    assert found.accepted.height == 4
    if "e-9" not in shown:
        assert shown in found.quarantine["detail"][0]


@pytest.mark.parametrize(
    ("now", "rule"),
    [
        (START + timedelta(days=4, hours=23, minutes=59), "open_candle"),
        (START + timedelta(days=4), "open_candle"),
        (START + timedelta(days=4, microseconds=-1), "future"),
    ],
)
def test_a_candle_that_has_not_closed_is_kept_out(now: datetime, rule: str) -> None:
    found = validate(random_walk(["BTC"], 5), DAILY, now)
    assert (5, rule) in broken(found)


def test_a_candle_is_accepted_the_moment_it_closes() -> None:
    assert validate(random_walk(["BTC"], 5), DAILY, START + timedelta(days=5)).accepted.height == 5


def test_rows_keep_the_numbers_they_came_with() -> None:
    candles = changed(1, open=-1.0).with_columns(row=pl.Series([7, 9, 11, 13, 15]))
    assert set(validate(candles, DAILY, LATER).quarantine["row"]) == {9}


def test_an_exact_repetition_is_quarantined_and_the_first_stays() -> None:
    candles = random_walk(["BTC"], 5)
    found = validate(pl.concat([candles, candles.slice(1, 2)]), DAILY, LATER)
    assert broken(found) == [(6, "duplicate"), (7, "duplicate")]
    assert_frame_equal(found.accepted, candles)


def test_of_conflicting_rows_the_last_is_accepted_and_the_earlier_shown() -> None:
    candles = random_walk(["BTC"], 5)
    revised = candles.slice(1, 1).with_columns(volume=pl.lit(42.0))
    found = validate(pl.concat([candles, revised, candles.slice(2, 1), revised]), DAILY, LATER)
    assert broken(found) == [(2, "conflicting"), (7, "duplicate"), (8, "duplicate")]
    assert found.accepted["volume"][1] == 42.0


def test_a_broken_repetition_does_not_displace_a_good_candle() -> None:
    candles = random_walk(["BTC"], 5)
    found = validate(pl.concat([candles, candles.head(1).with_columns(close=pl.lit(-1.0))]), DAILY, LATER)
    assert {row for row, _ in broken(found)} == {6}
    assert_frame_equal(found.accepted, candles)


def test_unsorted_rows_are_remarked_and_sorted() -> None:
    candles = random_walk(["BTC", "ETH"], 5)
    found = validate(candles.reverse(), DAILY, LATER)
    assert found.notices == {"unsorted": 8}
    assert_frame_equal(found.accepted, candles)


def test_series_that_alternate_in_order_of_time_are_sorted() -> None:
    assert validate(random_walk(["BTC", "ETH"], 5).sort("time"), DAILY, LATER).notices == {}


def test_a_gap_is_reported_and_its_neighbours_kept() -> None:
    candles = random_walk(["BTC"], 10)
    holed = pl.concat([candles.head(3), candles.tail(4)])
    found = validate(holed, DAILY, LATER)
    assert found.accepted.height == 7
    assert found.gaps.rows() == [("BTC", "USDT", START + timedelta(days=2), START + timedelta(days=6), 3)]
    assert found.notices == {"gap": 1}


def test_a_quarantined_row_leaves_a_gap() -> None:
    assert validate(changed(2, volume=-1.0), DAILY, LATER).gaps["missing"].to_list() == [1]


def test_no_gap_is_seen_between_series() -> None:
    two = pl.concat(
        [random_walk(["BTC"], 3, quote="USD"), random_walk(["BTC"], 3, start=START + timedelta(days=90))]
    )
    assert find_gaps(two.sort("symbol", "quote", "time"), DAILY).is_empty()


def test_flat_bars_and_zero_volumes_are_kept_and_counted() -> None:
    candles = random_walk(["BTC"], 2).with_columns(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.0)
    found = validate(candles, DAILY, LATER)
    assert found.accepted.height == 2
    assert found.notices == {"zero_volume": 2, "flat": 2}


def test_no_rows_are_no_defect() -> None:
    found = validate(random_walk(["BTC"], 1).clear(), HOURLY, LATER)
    assert (found.rows, found.accepted.height, found.quarantined) == (0, 0, 0)


def test_missing_columns_are_refused() -> None:
    with pytest.raises(InvalidInput, match="volume"):
        validate(random_walk(["BTC"], 1).drop("volume"), DAILY, LATER)


def test_every_rule_applied_is_described() -> None:
    assert {rule.name for rule in row_rules(DAILY, LATER)} | {"unreadable", "duplicate", "conflicting"} == set(
        RULES
    )
    assert not set(RULES) & set(NOTICES)


def test_the_dirty_file_shows_every_known_defect(dirty_file: Path) -> None:
    candles = pl.read_parquet(dirty_file).with_columns(interval=pl.lit("1d"))
    found = validate(candles, INTERVALS["1d"], LATER)
    assert found.rows == 3100
    assert found.rules == {"non_positive": 34, "high_too_low": 64, "low_too_high": 127}
    assert found.notices["zero_volume"] == 37
    assert found.accepted.height + found.quarantined == 3100
    assert found.accepted.height == 2875


def test_the_daily_file_has_no_defect(daily_file: Path) -> None:
    candles = pl.read_parquet(daily_file).with_columns(interval=pl.lit("1d"))
    found = validate(candles, INTERVALS["1d"], LATER)
    assert (found.rules, found.gaps.height, found.accepted.height) == ({}, 0, 66741)
