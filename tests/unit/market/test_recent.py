"""Looks at the last candles one after the other by one lake, which reads only what may have changed."""

import random
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from cripto.market.lake import MemoryLake, open_lake
from tests.doubles.candles import DAILY, HOURLY, START, random_walk
from tests.doubles.faulty_s3 import FaultyS3

SYMBOLS = ["A", "B", "C", "D"]
LOOKBACK = 7


def between(candles: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    return candles.filter(pl.col("time").is_between(START + first * DAILY.step, START + last * DAILY.step))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_whatever_is_written_a_lake_that_looked_before_finds_what_a_new_one_does(
    seed: int, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    lake, writer, twin = open_lake(tmp_path.as_uri()), open_lake(tmp_path.as_uri()), MemoryLake()
    candles = {value: random_walk(SYMBOLS, 60, seed=value) for value in range(3)}
    today = 20
    for _ in range(25):
        match draw.choice(["append", "append", "revise", "backfill", "other", "optimize", "nothing"]):
            case "append":
                today += draw.choice([1, 1, 3])
                change = between(candles[0], today - 1, today).filter(
                    pl.col("symbol").is_in(draw.sample(SYMBOLS, 3))
                )
            case "revise":
                change = between(candles[draw.randrange(3)], today - draw.randrange(12), today)
            case "backfill":
                change = between(candles[1], draw.randrange(5), draw.randrange(5, 15)).filter(
                    symbol=draw.choice(SYMBOLS)
                )
            case "other":
                change = random_walk(["B"], draw.randrange(1, 9), HOURLY)
            case step:
                change = candles[0].clear()
                if step == "optimize":
                    writer.optimize()
        writer.upsert(change)
        twin.upsert(change)
        lake.version()
        assert_frame_equal(lake.recent("1d", LOOKBACK), twin.recent("1d", LOOKBACK))


def test_another_lookback_or_interval_is_read_anew(tmp_path: Path) -> None:
    lake = open_lake(tmp_path.as_uri())
    lake.upsert(pl.concat([random_walk(SYMBOLS, 30), random_walk(["A"], 30, HOURLY)]))
    for _ in range(2):
        assert lake.recent("1d", 5).height == 20
        assert lake.recent("1d", 9).height == 36
        assert lake.recent("1h", 9).height == 9


def test_candles_taken_away_by_hand_are_missed(tmp_path: Path) -> None:
    lake = open_lake(tmp_path.as_uri())
    candles = random_walk(SYMBOLS, 30)
    for days in (28, 29, 30):
        lake.upsert(candles.filter(pl.col("time") < START + days * DAILY.step))
    lake.version()
    assert lake.recent("1d", 5).height == 20
    last = START + timedelta(days=29)
    DeltaTable(str(tmp_path / "candles")).delete(f"time >= '{last:%Y-%m-%d %H:%M:%S}'")
    lake.version()
    assert_frame_equal(lake.recent("1d", 5), open_lake(tmp_path.as_uri()).recent("1d", 5))
    assert lake.recent("1d", 5)["time"].max() == last - DAILY.step


def test_a_table_made_anew_is_read_anew_although_its_version_is_the_same(tmp_path: Path) -> None:
    lake = open_lake(tmp_path.as_uri())
    lake.upsert(random_walk(["OLD"], 30))
    lake.version()
    assert lake.recent("1d", 5)["symbol"].unique().to_list() == ["OLD"]
    shutil.rmtree(tmp_path / "candles")
    open_lake(tmp_path.as_uri()).upsert(random_walk(["NEW"], 30))
    assert lake.recent("1d", 5)["symbol"].unique().to_list() == ["NEW"]


@pytest.mark.slow
def test_after_an_append_a_look_on_s3_reads_the_same_few_objects_however_many_there_are(
    s3_proxy: FaultyS3, s3_proxy_bucket: str
) -> None:
    url = f"s3://{s3_proxy_bucket}/criptos"
    lake, writer = open_lake(url), open_lake(url)
    candles = random_walk(["LIVE", "DEAD"], 60).filter(
        (pl.col("symbol") == "LIVE") | (pl.col("time") < START + 20 * DAILY.step)
    )
    counts: list[int] = []
    for days in range(30, 46):
        writer.upsert(candles.filter(pl.col("time") < START + days * DAILY.step))
        lake.version()
        s3_proxy.forget()
        found = lake.recent("1d", 10)
        counts.append(len(s3_proxy.seen))
        assert found.group_by("symbol").len().sort("symbol").rows() == [("DEAD", 10), ("LIVE", 10)]
    data = {seen.key for seen in s3_proxy.seen if seen.key.endswith(".parquet")}
    assert len(data) == 1, "only what was written since, though one series ended long ago"
    assert max(counts[1:]) < 16, counts
