"""Medians and ratios, on numbers whose answers are plain."""

import pytest

from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.summary import median_of, percentile, ratio_of_rounds


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    # a machine that halves its speed after the first round moves neither ratio; dividing medians would say 0.4
    assert ratio_of_rounds([80, 20, 40], [100, 50, 50]) == 0.8
    assert ratio_of_rounds([300], [100]) == 3


@pytest.mark.parametrize(("ones", "others"), [([1, 2], [1]), ([], []), ([1], [0])])
def test_rounds_that_do_not_pair_are_no_measurement(ones: list[float], others: list[float]) -> None:
    with pytest.raises(Unmeasured):
        ratio_of_rounds(ones, others)


def test_medians() -> None:
    assert median_of([5, 1, 100]) == 5
    assert median_of([1, 3]) == 2
    with pytest.raises(Unmeasured):
        median_of([])


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_was_seen(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.5)])
def test_no_percentile_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(Unmeasured):
        percentile(values, share)
