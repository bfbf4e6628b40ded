import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cripto.training.scores.resampling import (
    MINIMUM_DAYS,
    Resampling,
    block_days,
    day_numbers,
    sums_by_day,
)
from tests.unit.training.scores.toys import days


@pytest.mark.parametrize(("count", "block"), [(1, 5), (30, 7), (365, 15), (1600, 24), (8000, 40)])
def test_blocks_grow_with_twice_the_cube_root_of_the_days(count: int, block: int) -> None:
    assert block_days(count) == block


def test_hours_of_one_day_are_one_observation() -> None:
    time = np.datetime64("2024-01-01", "us") + np.arange(48) * np.timedelta64(1, "h")
    day, count = day_numbers(time)
    assert count == 2
    assert day.tolist() == [0] * 24 + [1] * 24


def test_no_row_is_no_day() -> None:
    assert day_numbers(np.array([], dtype="datetime64[us]"))[1] == 0


@given(st.integers(1, 60), st.integers(0, 5), st.integers(1, 4))
def test_sums_of_a_draw_are_those_of_its_blocks(count: int, seed: int, columns: int) -> None:
    """The slow, obvious way: walk each drawn block day by day."""
    draws = Resampling(count, seed, draws=7)
    daily = np.random.default_rng(seed).normal(size=(count, columns))
    expected = [
        sum(
            (daily[(start + place) % count] for start in starts for place in range(draws.block)), np.zeros(columns)
        )
        for starts in draws._starts
    ]
    np.testing.assert_allclose(draws.sums(daily), expected, atol=1e-9)


def test_every_day_is_as_likely_to_be_drawn() -> None:
    draws = Resampling(200, 3)
    drawn = draws.sums(np.eye(200)).mean(axis=0)
    assert drawn.std() / drawn.mean() < 0.05


def test_equal_seeds_draw_equal_days_and_others_do_not() -> None:
    daily = np.random.default_rng(0).normal(size=(100, 2))
    one, same, other = (Resampling(100, seed).sums(daily) for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize(("count", "given"), [(MINIMUM_DAYS - 1, False), (MINIMUM_DAYS, True)])
def test_few_days_have_no_interval(count: int, given: bool) -> None:
    draws = Resampling(count, 0)
    assert (draws.bounds(draws.sums(np.ones((count, 1)))[:, 0]) is not None) is given


def test_draws_without_a_value_have_no_interval() -> None:
    assert Resampling(100, 0).bounds(np.array([1.0, np.nan])) is None


@pytest.mark.parametrize("level", [0.95, 0.99, 0.999])
def test_intervals_hold_the_truth_about_as_often_as_they_say(level: float) -> None:
    """Means of days that go on from one another, 60 and 400 of them: the stretch is what few days need."""
    random = np.random.default_rng(0)
    for count in (60, 400):
        draws = Resampling(count, 1)
        held = 0
        for _ in range(300):
            noise = random.standard_t(4, count + 1)
            mean = (noise[1:] + 0.3 * noise[:-1]).reshape(-1, 1)
            low, high = draws.bounds(draws.sums(mean)[:, 0] / (draws.block * draws.blocks), level) or (1.0, -1.0)
            held += low <= 0 <= high
        assert held / 300 > level - 0.035, count


def test_assets_that_move_together_add_nothing_to_what_is_known() -> None:
    one = np.random.default_rng(0).normal(size=200)
    alone, together = days(200), days(200, 50)
    intervals = []
    for time, values in ((alone, one), (together, np.repeat(one, 50))):
        day, count = day_numbers(time)
        draws = Resampling(count, 0)
        drawn = draws.sums(sums_by_day(day, count, [values, np.ones(len(values))]))
        intervals.append(draws.bounds(drawn[:, 0] / drawn[:, 1]))
    assert intervals[0] == pytest.approx(intervals[1])
