"""Laws of upserts and of validation, on invented candles."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cripto.domain.candle import CANDLE_COLUMNS, CANDLE_KEY
from cripto.market.lake import MemoryLake
from cripto.market.schema import CANDLE_SCHEMA
from cripto.market.validation import validate
from tests.doubles.candles import DAILY, START

LATER = datetime(2030, 1, 1, tzinfo=UTC)

prices = st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0])
odd_numbers = st.one_of(prices, st.sampled_from([0.0, -1.0, float("nan"), float("inf")]), st.none())


def rows(numbers: st.SearchStrategy[float | None], *, names: list[str | None]) -> st.SearchStrategy[pl.DataFrame]:
    times = st.one_of(
        st.integers(0, 6).map(lambda day: START + timedelta(days=day)),
        st.just(START + timedelta(hours=5)) if None in names else st.nothing(),
    )
    row = st.tuples(
        st.sampled_from(names),
        st.sampled_from(["USDT", "USD"]),
        st.just("1d"),
        times,
        *([numbers] * 5),
        st.sampled_from(["one", "two"]),
    )
    return st.lists(row, max_size=25).map(lambda found: pl.DataFrame(found, schema=CANDLE_SCHEMA, orient="row"))


candles = rows(prices, names=["BTC", "ETH"])
raw_rows = rows(odd_numbers, names=["BTC", "ETH", "eth", "", None])


def lake_after(*frames: pl.DataFrame) -> MemoryLake:
    lake = MemoryLake()
    for frame in frames:
        lake.upsert(frame)
    return lake


@given(candles)
def test_an_upsert_repeated_changes_nothing(frame: pl.DataFrame) -> None:
    lake = lake_after(frame)
    before, held = lake.version(), lake.read("1d")
    again = lake.upsert(frame)
    assert (again.inserted, again.updated, lake.version()) == (0, 0, before)
    assert_frame_equal(lake.read("1d"), held)


@given(candles, st.randoms(use_true_random=False))
def test_distinct_keys_may_come_in_any_order_and_in_any_parts(frame: pl.DataFrame, chance: object) -> None:
    distinct = frame.unique(CANDLE_KEY, keep="last", maintain_order=True)
    order = list(range(distinct.height))
    chance.shuffle(order)  # type: ignore[attr-defined]
    cut = len(order) // 2
    parts = lake_after(distinct[order[:cut]], distinct[order[cut:]])
    assert_frame_equal(parts.read("1d"), lake_after(distinct).read("1d"))


@given(candles, candles)
def test_the_last_write_of_a_key_wins(first: pl.DataFrame, second: pl.DataFrame) -> None:
    wanted = {row[:4]: row for frame in (first, second) for row in frame.iter_rows()}
    held = {row[:4]: row for row in lake_after(first, second).read("1d").iter_rows()}
    assert held == wanted
    assert_frame_equal(lake_after(pl.concat([first, second])).read("1d"), lake_after(first, second).read("1d"))


@given(candles, candles)
def test_an_upsert_counts_every_key_once(first: pl.DataFrame, second: pl.DataFrame) -> None:
    lake = lake_after(first)
    held = lake.read("1d").height
    done = lake.upsert(second)
    assert done.inserted + done.updated + done.unchanged == second.select(CANDLE_KEY).n_unique()
    assert lake.read("1d").height == held + done.inserted


@given(raw_rows)
def test_what_was_accepted_is_accepted_again_unchanged(frame: pl.DataFrame) -> None:
    first = validate(frame, DAILY, LATER)
    again = validate(first.accepted, DAILY, LATER)
    assert_frame_equal(again.accepted, first.accepted)
    assert (again.quarantined, again.rules) == (0, {})


@given(raw_rows)
def test_every_row_is_accepted_or_in_quarantine(frame: pl.DataFrame) -> None:
    found = validate(frame, DAILY, LATER)
    assert found.accepted.height + found.quarantined == frame.height
    assert sum(found.rules.values()) == found.quarantine.height
    assert not found.accepted.select(CANDLE_KEY).is_duplicated().any()


@given(raw_rows)
def test_accepted_rows_are_rows_that_were_given(frame: pl.DataFrame) -> None:
    found = validate(frame, DAILY, LATER)
    assert found.accepted.join(frame, on=list(CANDLE_COLUMNS), how="anti").is_empty()
