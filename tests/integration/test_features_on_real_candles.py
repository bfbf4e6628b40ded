"""The laws of features on real candles: every row of the daily file, samples for what is slow."""

import random
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from cripto.domain.interval import Interval
from cripto.features import build_features, default_spec, latest_features
from cripto.features._candles import read_candles
from cripto.features.builder import exact_features
from tests.doubles.candles import DAILY, HOURLY
from tests.doubles.feature_laws import (
    assert_altering_the_future_changes_no_past,
    assert_cutting_the_future_changes_no_past,
    assert_lookback_is_enough,
    assert_same_bits,
    complete_rows,
)
from tests.doubles.feature_oracle import bars_of, oracle

SPEC = default_spec()


@pytest.fixture(scope="module")
def daily(daily_file: Path) -> pl.DataFrame:
    return pl.read_parquet(daily_file).sort("symbol", "time")


@pytest.fixture(scope="module")
def gapped(gap_file: Path) -> pl.DataFrame:
    return pl.read_parquet(gap_file).sort("symbol", "time")


@pytest.fixture(scope="module")
def hourly(hourly_file: Path) -> pl.DataFrame:
    """Four of the hourly coins, one priced in millionths."""
    return pl.read_parquet(hourly_file).filter(pl.col("symbol").is_in(["BTC", "DOGE", "ETH", "PEPE"]))


def build(candles: pl.DataFrame, interval: Interval = DAILY) -> pl.DataFrame:
    return build_features(candles, SPEC, interval)


def assert_oracle_agrees(candles: pl.DataFrame, interval: Interval, places: list[int]) -> None:
    """At each of ``places`` of sorted ``candles``; at least half of them must have a complete window."""
    exact = exact_features(read_candles(candles, interval), SPEC)
    complete = complete_rows(candles, SPEC.lookback, interval)
    bars = bars_of(candles, interval)
    checked = [place for place in places if complete[place]]
    assert len(checked) >= len(places) // 2
    for place in checked:
        window = bars[place - SPEC.lookback + 1 : place + 1]
        for feature, value in zip(SPEC.features, exact[:, place], strict=True):
            assert value == pytest.approx(oracle(feature, window), rel=1e-9, abs=1e-9), (feature.name, window[-1])


def sample(count: int, of: int) -> list[int]:
    return sorted(random.Random(7).sample(range(of), count))


@pytest.mark.parametrize("newest", [datetime(2018, 3, 2, tzinfo=UTC), datetime(2021, 5, 19, tzinfo=UTC)])
def test_cutting_or_altering_the_future_never_changes_the_past(daily: pl.DataFrame, newest: datetime) -> None:
    assert_cutting_the_future_changes_no_past(build, daily, newest)
    assert_altering_the_future_changes_no_past(build, daily, newest)


def test_serving_a_row_gives_the_bits_of_training_on_it(daily: pl.DataFrame) -> None:
    keys = daily.select("symbol", "time").rows()
    assert_lookback_is_enough(build, daily, SPEC.lookback, [keys[place] for place in sample(60, len(keys))])


def test_the_board_of_latest_rows_is_the_last_row_of_each_coin(daily: pl.DataFrame) -> None:
    latest = latest_features(daily, SPEC, DAILY)
    assert len(latest) == 39
    assert_same_bits(latest, build(daily).group_by("symbol", maintain_order=True).last())
    recent = daily.group_by("symbol", maintain_order=True).tail(SPEC.lookback)
    assert_same_bits(latest_features(recent, SPEC, DAILY), latest)


def test_a_coin_alone_and_in_any_row_order_has_the_same_bits(daily: pl.DataFrame) -> None:
    whole = build(daily)
    for symbol in ("BTC", "XRP"):
        mine = pl.col("symbol") == symbol
        assert_same_bits(build(daily.filter(mine).sample(fraction=1, shuffle=True, seed=1)), whole.filter(mine))


def test_every_complete_window_has_all_features(daily: pl.DataFrame) -> None:
    features = build(daily)
    complete = complete_rows(daily, SPEC.lookback, DAILY)
    # 39 coins without a gap: each loses the 60 candles before its first complete window.
    assert sum(complete) == len(daily) - 39 * (SPEC.lookback - 1)
    for name in SPEC.names:
        assert features[name].is_not_null().to_list() == complete
    constant = [name for name in SPEC.names if features[name].drop_nulls().n_unique() == 1]
    assert constant == ["hour_sin", "hour_cos"]  # a daily candle closes at midnight


def test_the_oracle_agrees_on_the_daily_file(daily: pl.DataFrame) -> None:
    assert_oracle_agrees(daily, DAILY, sample(150, len(daily)))


def test_a_gap_of_thirteen_days_nulls_only_the_windows_that_cross_it(gapped: pl.DataFrame) -> None:
    features = build(gapped)
    complete = complete_rows(gapped, SPEC.lookback, DAILY)
    assert not all(complete[200:])
    for name in SPEC.names:
        assert features[name].is_not_null().to_list() == complete


def test_the_laws_hold_around_a_gap_and_flat_bars(gapped: pl.DataFrame) -> None:
    flat = gapped.filter((pl.col("high") == pl.col("low")) & (pl.col("volume") == 0))
    assert len(flat) >= 11
    assert_cutting_the_future_changes_no_past(build, gapped, flat["time"][-1])
    assert_lookback_is_enough(build, gapped, SPEC.lookback, flat.select("symbol", "time").rows())


def test_the_oracle_agrees_around_a_gap_and_flat_bars(gapped: pl.DataFrame) -> None:
    flat = (gapped["high"] == gapped["low"]).arg_true().to_list()
    after = [place + later for place in flat for later in (0, 1, 19, 60) if place + later < len(gapped)]
    assert_oracle_agrees(gapped, DAILY, sorted({*sample(60, len(gapped)), *after}))


def test_the_laws_and_the_oracle_hold_on_hours(hourly: pl.DataFrame) -> None:
    keys = hourly.select("symbol", "time").rows()
    assert_lookback_is_enough(
        lambda candles: build(candles, HOURLY), hourly, SPEC.lookback, [keys[p] for p in sample(20, len(keys))]
    )
    assert_oracle_agrees(hourly, HOURLY, sample(40, len(hourly)))
