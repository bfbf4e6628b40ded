import itertools
from collections.abc import Iterable
from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cripto.domain.candle import Series
from cripto.market.planning import (
    Stretch,
    held_stretches,
    joined,
    missing,
    settled_before,
    told_stretches,
    without,
)
from tests.doubles.candles import DAILY, START

Days = list[tuple[int, int]]
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)


def stretch(start: float, end: float) -> Stretch:
    return Stretch(START + start * DAILY.step, START + end * DAILY.step)


def stretches(*spans: tuple[int, int]) -> list[Stretch]:
    return [stretch(*span) for span in spans]


def days(found: Iterable[Stretch]) -> set[int]:
    return {
        day
        for item in found
        for day in range((item.start - START) // DAILY.step, (item.end - START) // DAILY.step)
    }


def wanted(held: Days, since: float = 0, until: int = 1000, again: int = 3, empty: Days = []) -> Days:  # noqa: B006
    found = missing(
        stretches(*held), stretches(*empty), START + since * DAILY.step, stretch(0, until).end, DAILY, again
    )
    return [((item.start - START) // DAILY.step, (item.end - START) // DAILY.step) for item in found]


@given(SPANS, SPANS)
def test_joined_and_without_are_the_union_and_the_difference_in_order(one: Days, two: Days) -> None:
    ones, twos = stretches(*one), stretches(*two)
    assert days(joined(ones)) == days(ones)
    assert days(without(ones, twos)) == days(ones) - days(twos)
    for found in (joined(ones), without(ones, twos)):
        assert found == sorted(found)
        assert all(a.end < b.start for a, b in itertools.pairwise(found))
        assert all(item.start < item.end for item in found)


@given(SPANS, SPANS, st.integers(-5, 70), st.integers(0, 70), st.integers(0, 4))
def test_all_that_is_missing_is_asked_for_and_nothing_outside_the_times(
    held: Days, empty: Days, since: int, until: int, again: int
) -> None:
    asked = set()
    for start, end in wanted(held, since, until, again, empty):
        assert start < end
        asked |= set(range(start, end))
    gaps = set(range(since, until)) - days(stretches(*held)) - days(stretches(*empty))
    assert gaps <= asked <= set(range(since, until))


def test_nothing_held_is_one_stretch_and_everything_held_only_the_last_again_with_the_one_before() -> None:
    assert wanted([]) == [(0, 1000)]
    assert wanted([(0, 1000)]) == [(996, 1000)]
    assert wanted([(0, 1000)], again=0) == []
    assert wanted([(0, 2)], until=2) == [(0, 2)]


def test_before_the_first_gaps_and_after_the_last_each_begin_with_a_neighbour() -> None:
    assert wanted([(300, 500), (510, 700)]) == [(0, 300), (499, 510), (696, 1000)]


def test_gaps_less_than_a_page_apart_are_asked_for_at_once() -> None:
    assert wanted([(0, 10), (11, 100), (102, 1000)]) == [(9, 102), (996, 1000)]


def test_what_is_known_to_be_empty_is_not_asked_for() -> None:
    assert wanted([(300, 500), (510, 1000)], empty=[(0, 300), (500, 510)]) == [(996, 1000)]
    assert wanted([], until=5, empty=[(0, 5)]) == []


def test_a_since_within_a_candle_begins_with_the_next() -> None:
    assert wanted([], since=0.3, until=4) == [(1, 4)]
    assert wanted([], since=9, until=4) == []


def test_runs_and_times_become_stretches() -> None:
    runs = [Series("BTC", "USDT", "1d", START, START + DAILY.step, 2)]
    assert held_stretches(runs, DAILY) == stretches((0, 2))
    times = pl.Series([START + day * DAILY.step for day in (0, 1, 2, 5)])
    assert told_stretches(times, DAILY) == stretches((0, 3), (5, 6))
    assert told_stretches(times.head(3), DAILY) == stretches((0, 3))
    assert told_stretches(times.clear(), DAILY) == []


def test_what_is_a_few_candles_and_an_hour_old_comes_no_more() -> None:
    from cripto.domain.interval import INTERVALS

    assert settled_before(START, DAILY) == START - 3 * DAILY.step
    assert settled_before(START, INTERVALS["1m"]) == START - timedelta(hours=1)
