"""One suite for every store: memory, a folder, S3 as moto plays it, a real S3 server."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from cripto.errors import InvalidInput, ObjectNotFound, WriteConflict
from cripto.storage import LocalStore, MemoryStore, ObjectStore, open_store
from tests.conftest import PAGE

StoreFactory = Callable[[], ObjectStore]
"""Makes another client of the same store, as another process would."""


@pytest.fixture(
    params=[
        *("memory", "folder", "s3_bucket", "radosgw_bucket", "radosgw_bucket without prefix"),
        pytest.param("s3_bucket without prefix", marks=pytest.mark.slow),
    ]
)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> StoreFactory:
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "folder":
        return lambda: LocalStore(tmp_path / "store")
    fixture, _, without_prefix = request.param.partition(" ")
    bucket = request.getfixturevalue(fixture)
    url = f"s3://{bucket}" if without_prefix else f"s3://{bucket}/some/prefix"
    return lambda: open_store(url)


@pytest.fixture
def store(reopen: StoreFactory) -> ObjectStore:
    return reopen()


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4], ids=["empty", "one byte", "every byte"])
@pytest.mark.parametrize("write", ["create", "put"])
def test_a_write_is_read_back_whole_with_the_tag_it_returned(store: ObjectStore, write: str, data: bytes) -> None:
    etag = getattr(store, write)("models/a.bin", data)
    stored = store.get("models/a.bin")
    assert (stored.data, stored.etag) == (data, etag)


def test_another_client_reads_what_one_wrote(reopen: StoreFactory) -> None:
    reopen().put("a/b", b"1")
    assert reopen().get("a/b").data == b"1"


def test_a_missing_object_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(ObjectNotFound, match="models/none is not in the store"):
        store.get("models/none")


def test_a_folder_of_objects_is_not_an_object(store: ObjectStore) -> None:
    store.put("a/b", b"1")
    with pytest.raises(ObjectNotFound):
        store.get("a")
    with pytest.raises(ObjectNotFound):
        store.get("a/b/c")


def test_create_refuses_what_exists_and_leaves_it(store: ObjectStore) -> None:
    store.create("a", b"first")
    with pytest.raises(WriteConflict):
        store.create("a", b"second")
    assert store.get("a").data == b"first"


def test_replace_takes_the_tag_just_read(store: ObjectStore) -> None:
    first = store.create("a", b"1")
    second = store.replace("a", b"2", first)
    assert store.get("a").data == b"2"
    assert store.replace("a", b"3", second) == store.get("a").etag
    assert store.get("a").data == b"3"


def test_replace_with_a_stale_tag_conflicts(store: ObjectStore) -> None:
    first = store.create("a", b"1")
    store.put("a", b"2")
    with pytest.raises(WriteConflict):
        store.replace("a", b"3", first)
    assert store.get("a").data == b"2"


def test_replace_of_a_missing_object_conflicts_and_makes_none(store: ObjectStore) -> None:
    etag = store.create("a/b", b"1")
    store.delete("a/b")
    for key in ("a/b", "never/was"):
        with pytest.raises(WriteConflict):
            store.replace(key, b"2", etag)
    assert list(store.list("")) == []


def test_put_writes_over_anything(store: ObjectStore) -> None:
    store.put("a", b"1")
    store.put("a", b"22")
    assert store.get("a").data == b"22"


def test_get_if_changed_is_none_until_the_content_changes(store: ObjectStore) -> None:
    etag = store.put("a", b"1")
    assert store.get_if_changed("a", etag) is None
    store.put("a", b"2")
    changed = store.get_if_changed("a", etag)
    assert changed is not None
    assert changed.data == b"2"
    assert changed.etag != etag


def test_get_if_changed_of_a_missing_object_is_not_found(store: ObjectStore) -> None:
    etag = store.put("a", b"1")
    store.delete("a")
    with pytest.raises(ObjectNotFound):
        store.get_if_changed("a", etag)


def test_delete_removes_and_may_be_repeated(store: ObjectStore) -> None:
    store.put("a/b", b"1")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("never/was")
    with pytest.raises(ObjectNotFound):
        store.get("a/b")


def test_a_deleted_key_can_be_created_again(store: ObjectStore) -> None:
    store.create("a", b"1")
    store.delete("a")
    store.create("a", b"2")
    assert store.get("a").data == b"2"


def test_an_empty_store_lists_nothing(store: ObjectStore) -> None:
    assert list(store.list("")) == []
    assert list(store.list("models/")) == []


def test_a_listing_says_key_size_tag_and_time_by_key(store: ObjectStore) -> None:
    keys = ["models/b/x", "models/a", "models/a-b/x", "models/a.b", "models2/c", "other"]
    tags = {key: store.put(key, key.encode()) for key in keys}
    listed = list(store.list("models/"))
    assert [item.key for item in listed] == ["models/a", "models/a-b/x", "models/a.b", "models/b/x"]
    assert [item.size for item in listed] == [len(item.key) for item in listed]
    assert [item.etag for item in listed] == [tags[item.key] for item in listed]
    now = datetime.now(UTC)
    assert all(now - timedelta(hours=1) < item.modified <= now + timedelta(minutes=1) for item in listed)
    assert [item.key for item in store.list("")] == sorted(keys)


def test_a_listing_follows_writes(store: ObjectStore) -> None:
    store.put("a", b"1")
    before = {item.key: item.etag for item in store.list("")}
    store.put("a", b"2")
    store.put("b", b"1")
    after = {item.key: item.etag for item in store.list("")}
    assert set(after) == {"a", "b"}
    assert after["a"] != before["a"]
    store.delete("a")
    assert [item.key for item in store.list("")] == ["b"]


def test_a_prefix_ends_at_a_slash(store: ObjectStore) -> None:
    store.put("models/a", b"1")
    with pytest.raises(InvalidInput, match="ends in no slash"):
        list(store.list("mod"))


def test_a_listing_goes_past_one_page(store: ObjectStore) -> None:
    past_one_page(store, PAGE)


@pytest.mark.slow
def test_a_listing_of_a_real_server_goes_past_one_page(radosgw_bucket: str) -> None:
    past_one_page(open_store(f"s3://{radosgw_bucket}"), 1000)


def past_one_page(store: ObjectStore, size: int) -> None:
    keys = [f"many/{number:04}" for number in range(size + 3)]
    for key in keys:
        store.put(key, b"")
    assert [item.key for item in store.list("many/")] == keys


def test_a_page_of_the_played_server_is_as_short_as_that(s3_bucket: str) -> None:
    assert boto3.Session().client("s3").list_objects_v2(Bucket=s3_bucket)["MaxKeys"] == PAGE


MALFORMED = {
    "empty": "",
    "absolute": "/etc/passwd",
    "climbing": "../outside",
    "climbing inside": "models/../../outside",
    "dot": "models/./a",
    "empty part": "models//a",
    "trailing slash": "models/",
    "hidden": ".lock",
    "hidden part": "models/.hidden/a",
    "control character": "models/a\nb",
    "nul": "models/a\0b",
    "backslash": "models\\a",
    "space": "models/a b",
    "not ascii": "models/ação",
    "drive": "C:/a",
    "too long": "a/" * 300 + "a",
}


@pytest.mark.parametrize("key", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_key_is_refused_by_every_method(store: ObjectStore, key: str) -> None:
    for call in (
        lambda: store.get(key),
        lambda: store.get_if_changed(key, "tag"),
        lambda: store.create(key, b"1"),
        lambda: store.replace(key, b"1", "tag"),
        lambda: store.put(key, b"1"),
        lambda: store.delete(key),
    ):
        with pytest.raises(InvalidInput):
            call()
    if key:
        with pytest.raises(InvalidInput):
            list(store.list(key.rstrip("/") + "//"))


@pytest.mark.parametrize("key", ["a%2Fb", "a%b", "interval=1d/part-0.c000.parquet", "a+b", "A_B/c..d", "x" * 255])
def test_an_odd_but_plain_key_is_kept_as_it_is(store: ObjectStore, key: str) -> None:
    store.create(key, b"1")
    assert store.get(key).data == b"1"
    assert [item.key for item in store.list("")] == [key]
    store.delete(key)
    assert list(store.list("")) == []


def test_a_large_object_survives(store: ObjectStore) -> None:
    data = bytes(range(256)) * (48 * 1024)  # 12 MiB: above the size from which S3 is written in parts
    store.put("large", data)
    assert store.get("large").data == data
    etag = store.create("large-too", data)
    assert store.get("large-too").data == data
    assert store.get_if_changed("large-too", etag) is None


def _race(count: int, attempt: Callable[[int], object]) -> list[int]:
    """Run ``attempt`` in ``count`` threads at once; the numbers of those that met no conflict."""
    won: list[int] = []
    failed: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            attempt(number)
            won.append(number)
        except WriteConflict:
            pass
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    return won


def test_of_racing_creates_exactly_one_wins(reopen: StoreFactory) -> None:
    for turn in range(5):
        key = f"race/{turn}"

        def create(number: int, key: str = key) -> str:
            return reopen().create(key, str(number).encode())

        won = _race(6, create)
        assert len(won) == 1
        assert reopen().get(key).data == str(won[0]).encode()


def test_of_racing_replaces_exactly_one_wins(reopen: StoreFactory) -> None:
    etag = reopen().create("pointer", b"start")
    for _ in range(5):

        def replace(number: int, etag: str = etag) -> str:
            return reopen().replace("pointer", f"{number}-{etag}".encode(), etag)

        won = _race(6, replace)
        assert len(won) == 1
        stored = reopen().get("pointer")
        assert stored.data == f"{won[0]}-{etag}".encode()
        etag = stored.etag
