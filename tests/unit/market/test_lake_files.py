"""The Parquet files of a version, for readers that know nothing of Delta."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures
from polars.testing import assert_frame_equal

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.errors import InvalidInput
from cripto.market.lake import MemoryLake, open_lake
from tests.doubles.candles import HOURLY, random_walk


def read(files: list[str] | None, interval: str) -> pl.DataFrame:
    assert files is not None
    parts = [pl.read_parquet(file, hive_partitioning=False) for file in files]
    assert all("interval" not in part.columns for part in parts)
    found = pl.concat(part.with_columns(interval=pl.lit(interval)).select(CANDLE_COLUMNS) for part in parts)
    return found.sort("symbol", "quote", "time")


def test_files_of_a_version_hold_what_is_read_of_it_and_nothing_else(tmp_path: Path) -> None:
    lake = open_lake((tmp_path / "a store, 100 of it").as_uri())
    candles = random_walk(["BTC", "ETH"], 40)
    lake.upsert(candles)
    lake.upsert(random_walk(["BTC"], 30, HOURLY))
    lake.upsert(candles.head(3).with_columns(volume=pl.lit(1.5)))
    lake.upsert(random_walk(["ADA"], 20))
    for version in range(4):
        assert_frame_equal(read(lake.files("1d", version), "1d"), lake.read("1d", version=version))
    assert_frame_equal(read(lake.files("1h", 3), "1h"), lake.read("1h", version=3))
    assert lake.files("1h", 0) == []
    lake.optimize()
    assert_frame_equal(read(lake.files("1d", 3), "1d"), lake.read("1d", version=3))


@pytest.mark.parametrize("feature", [TableFeatures.DeletionVectors, TableFeatures.V2Checkpoint])
def test_a_table_that_plain_parquet_does_not_tell_whole_gives_none(tmp_path: Path, feature: TableFeatures) -> None:
    lake = open_lake(tmp_path.as_uri())
    lake.upsert(random_walk(["BTC"], 5))
    table = DeltaTable(tmp_path / "candles")
    table.alter.add_feature(feature, allow_protocol_versions_increase=True)
    assert lake.files("1d", table.version()) is None


def test_a_lake_without_files_gives_none() -> None:
    lake = MemoryLake()
    lake.upsert(random_walk(["BTC"], 5))
    assert lake.files("1d", 0) is None


def test_what_never_was_is_refused(tmp_path: Path) -> None:
    for lake in (MemoryLake(), open_lake(tmp_path.as_uri())):
        with pytest.raises(InvalidInput):
            lake.files("1d", 0)
        lake.upsert(random_walk(["BTC"], 5))
        with pytest.raises(InvalidInput):
            lake.files("1d", 1)
        with pytest.raises(InvalidInput):
            lake.files("1 day", 0)


def test_files_in_a_bucket_are_named_by_their_urls(s3_bucket: str) -> None:
    lake = open_lake(f"s3://{s3_bucket}/there")
    lake.upsert(random_walk(["BTC"], 5))
    (file,) = lake.files("1d", 0) or []
    assert file.startswith(f"s3://{s3_bucket}/there/candles/interval=1d/")
