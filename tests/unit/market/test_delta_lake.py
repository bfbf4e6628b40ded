import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from polars.testing import assert_frame_equal

from cripto.domain.candle import CANDLE_KEY
from cripto.errors import (
    InvalidSettings,
    ObjectNotFound,
    OperatorError,
    StorageDenied,
    StorageUnavailable,
    WriteConflict,
)
from cripto.market._delta_errors import translated
from cripto.market.lake import DeltaLake, MemoryLake, open_lake
from tests.conftest import BUCKETS
from tests.doubles.candles import random_walk
from tests.doubles.faulty_s3 import Fault, faulty_s3
from tests.doubles.processes import UNMEASURED


def lake_in(folder: Path, slice_rows: int = 1000) -> DeltaLake:
    return DeltaLake(lambda: (str(folder / "candles"), {}), slice_rows=slice_rows)


def data_files(folder: Path) -> list[Path]:
    return sorted((folder / "candles").rglob("*.parquet"))


def test_the_table_is_partitioned_by_interval_below_the_store(tmp_path: Path) -> None:
    open_lake(tmp_path.as_uri()).upsert(random_walk(["BTC"], 3))
    assert [path.parent.name for path in data_files(tmp_path)] == ["interval=1d"]
    assert DeltaTable(str(tmp_path / "candles")).metadata().partition_columns == ["interval"]


def test_rows_of_a_file_lie_in_order_of_time(tmp_path: Path) -> None:
    lake_in(tmp_path).upsert(random_walk(["ETH", "BTC"], 40))
    times = pl.read_parquet(data_files(tmp_path)[0])["time"]
    assert times.is_sorted()
    assert times.len() == 80


def test_a_revision_writes_a_commit_that_keeps_all_other_candles(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    candles = random_walk(["BTC", "ETH"], 40)
    lake.upsert(candles)
    revised = candles.head(1).with_columns(volume=pl.lit(1.5))
    lake.upsert(revised)
    assert_frame_equal(lake.read("1d"), pl.concat([revised, candles.tail(79)]))


def test_a_large_upsert_is_committed_in_parts_and_repeating_it_changes_nothing(tmp_path: Path) -> None:
    lake = lake_in(tmp_path, slice_rows=30)
    candles = random_walk(["BTC", "ETH"], 50)
    done = lake.upsert(candles)
    assert (done.inserted, done.version) == (100, 3)
    assert lake.upsert(candles).unchanged == 100
    assert lake.version() == 3
    assert_frame_equal(lake.read("1d"), candles)


def test_a_writer_that_lost_reads_again_and_keeps_both(tmp_path: Path) -> None:
    candles = random_walk(["BTC"], 30)
    rival = lake_in(tmp_path)
    pending = [candles.slice(10, 10), candles.slice(5, 10), candles.head(3)]

    def locate() -> tuple[str, dict[str, str]]:
        # A rival commits before each reading and each writing of ours, as long as it has something to write.
        if pending:
            rival.upsert(pending.pop())
        return str(tmp_path / "candles"), {}

    done = DeltaLake(locate).upsert(candles)
    assert pending == []
    assert done.inserted + done.unchanged == 30
    assert_frame_equal(rival.read("1d"), candles)


def test_a_writer_that_always_loses_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cripto.market.delta_lake._ATTEMPTS", 2)
    rival = lake_in(tmp_path)
    rounds = iter(range(1000))

    def locate() -> tuple[str, dict[str, str]]:
        rival.upsert(random_walk([f"R{next(rounds)}"], 1))
        return str(tmp_path / "candles"), {}

    with pytest.raises(WriteConflict):
        DeltaLake(locate).upsert(random_walk(["BTC"], 3))
    assert rival.read("1d", symbols=["BTC"]).is_empty()


UPSERT = """
import sys
from cripto.market.lake import open_lake
from tests.doubles.candles import random_walk
lake, seed = open_lake(sys.argv[1]), int(sys.argv[2])
for turn in range(4):
    lake.upsert(random_walk(["BTC", f"OWN{seed}"], 10 + turn, seed=seed))
"""


@pytest.mark.parametrize("where", ["folder", *BUCKETS])
def test_processes_that_upsert_lose_nothing_and_double_nothing(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = tmp_path.as_uri() if where == "folder" else f"s3://{request.getfixturevalue(where)}"
    workers = [subprocess.Popen([sys.executable, "-c", UPSERT, url, str(seed)]) for seed in range(2)]
    assert [worker.wait(timeout=240) for worker in workers] == [0, 0]
    held = open_lake(url).read("1d")
    assert not held.select(CANDLE_KEY).is_duplicated().any()
    assert dict(held.group_by("symbol").len().iter_rows()) == {"BTC": 13, "OWN0": 13, "OWN1": 13}
    candles = [random_walk(["BTC"], 13, seed=seed) for seed in range(2)]
    shared = held.filter(symbol="BTC")
    either = pl.concat(candles).join(shared, on=shared.columns, how="semi")
    assert either.height == 13


KILLED = """
import os, signal, sys, threading, time
from cripto.market.lake import open_lake
from tests.doubles.candles import HOURLY, random_walk
lake = open_lake(sys.argv[1])
candles = random_walk([f"S{n}" for n in range(20)], 5000, HOURLY)
folder = sys.argv[1].removeprefix("file://") + "/candles/interval=1h"
def kill():
    while not (os.path.isdir(folder) and os.listdir(folder)):
        time.sleep(0.0005)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill).start()
lake.upsert(candles)
"""


def test_an_upsert_killed_on_the_way_leaves_a_lake_that_reads_and_can_be_repeated(tmp_path: Path) -> None:
    lake = open_lake(tmp_path.as_uri())
    before = random_walk(["BTC"], 20)
    lake.upsert(before)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path.as_uri()], env={**os.environ, **UNMEASURED}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert_frame_equal(lake.read("1d"), before)
    assert lake.read("1h").height in {0, 100_000}
    assert lake.upsert(random_walk(["BTC"], 21)).inserted == 1
    assert lake.series()[0].candles == 21


def test_a_first_upsert_killed_before_its_commit_leaves_no_table(tmp_path: Path) -> None:
    stray = tmp_path / "candles" / "interval=1d" / "part-00000-stray-c000.zstd.parquet"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"half")
    lake = lake_in(tmp_path)
    assert lake.version() is None
    lake.upsert(random_walk(["BTC"], 2))
    assert lake.read("1d").height == 2


