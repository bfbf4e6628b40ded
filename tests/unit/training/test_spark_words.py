"""What is decided about Spark without Spark."""

import pickle

import numpy as np
import polars as pl
import pytest

from cripto.errors import InvalidInput, ModelRefused, TrainingRefused
from cripto.market.listings import Listings
from cripto.market.selection import asset_series
from cripto.training import _spark_tables
from cripto.training._fingerprint import Fingerprint, refuse_unlike
from cripto.training._spark_tables import packed, unpacked
from cripto.training._spark_words import Failure, checked_master, is_local, reason_of, sources, wanted_series
from tests.doubles.candles import random_walk
from tests.unit.training.toys import dataset_of


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]", "local[4, 2]", "local-cluster[2,1,1024]"])
def test_masters_of_this_machine(master: str) -> None:
    assert is_local(master)
    assert checked_master(master) == master


@pytest.mark.parametrize("master", ["spark://host:7077", "yarn", "k8s://https://host:443"])
def test_masters_elsewhere(master: str) -> None:
    assert not is_local(master)
    assert checked_master(master) == master


@pytest.mark.parametrize("master", ["", "local[]", "local[2", "locally", "http://host", "local[2] --conf a=b"])
def test_what_is_no_master(master: str) -> None:
    with pytest.raises(InvalidInput, match="no Spark master"):
        checked_master(master)


def test_files_are_read_by_spark_where_it_sees_them() -> None:
    assert sources(["/a b/x.parquet"], True, ()) == ["file:///a b/x.parquet"]
    assert sources(["s3://b/x.parquet"], False, {"s3"}) == ["s3://b/x.parquet"]
    assert sources(["/a/x.parquet"], False, {"s3"}) is None
    assert sources(["s3://b/x.parquet"], True, ()) is None
    assert sources(["/a/x.parquet", "/a/{y}.parquet"], True, ()) is None, "Spark would take it for a pattern"


def test_no_other_series_changes_what_is_chosen() -> None:
    candles = pl.concat(
        [
            random_walk(["BTC", "ETH"], 30),
            random_walk(["BTC", "POL"], 30, quote="USD"),
            random_walk(["POL"], 20, quote="EUR"),
            random_walk(["MATIC"], 25, quote="USD"),
            random_walk(["MATIC"], 25, quote="BTC"),
            random_walk(["KLAY"], 25, quote="USD"),
        ]
    ).sort("symbol", "quote", "time")
    listings = Listings()
    last = candles.group_by("symbol", "quote").agg(pl.col("time").max())
    for quotes in (("USDT", "USD"), ("EUR",), ("BTC",)):
        wanted = wanted_series(last, quotes, listings)
        chosen = candles.join(
            pl.DataFrame(wanted, ["symbol", "quote"], orient="row"), on=["symbol", "quote"], how="semi"
        )
        assert len(chosen) < len(candles)
        found = asset_series(chosen, quotes, listings).sort("symbol", "time")
        assert found.equals(asset_series(candles, quotes, listings).sort("symbol", "time"))


def test_a_failure_travels_whole() -> None:
    for error in (TrainingRefused("too little"), ModelRefused("regressor_rf", "it disagrees", final=True)):
        try:
            raise error
        except Exception as caught:
            carried = pickle.loads(pickle.dumps(Failure.of(caught)))
        found = carried.error()
        assert type(found) is type(error)
        assert (str(found), vars(found) | {"__notes__": 0}) == (str(error), vars(error) | {"__notes__": 0})
        assert "test_spark_words.py" in found.__notes__[0]


def test_a_report_comes_to_one_line() -> None:
    java = (
        "An error occurred while calling z:a.b.\n: org.apache.spark.SparkException: Job aborted\n\tat o.a(C.java)"
    )
    assert reason_of(java) == "org.apache.spark.SparkException: Job aborted"
    assert (
        reason_of("\n  Thrown.\nTraceback:\n  File\n    raise ValueError('x')\nValueError: x\n") == "ValueError: x"
    )
    both = f"{java}: org.a.PythonException: Trace\n  File\nImportError: No module named 'x'\n\tat o.a"
    assert reason_of(both) == "ImportError: No module named 'x'"
    assert reason_of("") == "no reason is given"


def test_a_dataset_travels_to_the_same_bits() -> None:
    dataset = dataset_of(random_walk(["BTC", "ETH"], 150))
    found = unpacked(pickle.loads(pickle.dumps(packed(dataset))))
    assert found.names == dataset.names
    assert np.array_equal(found.features, dataset.features)
    assert np.array_equal(found.log_return, dataset.log_return)
    assert np.array_equal(found.time, dataset.time)
    assert found.symbol.equals(dataset.symbol)
    assert found.features.dtype is dataset.features.dtype, "its own type object would move bytes of a joblib"


def test_a_dataset_too_large_to_send_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of(random_walk(["BTC", "ETH"], 150))
    monkeypatch.setattr(_spark_tables, "BROADCAST_BYTES", 1000)
    with pytest.raises(TrainingRefused, match=f"{len(dataset)} rows of .* 1000 at most"):
        packed(dataset)


def test_a_machine_of_another_kind_is_refused_by_both_names() -> None:
    driver = Fingerprint("a1", "x86_64, for Zen")
    refuse_unlike(driver, lambda: Fingerprint("a1", "x86_64, for Haswell"))
    with pytest.raises(TrainingRefused, match=r"of another kind .*: aarch64; the driver is x86_64, for Zen"):
        refuse_unlike(driver, lambda: Fingerprint("b2", "aarch64"))
