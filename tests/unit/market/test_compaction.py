import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, WriterProperties
from polars.testing import assert_frame_equal

from cripto.domain.candle import CANDLE_KEY
from cripto.errors import ObjectNotFound
from cripto.market._compaction import compacted
from cripto.market.lake import CandleLake, open_lake
from cripto.storage import open_store
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.processes import UNMEASURED

CANDLES = random_walk(["BTC", "ETH"], 40)
LONG_AGO = 40 * 86_400


def until_day(count: int) -> pl.DataFrame:
    return CANDLES.filter(pl.col("time") < START + count * DAILY.step)


@pytest.fixture
def lake(tmp_path: Path) -> CandleLake:
    """Ten days, an append each, in a folder."""
    lake = open_lake(tmp_path.as_uri())
    for count in range(1, 11):
        lake.upsert(until_day(count))
    return lake


def files(folder: Path) -> set[Path]:
    return set((folder / "candles").rglob("*.parquet")) - set((folder / "candles" / "_delta_log").iterdir())


def test_small_files_become_one_whose_rows_keep_the_statistics_that_reads_need(
    lake: CandleLake, tmp_path: Path
) -> None:
    done = lake.optimize()
    assert (done.files_before, done.files, done.removed, done.version) == (10, 1, 0, 10)
    added = pl.DataFrame(DeltaTable(str(tmp_path / "candles")).get_add_actions(flatten=True))
    assert added.select("num_records", "min.time", "max.time").row(0) == (20, START, START + 9 * DAILY.step)
    assert_frame_equal(lake.read("1d"), until_day(10))


def test_opening_an_optimized_table_reads_no_commit_before_it(lake: CandleLake, tmp_path: Path) -> None:
    lake.optimize()
    for log in (tmp_path / "candles" / "_delta_log").glob("*.json"):
        log.unlink()
    assert_frame_equal(open_lake(tmp_path.as_uri()).read("1d"), until_day(10))


def test_what_lies_beside_the_table_is_never_removed(lake: CandleLake, tmp_path: Path) -> None:
    """What exchanges list and have not is kept in its folder, under names that begin with an underscore."""
    kept = [tmp_path / "candles" / name for name in ("_asked.json", "_listings.json")]
    stray = tmp_path / "candles" / "interval=1d" / "stray.parquet"
    for path in (*kept, stray):
        path.write_text("{}")
        os.utime(path, (time.time() - LONG_AGO,) * 2)
    assert lake.optimize(keep=timedelta(days=7)).removed == 1
    assert not stray.exists()
    assert all(path.exists() for path in kept)


def test_a_new_table_sums_its_log_up_every_twenty_commits(tmp_path: Path) -> None:
    lake = open_lake(tmp_path.as_uri())
    for count in range(1, 23):
        lake.upsert(until_day(count))
    last = json.loads((tmp_path / "candles" / "_delta_log" / "_last_checkpoint").read_text())
    assert last["version"] == 19  # the twentieth commit


