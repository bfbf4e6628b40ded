import numpy as np
import polars as pl
import pytest

from cripto.domain.interval import INTERVALS
from cripto.training.scores.reference import SCALE_ROWS, Reference, reference_of, season_of, seasonal
from cripto.training.scores.regimes import MARKET_DAYS, loudness, market_direction, terciles
from tests.doubles.candles import DAILY
from tests.unit.training.scores.toys import days


def test_drift_base_rate_and_scale_are_those_of_the_training_rows() -> None:
    few = SCALE_ROWS - 1
    symbol = pl.Series(["BTC"] * 40 + ["NEW"] * few)
    returns = np.concatenate([np.resize([0.02, -0.01], 40), np.full(few, 0.1)])
    reference = reference_of(returns, symbol)
    assert reference.drift == pytest.approx(returns.mean())
    assert reference.base_rate == pytest.approx((20 + few) / (40 + few))
    assert reference.scale == {"BTC": pytest.approx(0.015)}
    scales = reference.scales(pl.Series(["NEW", "BTC", "ETH"]))
    assert scales == pytest.approx([reference.pooled_scale, 0.015, reference.pooled_scale])
    assert Reference.from_json(reference.to_json()) == reference


def test_asset_that_never_moved_is_measured_on_the_scale_of_all() -> None:
    reference = reference_of(np.repeat([0.0, 0.1], 50), pl.Series(["FLAT"] * 50 + ["BTC"] * 50))
    assert reference.scales(pl.Series(["FLAT"]))[0] == pytest.approx(0.05)


@pytest.mark.parametrize(("name", "candles"), [("1d", 7), ("1h", 24), ("15m", 96), ("12h", 2)])
def test_season_is_a_week_of_days_or_a_day_of_anything_shorter(name: str, candles: int) -> None:
    assert season_of(INTERVALS[name]) == candles


def test_seasonal_forecast_is_the_same_assets_return_a_week_before_the_target() -> None:
    time = days(20, 2)
    symbol = pl.Series(["A", "B"] * 20)
    returns = np.arange(40.0)
    forecast = seasonal(time, symbol, returns, DAILY)
    assert np.isnan(forecast[:14]).all()
    assert forecast[14:].tolist() == returns[:26].tolist()


def test_candle_missing_a_week_ago_is_not_replaced_by_its_neighbour() -> None:
    kept = np.arange(20) != 5
    forecast = seasonal(days(20)[kept], pl.Series(["A"] * 19), np.arange(20.0)[kept], DAILY)
    assert np.isnan(forecast[11])  # the row of day 12
    assert forecast[12] == 6.0


def test_seasonal_forecast_knows_nothing_of_later_rows() -> None:
    time, symbol = days(60), pl.Series(["A"] * 60)
    returns = np.random.default_rng(0).normal(size=60)
    whole = seasonal(time, symbol, returns, DAILY)
    for cut in (10, 30, 59):
        changed = returns.copy()
        changed[cut:] += 1.0  # the targets of rows from ``cut`` on are not known when ``cut`` closes
        np.testing.assert_array_equal(seasonal(time, symbol, changed, DAILY)[: cut + 1], whole[: cut + 1])


def test_regimes_know_nothing_of_their_own_target_nor_of_later_ones() -> None:
    time, symbol = days(120, 2), pl.Series(["A", "B"] * 120)
    returns = np.random.default_rng(1).normal(size=240)
    loud, market = loudness(time, symbol, returns), market_direction(time, returns)
    for cut in (40, 81, 118):
        changed = returns.copy()
        changed[2 * cut :] *= -50.0
        np.testing.assert_array_equal(loudness(time, symbol, changed)[: 2 * cut + 2], loud[: 2 * cut + 2])
        np.testing.assert_array_equal(market_direction(time, changed)[: 2 * cut + 2], market[: 2 * cut + 2])


def test_loudness_is_the_deviation_of_the_last_thirty_returns_of_the_asset() -> None:
    returns = np.random.default_rng(2).normal(size=100)
    loud = loudness(days(100), pl.Series(["A"] * 100), returns)
    assert np.isnan(loud[:10]).all()
    assert loud[60] == pytest.approx(returns[30:60].std(ddof=1))


def test_market_rises_where_all_coins_together_did_over_the_last_days() -> None:
    returns = np.concatenate([np.full(50, 0.01), np.full(50, -0.01)])
    market = market_direction(days(100), returns)
    assert (market[: MARKET_DAYS // 2] == -1).all()
    assert (market[MARKET_DAYS // 2 : 51] == 1).all()
    assert (market[50 + MARKET_DAYS :] == 0).all()


def test_terciles_share_the_known_values_evenly() -> None:
    values = np.append(np.random.default_rng(0).permutation(30).astype(float), np.nan)
    third = terciles(values)
    assert np.bincount(third[:-1]).tolist() == [10, 10, 10]
    assert third[-1] == -1
    assert terciles(np.array([np.nan])).tolist() == [-1]


def test_scales_are_sums_in_the_order_of_rows() -> None:
    """An engine that sums in an order of its own gave other last bits from one process to the next."""
    random = np.random.default_rng(5)
    returns = random.normal(0.0, 0.03, 40_000)
    symbol = pl.Series(np.array(["ADA", "BTC", "ETH"])[random.integers(3, size=len(returns))])
    scale = reference_of(returns, symbol).scale
    assert list(scale) == ["ADA", "BTC", "ETH"]
    for name, found in scale.items():
        total, rows = 0.0, 0
        for value in np.abs(returns[(symbol == name).to_numpy()]).tolist():
            total, rows = total + value, rows + 1
        assert found == total / rows
