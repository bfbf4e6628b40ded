"""Files imported into a lake on S3 and checked there."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.market.importing import import_file
from cripto.market.lake import open_lake
from cripto.market.quality import check_lake
from cripto.market.sample import sample_candles
from tests.conftest import BUCKETS
from tests.doubles.candles import random_walk

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(params=BUCKETS)
def bucket(request: pytest.FixtureRequest) -> str:
    name: str = request.getfixturevalue(request.param)
    return name


def test_a_file_is_imported_once_and_checked(bucket: str, tmp_path: Path) -> None:
    url = f"s3://{bucket}/criptos"
    candles = random_walk(["BTC", "ETH"], 300)
    candles.write_csv(tmp_path / "candles.csv")
    first = import_file(tmp_path / "candles.csv", open_lake(url), now=NOW)
    again = import_file(tmp_path / "candles.csv", open_lake(url), now=NOW)
    assert (first.upsert.inserted, again.upsert.unchanged) == (600, 600)
    assert first.upsert.version == again.upsert.version == 0
    assert_frame_equal(open_lake(url).read("1d"), candles)
    report = check_lake(open_lake(url), now=NOW)
    assert (report.candles, report.suspicious) == (600, 0)


def test_the_sample_is_the_same_on_s3_and_in_a_folder(bucket: str, tmp_path: Path) -> None:
    lakes = [open_lake(f"s3://{bucket}"), open_lake(tmp_path.as_uri())]
    for lake in lakes:
        lake.upsert(sample_candles())
        lake.upsert(sample_candles().tail(3).with_columns(close=pl.col("close") * 1))
    assert_frame_equal(lakes[0].recent("1d", 100), lakes[1].recent("1d", 100))
    assert lakes[0].series() == lakes[1].series()
