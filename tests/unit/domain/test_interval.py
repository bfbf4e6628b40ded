from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cripto.domain.interval import INTERVALS, infer_interval, parse_interval
from cripto.errors import InvalidInput

DAY = datetime(2025, 6, 30, tzinfo=UTC)
times = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize("name", ["", "1D", "3d", "60", "1d "])
def test_an_unknown_interval_is_refused_with_those_known(name: str) -> None:
    with pytest.raises(InvalidInput, match="1h"):
        parse_interval(name)


@given(times, st.sampled_from(sorted(INTERVALS)))
def test_the_floor_is_the_last_aligned_time(time: datetime, name: str) -> None:
    interval = INTERVALS[name]
    floor = interval.floor(time)
    assert interval.is_aligned(floor)
    assert floor <= time < floor + interval.step


def test_every_interval_divides_a_day() -> None:
    assert all(86400 % interval.seconds == 0 for interval in INTERVALS.values())


def test_candles_missed_are_whole_candles_closed_since() -> None:
    hour = INTERVALS["1h"]
    assert hour.missed_since(DAY, DAY) == 0
    assert hour.missed_since(DAY, DAY + timedelta(minutes=59, seconds=59)) == 0
    assert hour.missed_since(DAY, DAY + timedelta(hours=1)) == 1
    assert hour.missed_since(DAY, DAY + timedelta(days=2)) == 48


def test_a_clock_behind_the_candle_misses_nothing() -> None:
    assert INTERVALS["1d"].missed_since(DAY, DAY - timedelta(days=400)) == 0


def test_the_commonest_spacing_is_the_interval_even_with_gaps() -> None:
    opens = [DAY + timedelta(days=n) for n in (0, 1, 2, 3, 16, 17, 18)]
    assert infer_interval(opens) is INTERVALS["1d"]


@pytest.mark.parametrize("days", [[], [0], [0, 3, 6]])
def test_too_few_times_or_an_odd_spacing_infer_nothing(days: list[int]) -> None:
    with pytest.raises(InvalidInput):
        infer_interval([DAY + timedelta(days=n) for n in days])


@pytest.mark.parametrize(("name", "seconds"), [("1m", 6), ("5m", 30), ("15m", 60), ("1h", 60), ("1d", 60)])
def test_a_candle_is_granted_a_tenth_of_its_length_and_a_minute_at_most(name: str, seconds: int) -> None:
    assert INTERVALS[name].grace == timedelta(seconds=seconds)
