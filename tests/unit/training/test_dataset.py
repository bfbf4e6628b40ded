from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from cripto.errors import TrainingRefused
from cripto.features import build_features, default_spec
from cripto.market.lake import MemoryLake
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


def test_price_that_never_moves_is_refused() -> None:
    flat = random_walk(["BTC"], 400).with_columns(
        pl.lit(7.0).alias(name) for name in ("open", "high", "low", "close")
    )
    with pytest.raises(TrainingRefused, match="never moves in any of"):
        build_dataset(flat, SPEC, DAILY)


def test_empty_lake_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="no candles in the lake"):
        read_candles(MemoryLake(), DAILY, ["USDT"])


def test_lake_without_the_interval_is_refused_with_what_it_has() -> None:
    with pytest.raises(TrainingRefused, match="no 1h candles; it has 1d"):
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