def test_a_data_file_that_is_gone_is_named(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    lake.upsert(random_walk(["BTC"], 3))
    file = data_files(tmp_path)[0]
    file.unlink()
    with pytest.raises(ObjectNotFound, match=file.name):
        lake.read("1d")


@pytest.mark.parametrize("size", [0, 10, 400])
def test_a_cut_data_file_needs_an_operator(tmp_path: Path, size: int) -> None:
    lake = lake_in(tmp_path)
    lake.upsert(random_walk(["BTC"], 3))
    file = data_files(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(OperatorError):
        lake.read("1d")


def test_a_damaged_log_needs_an_operator(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    lake.upsert(random_walk(["BTC"], 3))
    next((tmp_path / "candles" / "_delta_log").glob("*.json")).write_text("rubbish")
    with pytest.raises(OperatorError, match="cannot be used"):
        lake.version()


def test_a_table_of_something_else_needs_an_operator(tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "candles"), pl.DataFrame({"symbol": ["BTC"], "price": [1.0]}))
    lake = lake_in(tmp_path)
    for call in (lake.version, lambda: lake.upsert(random_walk(["BTC"], 1)), lambda: lake.read("1d")):
        with pytest.raises(OperatorError, match="holds no candles"):
            call()


def test_a_store_below_a_file_needs_an_operator(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lake = open_lake((tmp_path / "file").as_uri())
    with pytest.raises(OperatorError):
        lake.upsert(random_walk(["BTC"], 1))


@contextmanager
def faulty_lake(monkeypatch: pytest.MonkeyPatch, status: int, code: str) -> Iterator[DeltaLake]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with faulty_s3(fault=Fault(status=status, code=code)) as server:
        options = {
            "aws_endpoint_url": server.url,
            "aws_allow_http": "true",
            "aws_access_key_id": "AKIASECRET",
            "aws_secret_access_key": "secret",
            "aws_region": "us-east-1",
            "max_retries": "1",
        }
        yield DeltaLake(lambda: ("s3://bucket/candles", options))


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", StorageDenied),
        (400, "ExpiredToken", StorageDenied),
        (404, "NoSuchBucket", StorageDenied),
        (500, "InternalError", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
    ],
)
def test_what_s3_refuses_is_said_without_secrets(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, error: type[Exception]
) -> None:
    with faulty_lake(monkeypatch, status, code) as lake:
        for call in (lake.version, lambda: lake.read("1d"), lambda: lake.upsert(random_walk(["BTC"], 1))):
            with pytest.raises(error) as caught:
                call()
            assert "SECRET" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(StorageUnavailable):
        open_lake("s3://bucket").read("1d")


def test_a_file_that_finds_no_room_is_told_as_such_and_the_table_stays_as_it_was(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    lake.upsert(random_walk(["BTC"], 3))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageUnavailable, match="could not be written: a file would be larger"):
            lake.upsert(random_walk(["BTC", "ETH"], 500))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert lake.read("1d").height == 3
    assert lake.upsert(random_walk(["BTC", "ETH"], 500)).inserted == 997


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # what deltalake 1.6 says on a tmpfs that is full
        (
            "Failed to parse parquet: External: Generic LocalFileSystem error: Unable to copy data to file: "
            "No space left on device (os error 28)",
            "the disk is full",
        ),
        ("Generic LocalFileSystem error: Disk quota exceeded (os error 122)", "the disk quota is used up"),
    ],
)
def test_a_full_disk_is_called_one(said: str, told: str) -> None:
    with pytest.raises(StorageUnavailable, match=f"^table could not be written: {told}$"), translated("table"):
        raise OSError(said)


def test_memory_opens_the_twin_and_anything_unknown_is_refused() -> None:
    assert isinstance(open_lake("memory://"), MemoryLake)
    with pytest.raises(InvalidSettings):
        open_lake("gs://bucket")


def test_commits_say_what_other_readers_need(tmp_path: Path) -> None:
    lake_in(tmp_path).upsert(random_walk(["BTC"], 3))
    log = (tmp_path / "candles" / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    added = next(json.loads(line)["add"] for line in log if "add" in json.loads(line))
    assert json.loads(added["stats"])["minValues"]["time"].startswith("2024-01-01")
