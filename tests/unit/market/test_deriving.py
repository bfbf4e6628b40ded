from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.domain.interval import INTERVALS
from cripto.errors import InvalidInput
from cripto.market.deriving import derive, derived, parts_of
from cripto.market.lake import MemoryLake
from cripto.market.schema import CANDLE_SCHEMA
from tests.doubles.candles import DAILY, HOURLY, START, random_walk

FOUR = INTERVALS["4h"]


class WatchedLake(MemoryLake):
    """Keeps how many candles each read gave."""

    def __init__(self) -> None:
        super().__init__()
        self.heights: list[int] = []

    def read(self, interval: str, **options: object) -> pl.DataFrame:
        found = super().read(interval, **options)  # type: ignore[arg-type]
        self.heights.append(found.height)
        return found


def row(hour: int, prices: tuple[float, float, float, float], volume: float, source: str) -> tuple[object, ...]:
    return ("BTC", "USDT", "1h", START + timedelta(hours=hour), *prices, volume, source)


def test_a_candle_is_the_first_open_the_extremes_the_last_close_and_all_volume() -> None:
    hours = [
        row(3, (4.0, 6.0, 3.0, 5.0), 4.0, "kraken"),
        row(0, (1.0, 2.0, 0.5, 2.0), 1.0, "kraken"),
        row(2, (3.0, 9.0, 3.0, 4.0), 3.0, "binance"),
        row(1, (2.0, 3.0, 2.0, 3.0), 2.0, "kraken+coinbase"),
        row(4, (5.0, 5.0, 5.0, 5.0), 1.0, "kraken"),
    ]
    made = derived(pl.DataFrame(hours, schema=CANDLE_SCHEMA, orient="row"), HOURLY, FOUR)
    assert made.rows() == [
        ("BTC", "USDT", "4h", START, 1.0, 9.0, 0.5, 5.0, 10.0, "binance+coinbase+kraken"),
    ]


def test_candles_beside_the_grid_or_told_twice_complete_nothing() -> None:
    hours = random_walk(["BTC"], 4, HOURLY)
    beside = hours.with_columns(pl.col("time").replace(START, START + timedelta(minutes=1)))
    assert derived(beside, HOURLY, FOUR).is_empty()
    assert derived(pl.concat([hours.head(3), hours.head(1)]), HOURLY, FOUR).is_empty()
    assert_frame_equal(derived(pl.concat([hours, hours]), HOURLY, FOUR), derived(hours, HOURLY, FOUR))


def test_days_begin_at_midnight_utc() -> None:
    hours = random_walk(["BTC"], 24, HOURLY, START + timedelta(hours=5))
    assert derived(hours, HOURLY, DAILY).is_empty()
    assert derived(random_walk(["BTC"], 24, HOURLY), HOURLY, DAILY)["time"].to_list() == [START]


@pytest.mark.parametrize(("finer", "coarser"), [("1h", "1h"), ("4h", "1h"), ("4h", "6h")])
def test_intervals_that_do_not_fit_are_refused(finer: str, coarser: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be made"):
        parts_of(INTERVALS[finer], INTERVALS[coarser])


def test_candles_of_another_interval_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not all candles of 1h"):
        derived(random_walk(["BTC"], 3), HOURLY, FOUR)


def test_nothing_is_made_of_nothing() -> None:
    assert derived(pl.DataFrame(schema=CANDLE_SCHEMA), HOURLY, DAILY).schema == CANDLE_SCHEMA
    assert derive(MemoryLake(), HOURLY, DAILY).version is None


def test_a_lake_is_worked_through_in_small_pieces_with_the_same_outcome() -> None:
    hours = random_walk([f"A{number}" for number in range(7)], 24 * 9, HOURLY)
    whole, pieces = MemoryLake(), WatchedLake()
    for lake in (whole, pieces):
        lake.upsert(hours)
    heard: list[tuple[int, int]] = []
    assert derive(whole, HOURLY, DAILY).inserted == 63
    done = derive(pieces, HOURLY, DAILY, rows_at_once=24 * 5, told=lambda *now: heard.append(now))
    assert done.inserted == 63
    assert max(pieces.heights) <= 24 * 5
    assert heard[-1] == (len(heard) - 1,) * 2
    assert_frame_equal(pieces.read("1d"), whole.read("1d"))


def test_who_follows_derives_from_the_candle_that_holds_a_moment() -> None:
    lake = WatchedLake()
    lake.upsert(random_walk(["BTC"], 24 * 10, HOURLY))
    done = derive(lake, HOURLY, DAILY, START + timedelta(days=8, hours=7))
    assert done.inserted == 2
    assert lake.heights == [48]
    assert derive(lake, HOURLY, DAILY, datetime(2030, 1, 1, tzinfo=UTC)).inserted == 0


def test_a_revised_part_changes_what_was_made_only_where_that_is_asked_for() -> None:
    lake = MemoryLake()
    hours = random_walk(["BTC"], 24, HOURLY)
    lake.upsert(hours)
    derive(lake, HOURLY, DAILY)
    lake.upsert(hours.with_columns(volume=pl.col("volume") * 2))
    assert derive(lake, HOURLY, DAILY).unchanged == 1
    assert derive(lake, HOURLY, DAILY, replace=True).updated == 1
