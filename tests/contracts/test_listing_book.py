"""One suite for the book of listings in every store: memory, a folder, S3 as moto plays it, a real S3 server."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from cripto.errors import OperatorError, StorageUnavailable, WriteConflict
from cripto.market.lake import open_lake
from cripto.market.listings import LISTINGS_KEY, ListingBook, Listings
from cripto.market.source import Pair
from cripto.storage import LocalStore, MemoryStore, ObjectStore, open_store
from tests.conftest import BUCKETS
from tests.doubles.candles import random_walk
from tests.doubles.stores import FailingStore, WatchedStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

StoreFactory = Callable[[], ObjectStore]


@pytest.fixture(params=["memory", "folder", *BUCKETS])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> StoreFactory:
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "folder":
        return lambda: LocalStore(tmp_path / "store")
    bucket = request.getfixturevalue(request.param)
    return lambda: open_store(f"s3://{bucket}/some/prefix")


def lists(exchange: str, *bases: str, at: datetime = NOON) -> Callable[[Listings], Listings]:
    return lambda held: held.seen(exchange, [Pair(base, "USDT") for base in bases], at)


def test_a_store_without_the_object_knows_nothing(reopen: StoreFactory) -> None:
    assert ListingBook(reopen()).read() == Listings()


def test_what_one_wrote_another_reads(reopen: StoreFactory) -> None:
    written = ListingBook(reopen()).update(lists("binance", "BTC", "1000SATS"))
    assert ListingBook(reopen()).read() == written
    assert written.factor("SATS", "USDT", "binance") == 1000


def test_what_has_not_changed_is_not_read_again(reopen: StoreFactory) -> None:
    book = ListingBook(reopen())
    held = book.update(lists("binance", "BTC"))
    assert book.read(held) is held
    ListingBook(reopen()).update(lists("binance", "BTC", "ETH"))
    assert book.read(held).listing("ETH", "USDT", "binance") is not None
    assert book.read(Listings()).listing("ETH", "USDT", "binance") is not None


def test_an_object_that_was_removed_is_not_held_on_to(reopen: StoreFactory) -> None:
    book = ListingBook(reopen())
    held = book.update(lists("binance", "BTC"))
    reopen().delete(LISTINGS_KEY)
    assert book.read(held) == Listings()


def test_a_change_of_nothing_writes_nothing(reopen: StoreFactory) -> None:
    ListingBook(reopen()).update(lists("binance", "BTC"))
    before = reopen().get(LISTINGS_KEY).etag
    ListingBook(reopen()).update(lists("binance", "BTC"))
    ListingBook(reopen()).update(lambda held: held)
    assert reopen().get(LISTINGS_KEY).etag == before


def test_updaters_at_once_lose_nothing(reopen: StoreFactory) -> None:
    names = [f"exchange{number}" for number in range(4)]
    failures: list[Exception] = []

    def follow(exchange: str) -> None:
        book = ListingBook(reopen())
        try:
            for hour in range(3):
                book.update(lists(exchange, "BTC", f"COIN{hour}", at=NOON + timedelta(hours=hour)))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=follow, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    known = ListingBook(reopen()).read()
    assert [item.exchange for item in known.of("BTC", "USDT")] == names
    assert all(item.checked == NOON + timedelta(hours=2) for item in known.every)
    # each lists one coin for another from hour to hour
    assert known.retired_series == {("COIN0", "USDT"), ("COIN1", "USDT")}


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"format": 2, "exchanges": {}, "more": 1}'], ids=["empty", "cut", "newer"]
)
def test_what_is_not_understood_is_never_written_over(reopen: StoreFactory, data: bytes) -> None:
    reopen().put(LISTINGS_KEY, data)
    book = ListingBook(reopen())
    with pytest.raises(OperatorError):
        book.read()
    with pytest.raises(OperatorError):
        book.update(lists("binance", "BTC"))
    assert reopen().get(LISTINGS_KEY).data == data


def test_a_write_that_fails_leaves_what_was_known(reopen: StoreFactory) -> None:
    held = ListingBook(reopen()).update(lists("binance", "BTC"))
    with pytest.raises(StorageUnavailable):
        ListingBook(FailingStore(reopen(), 0)).update(lists("binance", "ETH"))
    assert ListingBook(reopen()).read() == held


def test_a_write_whose_answer_is_lost_is_made_once(reopen: StoreFactory) -> None:
    with pytest.raises(StorageUnavailable):
        ListingBook(FailingStore(reopen(), 0, after=True)).update(lists("binance", "BTC"))
    known = ListingBook(reopen()).update(lists("binance", "BTC"))
    assert [item.symbol for item in known.every] == ["BTC"]


def test_a_writer_that_is_always_late_gives_up() -> None:
    store, count = MemoryStore(), iter(range(1000))

    def before(method: str, key: str) -> None:
        if method in {"create", "replace"}:
            ListingBook(store).update(lists("faster", "BTC", at=NOON + timedelta(hours=next(count))))

    with pytest.raises(WriteConflict):
        ListingBook(WatchedStore(store, before), attempts=3).update(lists("binance", "BTC"))


@pytest.mark.parametrize("kind", ["folder", *BUCKETS])
def test_the_candle_table_beside_it_takes_no_notice(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = tmp_path.as_uri() if kind == "folder" else f"s3://{request.getfixturevalue(kind)}/some/prefix"
    book = ListingBook(open_store(url))
    held = book.update(lists("binance", "BTC"))  # before there is a table
    candles = random_walk(["BTC"], 4)
    lake = open_lake(url)
    assert lake.version() is None
    for count in range(1, 5):
        lake.upsert(candles.head(count))
        book.update(lists("binance", "BTC", at=NOON + timedelta(hours=count)))
    if kind == "folder":
        for path in (tmp_path / "candles").rglob("*"):
            long_ago = path.stat().st_mtime - 400 * 86_400
            os.utime(path, (long_ago, long_ago))
    stray = open_store(url)
    stray.put("candles/interval=1d/left-by-a-killed-writer.parquet", b"PAR1")
    if kind == "folder":
        os.utime(tmp_path / "candles/interval=1d/left-by-a-killed-writer.parquet", (0, 0))
    done = lake.optimize(keep=timedelta(days=7))
    # on S3 nothing can be made old, so nothing is removed there
    assert done.removed == (1 if kind == "folder" else 0)
    assert book.read().meaning == held.meaning
    for reader in (lake, open_lake(url)):
        assert_frame_equal(reader.read("1d"), candles)
        assert_frame_equal(reader.recent("1d", 10), candles)
        assert [item.symbol for item in reader.series()] == ["BTC"]
