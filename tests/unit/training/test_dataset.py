from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from cripto.errors import TrainingRefused
from cripto.features import build_features, default_spec
from cripto.market.lake import MemoryLake
from cripto.market.listings import Listings
from cripto.market.source import Pair
from cripto.training.dataset import build_dataset, read_candles
from cripto.training.targets import next_log_return
from tests.doubles.candles import DAILY, HOURLY, START, random_walk
from tests.unit.training.toys import dataset_of, lake_of

SPEC = default_spec()


def test_rows_are_ordered_by_time_then_symbol() -> None:
    dataset = dataset_of(random_walk(["ETH", "BTC", "ADA"], 120))
    keys = list(zip(dataset.time.tolist(), dataset.symbol.to_list(), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_every_candle_with_features_and_target_is_a_row() -> None:
    dataset = dataset_of(random_walk(["ETH", "BTC"], 120))
    assert len(dataset) == 2 * (
        120 - SPEC.lookback
    )  # the lookback counts the row's own candle, the last has no next
    assert dataset.features.shape == (len(dataset), len(SPEC.names))
    assert dataset.names == SPEC.names


def test_rows_hold_the_builders_features_and_the_next_return() -> None:
    candles = random_walk(["ETH", "BTC"], 100)
    dataset = dataset_of(candles)
    place = 17
    here = (pl.col("symbol") == dataset.symbol[place]) & (
        pl.col("time").dt.replace_time_zone(None) == pl.lit(dataset.time[place].item())
    )
    features = build_features(candles, SPEC, DAILY).filter(here).select(SPEC.names).row(0)
    assert dataset.features[place].tolist() == list(features)
    assert dataset.log_return[place] == next_log_return(candles, DAILY).filter(here)["log_return"].item()


def test_features_are_float32_values_in_row_order() -> None:
    features = dataset_of(random_walk(["BTC"], 100)).features
    assert features.dtype == np.float64
    assert features.flags.c_contiguous
    assert (features.astype(np.float32) == features).all()


def test_order_of_candles_does_not_matter() -> None:
    candles = random_walk(["ETH", "BTC"], 100)
    straight, shuffled = dataset_of(candles), dataset_of(candles.sample(fraction=1, shuffle=True, seed=3))
    assert (straight.features == shuffled.features).all()
    assert (straight.log_return == shuffled.log_return).all()


def test_candles_around_a_gap_are_no_rows() -> None:
    candles = random_walk(["BTC"], 300)
    gap = START + timedelta(days=150)
    dataset = dataset_of(candles.filter(pl.col("time") != gap))
    without = np.datetime64(gap.replace(tzinfo=None), "us")
    assert len(dataset) == (150 - SPEC.lookback) + (149 - SPEC.lookback)
    assert not ((dataset.time > without - np.timedelta64(2, "D")) & (dataset.time <= without)).any()


def test_description_counts_rows_by_asset() -> None:
    described = dataset_of(pl.concat([random_walk(["BTC"], 100), random_walk(["ETH"], 90)])).describe()
    assert described["assets"] == {"BTC": 100 - SPEC.lookback, "ETH": 90 - SPEC.lookback}
    assert described["rows"] == 190 - 2 * SPEC.lookback
    assert described["first"] == (START + timedelta(days=SPEC.lookback - 1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert described["last"] == (START + timedelta(days=98)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_assets_shorter_than_the_lookback_are_left_out() -> None:
    candles = pl.concat([random_walk(["BTC"], 100), random_walk(["ETH"], SPEC.lookback)])
    assert set(dataset_of(candles).symbol) == {"BTC"}


def test_history_shorter_than_the_lookback_is_refused_with_both_numbers() -> None:
    with pytest.raises(TrainingRefused, match=rf"{SPEC.lookback + 1} without a gap.*longest series has 60"):
        dataset_of(random_walk(["BTC", "ETH"], 60))


def flat(symbol: str, count: int, price: float = 7.0) -> pl.DataFrame:
    return random_walk([symbol], count).with_columns(
        pl.lit(price).alias(name) for name in ("open", "high", "low", "close")
    )


def test_price_that_never_moves_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="never moves in any of the 400"):
        build_dataset(flat("BTC", 400), SPEC, DAILY)


def test_asset_whose_price_never_moves_is_left_out_beside_others() -> None:
    dataset = build_dataset(pl.concat([random_walk(["BTC"], 400), flat("DEAD", 400)]), SPEC, DAILY)
    assert set(dataset.symbol) == {"BTC"}


def test_halted_market_is_left_out_once_no_feature_sees_it_move() -> None:
    """The price stands still from the 100th candle on: features look back as far as the spec says, no further."""
    moving = random_walk(["BTC"], 100)
    halted = flat("BTC", 300, moving["close"][-1]).slice(100)
    rows = build_dataset(pl.concat([moving, halted]), SPEC, DAILY)
    last = 99 + SPEC.lookback - 1
    assert rows.time[-1] == np.datetime64((START + timedelta(days=last - 1)).replace(tzinfo=None), "us")


def test_coins_that_follow_a_currency_are_not_read() -> None:
    lake = lake_of(random_walk(["BTC", "USDC", "EUR"], 10))
    assert set(read_candles(lake, DAILY, ["USDT"])[0]["symbol"]) == {"BTC"}
    with pytest.raises(TrainingRefused, match=r"follows a currency.*: EUR, USDC"):
        read_candles(lake_of(random_walk(["USDC", "EUR"], 10)), DAILY, ["USDT"])


def test_empty_lake_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="no candles in the lake"):
        read_candles(MemoryLake(), DAILY, ["USDT"])


def test_lake_without_the_interval_is_refused_with_what_it_has() -> None:
    with pytest.raises(TrainingRefused, match="no closed 1h candles; it has 1d"):
        read_candles(lake_of(random_walk(["BTC"], 10)), HOURLY, ["USDT"])


def test_one_quote_of_each_asset_is_read() -> None:
    lake = lake_of(
        pl.concat([random_walk(["BTC"], 10, quote="USD"), random_walk(["BTC", "ETH"], 10, quote="USDT")])
    )
    candles, version = read_candles(lake, DAILY, ["USDT", "USD"])
    assert version == lake.version()
    assert set(candles.select("symbol", "quote").iter_rows()) == {("BTC", "USDT"), ("ETH", "USDT")}


def test_times_are_utc_opens() -> None:
    first = dataset_of(random_walk(["BTC"], 100)).time[0]
    assert first == np.datetime64(datetime(2024, 3, 1, tzinfo=UTC).replace(tzinfo=None), "us")


def test_no_feature_and_no_target_reaches_across_a_break() -> None:
    walk, broken_at = random_walk(["LUNA"], 200), START + timedelta(days=90)
    again = pl.col("time") >= broken_at
    prices = [pl.when(again).then(pl.col(p) * 1e5).otherwise(p).alias(p) for p in ("open", "high", "low", "close")]
    broken = pl.concat([walk.with_columns(prices), random_walk(["BTC"], 200)])
    dataset, whole = dataset_of(broken), dataset_of(pl.concat([walk, random_walk(["BTC"], 200)]))
    assert dataset.symbol.unique().sort().to_list() == ["BTC", "LUNA"]
    luna = dataset.time[(dataset.symbol == "LUNA").to_numpy()]
    lost = np.datetime64(broken_at.replace(tzinfo=None), "us") + np.arange(-1, SPEC.lookback - 1) * np.timedelta64(
        1, "D"
    )
    assert not np.isin(lost, luna).any()
    # both sides are there, and as they would be if the price had gone on
    assert len(dataset) == len(whole) - len(lost)
    assert np.abs(dataset.log_return).max() < 1
    kept = ~np.isin(whole.time, lost) | (whole.symbol == "BTC").to_numpy()
    assert (whole.time[kept] == dataset.time).all()
    assert (whole.symbol.filter(pl.Series(kept)) == dataset.symbol).all()
    np.testing.assert_allclose(whole.log_return[kept], dataset.log_return, rtol=0, atol=1e-12)


def test_parts_that_are_each_too_short_are_refused_with_the_longest() -> None:
    walk = random_walk(["LUNA"], 100)
    again = pl.col("time") >= START + timedelta(days=55)
    prices = [pl.when(again).then(pl.col(p) * 100).otherwise(p).alias(p) for p in ("open", "high", "low", "close")]
    with pytest.raises(TrainingRefused, match="longest series has 55"):
        dataset_of(walk.with_columns(prices))


def test_old_names_and_retired_quotes_are_read_as_they_are_served() -> None:
    walk = random_walk(["POL"], 30)
    old = walk.head(20).with_columns(symbol=pl.lit("MATIC"))
    lake = lake_of(
        pl.concat([old, walk.tail(10), random_walk(["BTC"], 30), random_walk(["BTC"], 30, quote="USD")])
    )
    listings = Listings().seen("binance", [Pair("BTC", "USDT", active=False), Pair("POL", "USDT")], START)
    candles, _ = read_candles(lake, DAILY, ["USDT"], listings)
    assert set(candles.select("symbol", "quote").iter_rows()) == {("BTC", "USD"), ("POL", "USDT")}
    assert candles.filter(pl.col("symbol") == "POL").equals(walk)
