import shutil
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable

from cripto.errors import StorageDenied, StorageUnavailable
from cripto.market._commit_watch import CommitWatch
from cripto.market.lake import CandleLake, DeltaLake, open_lake
from cripto.storage import MemoryStore, delta_options, open_store
from tests.doubles.candles import random_walk
from tests.doubles.faulty_s3 import Fault, FaultyS3
from tests.doubles.stores import WatchedStore

CANDLES = random_walk(["BTC"], 60)


class Table:
    """The log of a table in memory, what was asked of it, and how often it was opened."""

    def __init__(self, *versions: int) -> None:
        self.store = MemoryStore()
        self.asked: Counter[str] = Counter()
        self.opened = 0
        for version in versions:
            self.commit(version)
        self.watch = CommitWatch(WatchedStore(self.store, self._before), "candles", self._open)

    def commit(self, version: int, data: bytes = b"{}") -> None:
        self.store.put(f"candles/_delta_log/{version:020}.json", data)

    def drop(self, version: int) -> None:
        self.store.delete(f"candles/_delta_log/{version:020}.json")

    def looks(self, count: int = 1) -> list[int | None]:
        return [self.watch.version() for _ in range(count)]

    def _before(self, method: str, key: str) -> None:
        self.asked[method] += 1

    def _open(self) -> int | None:
        self.opened += 1
        names = [info.key.rsplit("/", 1)[1] for info in self.store.list("candles/_delta_log/")]
        return max((int(name.removesuffix(".json")) for name in names), default=None)


def test_a_look_at_a_table_that_stands_is_one_request_and_no_listing() -> None:
    table = Table(0, 1, 2)
    assert table.looks() == [2]
    table.asked.clear()
    assert table.looks(10) == [2] * 10
    assert (table.opened, table.asked) == (1, {"get": 10})
    assert table.looks() == [2]
    assert (table.opened, table.asked) == (1, {"get": 11, "get_if_changed": 1})


def test_commits_are_followed_one_by_one_and_many_by_opening_the_table() -> None:
    table = Table(0)
    table.looks()
    for version in (1, 2, 3):
        table.commit(version)
    assert table.looks() == [3]
    assert table.opened == 1
    for version in range(4, 100):
        table.commit(version)
    assert table.looks() == [99]
    assert table.opened == 2


def test_a_table_that_is_not_there_yet_is_looked_for_each_time() -> None:
    table = Table()
    assert table.looks(2) == [None, None]
    table.commit(0)
    assert table.looks() == [0]


@pytest.mark.parametrize("anew", [True, False])
def test_a_table_removed_or_made_anew_is_noticed_within_eleven_looks(anew: bool) -> None:
    table = Table(0, 1, 2)
    table.looks()
    for version in range(3):
        table.drop(version)
    if anew:
        table.commit(0, b"another table")
    assert table.looks(11)[-1] == (0 if anew else None)


def test_a_table_made_anew_with_as_many_commits_is_opened_again() -> None:
    table = Table(0)
    table.looks()
    table.commit(0, b"another table")
    table.looks(11)
    assert table.opened == 2


def test_a_log_cleaned_past_the_last_commit_seen_is_found_again_by_opening_the_table() -> None:
    table = Table(0, 1)
    table.looks()
    for version in (0, 1):
        table.drop(version)
    table.commit(50)
    assert table.looks(11)[-1] == 50


def test_a_store_that_does_not_answer_is_never_nothing_new() -> None:
    faults: list[Exception] = []

    def before(method: str, key: str) -> None:
        if faults:
            raise faults[0]

    table = Table(0)
    opened: list[int] = []

    def denied() -> int:
        opened.append(1)
        raise StorageDenied("access denied")

    watch = CommitWatch(WatchedStore(table.store, before), "candles", lambda: 0)
    assert watch.version() == 0
    watch._opened = denied
    faults.append(StorageUnavailable("down"))
    with pytest.raises(StorageUnavailable):
        watch.version()
    assert opened == []
    faults[0] = StorageDenied("access denied")
    with pytest.raises(StorageDenied):
        watch.version()
    assert opened == [1], "what the table's own reader says of it counts"
    faults.clear()
    table.commit(1)
    assert watch.version() == 1


def test_a_folder_below_a_symbolic_link_is_still_read(tmp_path: Path) -> None:
    elsewhere = tmp_path / "large disk"
    DeltaLake(lambda: (str(elsewhere), {})).upsert(CANDLES.head(1))
    store = tmp_path / "store"
    store.mkdir()
    (store / "candles").symlink_to(elsewhere)
    lake = open_lake(store.as_uri())
    assert lake.version() == 0
    DeltaLake(lambda: (str(elsewhere), {})).upsert(CANDLES.head(2))
    assert lake.version() == 1


def moved_on(lake: CandleLake, writer: CandleLake, count: int) -> None:
    """Candles of one more day are seen."""
    done = writer.upsert(CANDLES.head(count))
    assert done.inserted == 1
    assert lake.version() == done.version


def test_a_real_table_is_followed_through_checkpoints_and_clean_up(tmp_path: Path) -> None:
    lake, writer = open_lake(tmp_path.as_uri()), open_lake(tmp_path.as_uri())
    for count in range(1, 4):
        moved_on(lake, writer, count)
    table = DeltaTable(str(tmp_path / "candles"))
    table.create_checkpoint()
    for file in sorted((tmp_path / "candles" / "_delta_log").glob("*.json"))[:-1]:
        file.unlink()  # as the clean-up of a log does, a month later
    assert open_lake(tmp_path.as_uri()).version() == lake.version() == 2
    moved_on(lake, writer, 4)
    shutil.rmtree(tmp_path / "candles")
    assert [lake.version() for _ in range(11)][-1] is None
    moved_on(lake, writer, 1)


def test_a_look_on_s3_is_one_small_request(s3_proxy: FaultyS3, s3_proxy_bucket: str) -> None:
    url = f"s3://{s3_proxy_bucket}/criptos"
    lake = open_lake(url)
    open_lake(url).upsert(CANDLES.head(2))
    assert lake.version() == 0
    s3_proxy.forget()
    assert lake.version() == 0
    assert [(seen.method, seen.status) for seen in s3_proxy.seen] == [("GET", 404)]
    assert s3_proxy.seen[0].size < 1000
    open_lake(url).upsert(CANDLES.head(3))
    s3_proxy.forget()
    assert lake.version() == 1
    assert [(seen.method, seen.status) for seen in s3_proxy.seen] == [("GET", 200), ("GET", 404)]


@pytest.mark.parametrize("status", [403, 503])
def test_s3_that_refuses_is_never_nothing_new(s3_proxy: FaultyS3, s3_proxy_bucket: str, status: int) -> None:
    url = f"s3://{s3_proxy_bucket}/criptos"
    lake = DeltaLake(lambda: delta_options(url, "candles"), within=(open_store(url), "candles"))
    lake.upsert(CANDLES.head(2))
    assert lake.version() == 0
    s3_proxy.fault = Fault(status=status)
    with pytest.raises(StorageDenied if status == 403 else StorageUnavailable):
        lake.version()
    s3_proxy.fault = None
    assert lake.version() == 0