def age(folder: Path, seconds: float = LONG_AGO) -> None:
    """Make everything in the folder, and every removal its log tells of, that much older."""
    for log in (folder / "candles" / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        for line in lines:
            if "remove" in line:
                line["remove"]["deletionTimestamp"] -= int(1000 * seconds)
        log.write_text("\n".join(json.dumps(line) for line in lines))
    for file in files(folder):
        os.utime(file, (time.time() - seconds, time.time() - seconds))


def test_files_that_no_recent_version_holds_go_and_older_versions_with_them(
    lake: CandleLake, tmp_path: Path
) -> None:
    lake.optimize()
    for checkpoint in (tmp_path / "candles" / "_delta_log").glob("*checkpoint*"):
        checkpoint.unlink()  # its removals are as old as they are
    age(tmp_path)
    done = lake.optimize()
    assert (done.removed, len(files(tmp_path))) == (10, 1)
    assert_frame_equal(lake.read("1d"), until_day(10))
    assert_frame_equal(lake.read("1d", version=10), until_day(10))
    with pytest.raises(ObjectNotFound):
        lake.read("1d", version=5)
    assert lake.optimize().version == done.version


@pytest.mark.parametrize(("days", "removed"), [(29, 0), (31, 10)])
def test_a_version_stays_readable_for_as_long_as_was_asked(
    lake: CandleLake, tmp_path: Path, days: int, removed: int
) -> None:
    lake.optimize()
    for checkpoint in (tmp_path / "candles" / "_delta_log").glob("*checkpoint*"):
        checkpoint.unlink()
    age(tmp_path, days * 86_400)
    assert lake.optimize(keep=timedelta(days=30)).removed == removed


def test_what_a_killed_writer_left_goes_when_it_is_old_and_what_one_may_be_writing_stays(
    lake: CandleLake, tmp_path: Path
) -> None:
    folder = tmp_path / "candles" / "interval=1d"
    old, new = folder / "part-00000-old-c000.zstd.parquet", folder / "part-00000-new-c000.zstd.parquet"
    for stray in (old, new):
        stray.write_bytes(b"half")
    os.utime(old, (time.time() - LONG_AGO, time.time() - LONG_AGO))
    assert lake.optimize().removed == 1
    assert not old.exists()
    assert new.exists()


def test_a_compaction_stands_beside_an_append_and_gives_way_to_a_revision(
    lake: CandleLake, tmp_path: Path
) -> None:
    layout = WriterProperties(compression="ZSTD")
    seen_before = DeltaTable(str(tmp_path / "candles"))
    lake.upsert(until_day(11))
    assert compacted(seen_before, "1d", layout)
    assert_frame_equal(lake.read("1d"), until_day(11))
    lake.upsert(until_day(12))
    seen_before = DeltaTable(str(tmp_path / "candles"))
    revised = until_day(12).with_columns(volume=pl.lit(7.5))
    lake.upsert(revised)
    assert not compacted(seen_before, "1d", layout)
    assert_frame_equal(lake.read("1d"), revised)


WRITER = """
import sys
from cripto.market.lake import open_lake
from tests.doubles.candles import random_walk
lake = open_lake(sys.argv[1])
for turn in range(12):
    lake.upsert(random_walk(["BTC", "OWN"], 10 + turn, seed=turn % 3))
for more in (22, 23):  # files of their own, so that there is something to put together at the end
    lake.upsert(random_walk(["BTC", "OWN"], more, seed=2))
"""
OPTIMIZER = """
import sys
from cripto.market.lake import open_lake
lake = open_lake(sys.argv[1])
lake.optimize()
print("ready", flush=True)
while True:
    lake.optimize()
"""


@pytest.mark.parametrize("where", ["folder", pytest.param("s3_bucket", marks=pytest.mark.slow)])
def test_optimizing_while_others_write_loses_and_doubles_nothing(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = tmp_path.as_uri() if where == "folder" else f"s3://{request.getfixturevalue(where)}"
    open_lake(url).upsert(random_walk(["BTC", "OWN"], 5))
    optimizer = subprocess.Popen(
        [sys.executable, "-c", OPTIMIZER, url],
        env={**os.environ, **UNMEASURED},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert optimizer.stdout is not None
    try:
        # a busy machine may start one of the two long after the other
        assert optimizer.stdout.readline() == "ready\n"
        assert subprocess.run([sys.executable, "-c", WRITER, url], timeout=240, check=False).returncode == 0
        # it begins again after each revision, so it may come to an end only now
        deadline = time.monotonic() + 120
        while "OPTIMIZE" not in operations(url) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert optimizer.poll() is None, "it gave up"
    finally:
        optimizer.kill()
        optimizer.communicate()
    held = open_lake(url).read("1d")
    assert not held.select(CANDLE_KEY).is_duplicated().any()
    assert_frame_equal(held, random_walk(["BTC", "OWN"], 23, seed=2))
    assert {"OPTIMIZE", "MERGE"} <= operations(url), "they did not meet"


def operations(url: str) -> set[str]:
    """What the commits of the lake's table say they did."""
    store = open_store(url)
    logs = [store.get(info.key).data for info in store.list("candles/_delta_log/") if info.key.endswith(".json")]
    lines = [json.loads(line) for log in logs for line in log.splitlines()]
    return {line["commitInfo"]["operation"] for line in lines if "commitInfo" in line}


KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from cripto.market.lake import open_lake
log = Path(sys.argv[1].removeprefix("file://")) / "candles"
lake, seen = open_lake(sys.argv[1]), len(list(log.rglob("*")))
def kill(count):
    while len(list(log.rglob("*"))) < seen + count:
        time.sleep(0.0002)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, args=[int(sys.argv[2])], daemon=True).start()
lake.optimize()
"""


@pytest.mark.parametrize("new_files", [1, 4, *(pytest.param(count, marks=pytest.mark.slow) for count in (2, 3))])
def test_an_optimization_killed_on_the_way_leaves_every_candle_and_can_be_repeated(
    lake: CandleLake, tmp_path: Path, new_files: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path.as_uri(), str(new_files)],
        env={**os.environ, **UNMEASURED},
        check=False,
        timeout=240,
    )
    assert done.returncode in {-signal.SIGKILL, 0}
    assert_frame_equal(open_lake(tmp_path.as_uri()).read("1d"), until_day(10))
    assert lake.optimize().files == 1
    assert_frame_equal(lake.read("1d"), until_day(10))
    assert lake.upsert(until_day(11)).inserted == 2
