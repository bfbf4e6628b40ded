"""One suite for every lake: memory, a Delta table in a folder, on S3 as moto plays it, on a real server."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.errors import InvalidInput
from cripto.market.lake import CandleLake, MemoryLake, Upsert, open_lake
from cripto.market.schema import CANDLE_SCHEMA
from tests.conftest import BUCKETS
from tests.doubles.candles import DAILY, HOURLY, START, random_walk

STEPS = {"1d": DAILY.step, "1h": HOURLY.step}

LakeFactory = Callable[[], CandleLake]
"""Opens the same lake again, as another process would."""


@pytest.fixture(params=["memory", "folder", *BUCKETS])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> LakeFactory:
    if request.param == "memory":
        memory = MemoryLake()
        return lambda: memory
    if request.param == "folder":
        return lambda: open_lake((tmp_path / "a store").as_uri())
    bucket = request.getfixturevalue(request.param)
    return lambda: open_lake(f"s3://{bucket}/some/prefix")


@pytest.fixture
def lake(reopen: LakeFactory) -> CandleLake:
    return reopen()


def ordered(candles: pl.DataFrame) -> pl.DataFrame:
    return candles.sort("symbol", "quote", "time")


def test_a_new_lake_has_no_version_and_no_candles(lake: CandleLake) -> None:
    assert lake.version() is None
    assert lake.series() == []
    assert lake.read("1d").schema == CANDLE_SCHEMA
    assert lake.read("1d").is_empty()
    assert lake.recent("1d", 10).schema == CANDLE_SCHEMA


def test_an_upsert_of_nothing_makes_no_table(lake: CandleLake) -> None:
    assert lake.upsert(pl.DataFrame(schema=CANDLE_SCHEMA)) == Upsert(0, 0, 0, None)
    assert lake.version() is None


def test_candles_are_read_back_as_they_were_by_any_client(reopen: LakeFactory) -> None:
    candles = random_walk(["BTC", "ETH"], 50)
    assert reopen().upsert(candles.sample(fraction=1.0, shuffle=True, seed=1)) == Upsert(100, 0, 0, 0)
    assert_frame_equal(reopen().read("1d"), ordered(candles))


def test_the_same_candles_again_commit_nothing(lake: CandleLake) -> None:
    candles = random_walk(["BTC", "ETH"], 50)
    lake.upsert(candles)
    assert lake.upsert(candles.reverse()) == Upsert(0, 0, 100, 0)
    assert lake.version() == 0


def test_new_candles_are_appended(lake: CandleLake) -> None:
    candles = random_walk(["BTC"], 50)
    lake.upsert(candles.head(40))
    assert lake.upsert(candles.tail(20)) == Upsert(10, 0, 10, 1)
    assert_frame_equal(lake.read("1d"), candles)


def test_other_values_win_over_what_was_held(lake: CandleLake) -> None:
    candles = random_walk(["BTC", "ETH"], 30)
    lake.upsert(candles.head(50))
    revised = candles.with_columns(close=pl.when(pl.col("time") == START).then(1.25).otherwise("close"))
    assert lake.upsert(revised) == Upsert(10, 2, 48, 1)
    assert_frame_equal(lake.read("1d"), ordered(revised))


def test_another_source_is_a_change(lake: CandleLake) -> None:
    candles = random_walk(["BTC"], 3, source="one")
    lake.upsert(candles)
    assert lake.upsert(candles.with_columns(source=pl.lit("two"))) == Upsert(0, 3, 0, 1)
    assert lake.read("1d")["source"].to_list() == ["two"] * 3


def test_of_equal_keys_in_one_upsert_the_last_row_wins(lake: CandleLake) -> None:
    candles = random_walk(["BTC"], 2)
    later = candles.with_columns(volume=pl.lit(7.0))
    assert lake.upsert(pl.concat([candles, later])) == Upsert(2, 0, 0, 0)
    assert_frame_equal(lake.read("1d"), later)


def test_keys_differ_by_symbol_quote_interval_and_time(lake: CandleLake) -> None:
    hourly = random_walk(["BTC"], 3, HOURLY)
    daily = random_walk(["BTC"], 3)
    dollars = random_walk(["BTC"], 3, quote="USD", seed=5)
    assert lake.upsert(pl.concat([hourly, daily, dollars])).inserted == 9
    assert_frame_equal(lake.read("1h"), hourly)
    assert_frame_equal(lake.read("1d"), ordered(pl.concat([dollars, daily])))


def test_symbols_restrict_what_is_read(lake: CandleLake) -> None:
    candles = random_walk(["BTC", "ETH", "LTC"], 5)
    lake.upsert(candles)
    assert_frame_equal(lake.read("1d", symbols=["LTC", "BTC"]), ordered(candles.filter(pl.col("symbol") != "ETH")))
    assert lake.read("1d", symbols=[]).is_empty()
    assert lake.read("1d", symbols=["none", "' OR ''='"]).is_empty()


def test_times_restrict_what_is_read_from_one_to_before_the_other(lake: CandleLake) -> None:
    candles = random_walk(["BTC", "ETH"], 10)
    for days in ([0, 1], [2, 3], [4, 5, 6], [7, 8, 9]):
        lake.upsert(candles.filter(pl.col("time").is_in([START + day * DAILY.step for day in days])))
    third, sixth = START + timedelta(days=3), START + timedelta(days=6)
    inside = (pl.col("time") >= third) & (pl.col("time") < sixth)
    assert_frame_equal(lake.read("1d", since=third, until=sixth), candles.filter(inside))
    assert_frame_equal(lake.read("1d", since=third), candles.filter(pl.col("time") >= third))
    btc = candles.filter(pl.col("time") < sixth, symbol="BTC")
    assert_frame_equal(lake.read("1d", symbols=["BTC"], until=sixth), btc)
    assert lake.read("1d", since=sixth, until=third).is_empty()


def test_an_unknown_interval_is_refused(lake: CandleLake) -> None:
    lake.upsert(random_walk(["BTC"], 3))
    for ask in (lambda: lake.read("1w"), lambda: lake.recent("1w", 3), lambda: lake.series("' OR 1=1")):
        with pytest.raises(InvalidInput, match="unknown interval"):
            ask()


def test_any_version_can_be_read_again(lake: CandleLake) -> None:
    candles = random_walk(["BTC"], 10)
    for count in (4, 7, 10):
        lake.upsert(candles.head(count))
    assert [lake.read("1d", version=version).height for version in range(3)] == [4, 7, 10]


@pytest.mark.parametrize("version", [-1, 1, 99])
def test_a_version_that_never_was_is_refused(lake: CandleLake, version: int) -> None:
    with pytest.raises(InvalidInput, match=f"no version {version}"):
        lake.read("1d", version=version)
    lake.upsert(random_walk(["BTC"], 2))
    with pytest.raises(InvalidInput, match=f"no version {version}"):
        lake.read("1d", version=version)


def test_recent_gives_the_last_candles_of_every_series(lake: CandleLake) -> None:
    candles = pl.concat([random_walk(["BTC", "ETH"], 60), random_walk(["BTC"], 60, quote="USD")])
    lake.upsert(candles)
    wanted = ordered(candles).group_by("symbol", "quote", maintain_order=True).tail(7).select(candles.columns)
    assert_frame_equal(lake.recent("1d", 7), wanted)


def test_recent_reaches_back_for_series_that_stopped_have_gaps_or_are_short(lake: CandleLake) -> None:
    live = random_walk(["LIVE"], 100)
    stopped = random_walk(["DEAD"], 20)
    holed = random_walk(["GAPS"], 100).gather_every(3)
    young = random_walk(["NEW"], 100).tail(2)
    candles = pl.concat([live, stopped, holed, young])
    lake.upsert(candles)
    found = lake.recent("1d", 5)
    wanted = ordered(candles).group_by("symbol", "quote", maintain_order=True).tail(5).select(candles.columns)
    assert_frame_equal(found, wanted)
    assert found.filter(symbol="DEAD")["time"].max() == START + timedelta(days=19)


def test_recent_of_an_interval_that_is_not_there_is_empty(lake: CandleLake) -> None:
    lake.upsert(random_walk(["BTC"], 3))
    assert lake.recent("1h", 5).is_empty()
    assert lake.recent("1d", 0).is_empty()


def test_series_say_how_far_they_reach(lake: CandleLake) -> None:
    lake.upsert(pl.concat([random_walk(["ETH", "BTC"], 3), random_walk(["BTC"], 2, HOURLY)]))
    found = [(s.symbol, s.quote, s.interval, s.first, s.last, s.candles) for s in lake.series()]
    daily = (START, START + 2 * DAILY.step, 3)
    assert found == [
        ("BTC", "USDT", "1d", *daily),
        ("BTC", "USDT", "1h", START, START + HOURLY.step, 2),
        ("ETH", "USDT", "1d", *daily),
    ]
    assert [s.symbol for s in lake.series("1h")] == ["BTC"]
    assert all(s.first.tzinfo is UTC for s in lake.series())


def test_spans_are_the_unbroken_runs_of_each_series(lake: CandleLake) -> None:
    assert lake.spans("1d") == []
    walk = random_walk(["BTC", "ETH"], 10)
    kept = walk.filter(~((pl.col("symbol") == "BTC") & pl.col("time").dt.day().is_in([1, 4, 5, 9])))
    lake.upsert(pl.concat([kept, random_walk(["BTC"], 2, quote="USD"), random_walk(["BTC"], 2, HOURLY)]))

    def days(**options: Any) -> list[tuple[str, str, int, int, int]]:
        return [
            (s.symbol, s.quote, s.first.day, s.last.day, s.candles)
            for s in lake.spans("1d", **options)
            if s.interval == "1d" and s.first.tzinfo is UTC
        ]

    btc = [("BTC", "USDT", 2, 3, 2), ("BTC", "USDT", 6, 8, 3), ("BTC", "USDT", 10, 10, 1)]
    assert days() == [("BTC", "USD", 1, 2, 2), *btc, ("ETH", "USDT", 1, 10, 10)]
    assert days(since=START + timedelta(days=6)) == [
        ("BTC", "USDT", 7, 8, 2),
        ("BTC", "USDT", 10, 10, 1),
        ("ETH", "USDT", 7, 10, 4),
    ]
    lake.upsert(walk.filter(pl.col("time").dt.day() == 4).with_columns(source=pl.lit("o'ther")))
    assert days(leaving_out=["o'ther", "nobody"])[1:] == [
        *btc,
        ("ETH", "USDT", 1, 3, 3),
        ("ETH", "USDT", 5, 10, 6),
    ]
    assert days(leaving_out=["invented"]) == [("BTC", "USDT", 4, 4, 1), ("ETH", "USDT", 4, 4, 1)]
    with pytest.raises(InvalidInput, match="unknown interval"):
        lake.spans("1w")


def test_candles_off_the_grid_are_runs_of_their_own(lake: CandleLake) -> None:
    odd = random_walk(["BTC"], 1, start=START + timedelta(days=2, hours=7))
    lake.upsert(pl.concat([random_walk(["BTC"], 4), odd]))
    assert sum(span.candles for span in lake.spans("1d")) == 5
    assert len(lake.spans("1d")) == 3


def test_an_upsert_tells_what_it_did_to_each_series(lake: CandleLake) -> None:
    walk = random_walk(["BTC", "ETH"], 5)
    lake.upsert(walk.head(8))
    done = lake.upsert(
        pl.concat(
            [
                walk.with_columns(volume=pl.when(symbol="ETH").then(1.5).otherwise("volume")),
                random_walk(["BTC"], 2, HOURLY),
            ]
        )
    )
    assert dict(done.series) == {
        ("BTC", "USDT", "1d"): (0, 0, 5),
        ("ETH", "USDT", "1d"): (2, 3, 0),
        ("BTC", "USDT", "1h"): (2, 0, 0),
    }


def test_times_keep_their_microseconds_and_zone(lake: CandleLake) -> None:
    odd = random_walk(["BTC"], 1, start=datetime(1999, 12, 31, 23, 59, 59, 123456, tzinfo=UTC))
    lake.upsert(odd)
    assert_frame_equal(lake.read("1d"), odd)
    assert_frame_equal(lake.recent("1d", 1), odd)
    assert lake.upsert(odd).unchanged == 1


def test_extra_columns_and_their_order_do_not_matter(lake: CandleLake) -> None:
    candles = random_walk(["BTC"], 2)
    lake.upsert(candles.with_columns(row=1).select(reversed([*candles.columns, "row"])))
    assert_frame_equal(lake.read("1d"), candles)


def broken_frames() -> dict[str, pl.DataFrame]:
    good = random_walk(["BTC"], 2)
    return {
        "no close": good.drop("close"),
        "text for a price": good.with_columns(pl.col("close").cast(pl.String)),
        "naive time": good.with_columns(pl.col("time").dt.replace_time_zone(None)),
        "null symbol": good.with_columns(symbol=pl.lit(None, pl.String)),
        "null price": good.with_columns(close=pl.lit(None, pl.Float64)),
        "unknown interval": good.with_columns(interval=pl.lit("../1d")),
    }


@pytest.mark.parametrize("case", broken_frames())
def test_a_frame_that_is_not_candles_is_refused_whole(lake: CandleLake, case: str) -> None:
    with pytest.raises(InvalidInput):
        lake.upsert(broken_frames()[case])
    assert lake.version() is None


def test_an_optimized_lake_holds_the_same_candles_and_the_second_time_nothing_is_new(lake: CandleLake) -> None:
    assert lake.optimize().version is None
    candles = pl.concat([random_walk(["BTC", "ETH"], 6), random_walk(["BTC"], 6, HOURLY)])
    versions = [
        lake.upsert(
            candles.filter(pl.col("time") < START + count * pl.col("interval").replace_strict(STEPS))
        ).version
        for count in range(1, 7)
    ]
    revised = candles.with_columns(volume=pl.when(pl.col("time") == START).then(7.5).otherwise("volume"))
    lake.upsert(revised)
    read = [lake.read("1d"), lake.read("1h"), lake.recent("1d", 3), lake.recent("1h", 3)]
    steps: list[tuple[str, int, int]] = []
    done = lake.optimize(told=lambda *step: steps.append(step))
    assert [place for _, place, _ in steps] == list(range(steps[0][2]))
    assert done.version == lake.version()
    assert done.removed == 0
    for before, after in zip(
        read, [lake.read("1d"), lake.read("1h"), lake.recent("1d", 3), lake.recent("1h", 3)], strict=True
    ):
        assert_frame_equal(before, after)
    assert lake.read("1d", version=versions[3]).height == 8
    again = lake.optimize()
    assert (again.files_before, again.files, again.version) == (done.files, done.files, done.version)
    assert lake.upsert(revised).unchanged == revised.height
    assert lake.upsert(random_walk(["BTC"], 7)).inserted == 1


def test_files_are_kept_for_a_week_at_least(lake: CandleLake) -> None:
    with pytest.raises(InvalidInput, match="7 days"):
        lake.optimize(keep=timedelta(days=6))


def test_without_replacing_what_is_held_stays_and_what_is_new_arrives(lake: CandleLake) -> None:
    held = random_walk(["BTC"], 10)
    lake.upsert(held)
    other = random_walk(["BTC"], 12, seed=1)
    assert lake.upsert(other, replace=False) == Upsert(2, 0, 10, 1)
    assert_frame_equal(lake.read("1d"), pl.concat([held, other.tail(2)]))
    assert lake.upsert(other, replace=False) == Upsert(0, 0, 12, 1)


def test_a_stretch_of_time_is_read_from_its_first_open_on_and_before_its_end(lake: CandleLake) -> None:
    candles = random_walk(["BTC", "ETH"], 10)
    lake.upsert(candles)
    first, end = START + 3 * DAILY.step, START + 6 * DAILY.step
    inside = candles.filter(pl.col("time") >= first, pl.col("time") < end)
    assert_frame_equal(lake.read("1d", since=first, until=end), inside)
    assert_frame_equal(lake.read("1d", since=first), candles.filter(pl.col("time") >= first))
    assert lake.read("1d", until=START).is_empty()


def test_series_since_a_moment_are_those_of_candles_from_then_on(lake: CandleLake) -> None:
    lake.upsert(pl.concat([random_walk(["BTC"], 10), random_walk(["OLD"], 3)]))
    (found,) = lake.series("1d", since=START + 7 * DAILY.step)
    assert (found.symbol, found.first, found.candles) == ("BTC", START + 7 * DAILY.step, 3)
    assert lake.series(since=START + 20 * DAILY.step) == []


def test_the_last_candles_of_several_intervals_are_each_held(lake: CandleLake) -> None:
    daily, hourly = random_walk(["BTC"], 10), random_walk(["BTC"], 50, HOURLY)
    lake.upsert(pl.concat([daily.head(9), hourly]))
    for _ in range(2):
        assert_frame_equal(lake.recent("1d", 3), daily.head(9).tail(3))
        assert_frame_equal(lake.recent("1h", 5), hourly.tail(5))
    lake.upsert(daily)
    assert_frame_equal(lake.recent("1d", 3), daily.tail(3))
    assert_frame_equal(lake.recent("1h", 5), hourly.tail(5))
