from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cripto.domain.interval import INTERVALS, Interval
from cripto.errors import TrainingRefused
from cripto.training.splits import MINIMUM_ROWS, HoldOut, hold_out, to_datetime

DAILY = INTERVALS["1d"]
EPOCH = np.datetime64("2024-01-01", "us")


def times(steps: list[int], interval: Interval = DAILY) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.sort(EPOCH + np.array(steps) * np.timedelta64(interval.seconds, "s"))


def one_asset(rows: int) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return times(list(range(rows)))


def test_last_fifth_of_the_time_is_held_out() -> None:
    cut = hold_out(one_asset(1001), DAILY)
    assert cut.first_test == datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=800)
    assert cut.test_rows == 201
    assert cut.last_test == datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=1000)


def test_one_candle_is_left_out_between_the_parts() -> None:
    cut = hold_out(one_asset(1001), DAILY)
    assert cut.last_train == cut.first_test - timedelta(days=2)
    assert cut.train_rows == 799
    assert (cut.train, cut.test) == (slice(0, 799), slice(800, 1001))


def test_wider_embargo_leaves_more_out() -> None:
    cut = hold_out(one_asset(1001), DAILY, embargo=10)
    assert cut.last_train == cut.first_test - timedelta(days=11)


def test_embargo_is_never_shorter_than_the_horizon() -> None:
    assert hold_out(one_asset(1001), DAILY, embargo=0) == hold_out(one_asset(1001), DAILY)


@given(
    steps=st.lists(st.integers(0, 800), min_size=MINIMUM_ROWS, max_size=900),
    embargo=st.integers(0, 30),
    interval=st.sampled_from([INTERVALS["1d"], INTERVALS["1h"]]),
)
def test_no_training_target_closes_after_the_hold_out_begins(
    steps: list[int], embargo: int, interval: Interval
) -> None:
    time = times(steps, interval)
    try:
        cut = hold_out(time, interval, embargo)
    except TrainingRefused:
        return
    target_closes = time[cut.train] + 2 * np.timedelta64(interval.seconds, "s")
    assert target_closes.max() <= time[cut.test].min()
    assert time[: cut.start].max() < time[cut.test].min()
    assert cut.start + cut.test_rows == len(time)


def test_late_listings_leave_half_of_the_rows_for_training() -> None:
    early, crowded = list(range(500)), [step for step in range(450, 500) for _ in range(100)]
    time = times(early + crowded)
    cut = hold_out(time, DAILY)
    assert len(time) * 0.45 < cut.train_rows <= len(time) * 0.5
    assert cut.first_test > datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=450)


def test_delistings_leave_a_tenth_of_the_rows_for_the_hold_out() -> None:
    crowded, late = [step for step in range(50) for _ in range(100)], list(range(500))
    cut = hold_out(times(crowded + late), DAILY)
    assert cut.test_rows >= 550


def test_too_few_rows_are_refused_with_both_numbers() -> None:
    with pytest.raises(TrainingRefused, match=f"{MINIMUM_ROWS - 1} rows.*at least {MINIMUM_ROWS}"):
        hold_out(one_asset(MINIMUM_ROWS - 1), DAILY)


def test_least_rows_allowed_are_split() -> None:
    assert hold_out(one_asset(MINIMUM_ROWS), DAILY).train_rows >= MINIMUM_ROWS // 2


def test_rows_of_a_single_time_are_refused() -> None:
    with pytest.raises(TrainingRefused, match="only 0 of 300 rows lie before the hold-out"):
        hold_out(times([7] * 300), DAILY)


def test_boundaries_are_written_as_utc_times() -> None:
    cut = HoldOut(
        train_rows=2,
        start=3,
        test_rows=4,
        embargo=1,
        first_train=datetime(2024, 1, 1, tzinfo=UTC),
        last_train=datetime(2024, 1, 2, tzinfo=UTC),
        first_test=datetime(2024, 1, 4, tzinfo=UTC),
        last_test=datetime(2024, 1, 7, tzinfo=UTC),
    )
    assert cut.to_json() == {
        "embargo_candles": 1,
        "train": {"rows": 2, "first": "2024-01-01T00:00:00Z", "last": "2024-01-02T00:00:00Z"},
        "test": {"rows": 4, "first": "2024-01-04T00:00:00Z", "last": "2024-01-07T00:00:00Z"},
    }


def test_times_keep_their_microseconds() -> None:
    assert to_datetime(np.datetime64("2024-05-06T07:08:09.000001")) == datetime(2024, 5, 6, 7, 8, 9, 1, tzinfo=UTC)
