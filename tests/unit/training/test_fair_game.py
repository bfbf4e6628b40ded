import math

import numpy as np
import pytest

from cripto.training.fair_game import fair_share


@pytest.mark.parametrize("deviation", [0.01, 0.05, 0.3])
def test_share_is_that_of_a_lognormal_martingale(deviation: float) -> None:
    """Drawn, not derived: returns whose expected price is today's, and how many of them rise."""
    returns = np.random.default_rng(0).normal(-(deviation**2) / 2, deviation, 2_000_000)
    assert np.exp(returns).mean() == pytest.approx(1.0, abs=4 * deviation / math.sqrt(len(returns)))
    assert fair_share(float(np.abs(returns).mean())) == pytest.approx((returns > 0).mean(), abs=0.002)


def test_price_that_hardly_moves_is_a_coin() -> None:
    assert fair_share(0.0) == 0.5
    assert fair_share(1e-6) == pytest.approx(0.5)
