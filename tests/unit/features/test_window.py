import numpy as np
import numpy.typing as npt
import pytest

from cripto.features._series import close, log_return, low
from cripto.features._window import Array, Candles, Window, ratio


def window_of(prices: list[float]) -> Window:
    values = np.array(prices)
    return Window(Candles(values, values, values, values, values, np.arange(len(values))))


PRICES = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]


def test_past_shifts_by_whole_candles() -> None:
    assert window_of(PRICES).past(close, 2)[2:].tolist() == PRICES[:-2]


def test_reductions_take_the_last_values_only() -> None:
    window = window_of(PRICES)
    for width in (3, 2, 5, 1):  # shorter after longer too
        for place in range(width - 1, len(PRICES)):
            part = PRICES[place - width + 1 : place + 1]
            assert window.total(close, width)[place] == sum(part)
            assert window.highest(close, width)[place] == max(part)
            assert window.lowest(low, width)[place] == min(part)
            assert window.drift(close, width)[place] == pytest.approx(np.mean(part) - PRICES[place])
            assert window.variance(close, width)[place] == pytest.approx(np.var(part))


def test_a_longer_window_going_on_from_a_shorter_one_has_the_bits_of_one_reduced_at_once() -> None:
    prices = np.exp(np.random.default_rng(0).normal(0, 1, 200)).tolist()
    stepwise, at_once = window_of(prices), window_of(prices)
    for width in (2, 3, 11, 50):
        stepwise.total(close, width)
        stepwise.drift(close, width)
    assert (stepwise.total(close, 60) == at_once.total(close, 60)).all()
    assert (stepwise.variance(close, 60) == at_once.variance(close, 60)).all()


def test_the_variance_of_a_flat_window_is_exactly_zero_at_any_price() -> None:
    for price in (0.1, 1e-12, 7e11):
        assert window_of([price] * 30).variance(close, 20)[-1] == 0.0
        assert window_of([price] * 30).drift(close, 20)[-1] == 0.0


def test_a_series_is_computed_once() -> None:
    calls = []

    def counted(window: Window) -> Array:
        calls.append(1)
        return window.of(close)

    window = window_of(PRICES)
    window.total(counted, 3)
    window.highest(counted, 2)
    assert len(calls) == 1


def test_reductions_do_not_write_to_their_series() -> None:
    window = window_of(PRICES)
    for reduce in (window.total, window.highest, window.lowest, window.drift, window.variance):
        reduce(close, 4)
    assert window.of(close).tolist() == PRICES


def test_ratio_has_a_defined_value_over_zero() -> None:
    assert ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0]), otherwise=0.5).tolist() == [0.25, 0.5]


def test_a_return_does_not_see_a_power_of_two_in_prices() -> None:
    prices = np.exp(np.random.default_rng(1).normal(0, 1, 100))
    assert (
        window_of(prices.tolist()).of(log_return) == window_of((prices * 2.0**-30).tolist()).of(log_return)
    ).all()


VALUES: npt.NDArray[np.float64] = np.exp(np.random.default_rng(2).normal(0, 6, 5003))


@pytest.mark.parametrize(
    "function", [np.log, lambda x: np.log1p(x - VALUES.min()), np.sqrt], ids=["log", "log1p", "sqrt"]
)
def test_bits_of_numpy_functions_do_not_depend_on_length_or_alignment(function: np.ufunc) -> None:
    """Vectorised main loops and tails could round differently; features rely on it that they do not."""
    whole = function(VALUES)
    alone = np.concatenate([function(VALUES[place : place + 1]) for place in range(len(VALUES))])
    assert (whole.view(np.int64) == alone.view(np.int64)).all()
    for offset in range(1, 9):
        assert (function(VALUES[offset:]).view(np.int64) == whole[offset:].view(np.int64)).all()
        assert (function(VALUES[: offset + 3]).view(np.int64) == whole[: offset + 3].view(np.int64)).all()
