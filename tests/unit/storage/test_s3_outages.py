"""What a store on S3 makes of real objects behind a network, a quota or a server that fails."""

from collections.abc import Callable
from hashlib import md5

import pytest

from cripto.errors import CriptoError, StorageDenied, StorageUnavailable, WriteConflict
from cripto.registry import ReleaseRegistry
from cripto.storage import ObjectStore, S3Store, open_store
from cripto.storage._s3_access import s3_access
from tests.doubles.faulty_s3 import Fault, FaultyS3
from tests.doubles.releases import fake_draft

DATA = bytes(range(256)) * 40
TAG = f'"{md5(DATA).hexdigest()}"'
READS: dict[str, Callable[[ObjectStore], object]] = {
    "get": lambda store: store.get("a").data,
    "get_if_changed": lambda store: store.get_if_changed("a", '"another"'),
    "list": lambda store: list(store.list("")),
}
WRITES: dict[str, Callable[[ObjectStore], object]] = {
    "create": lambda store: store.create("new", b"1"),
    "replace": lambda store: store.replace("a", b"1", TAG),
    "put": lambda store: store.put("a", b"1"),
    "delete": lambda store: store.delete("a"),
}
each_read = pytest.mark.parametrize("call", READS.values(), ids=READS.keys())
each_call = pytest.mark.parametrize("call", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES])


@pytest.fixture
def store(s3_proxy: FaultyS3, s3_proxy_bucket: str) -> ObjectStore:
    """Holds ``a``; two tries more for what fails."""
    store = S3Store(s3_proxy_bucket, access=s3_access(), timeout=30.0, retries=2, retry_seconds=30.0)
    store.put("a", DATA)
    s3_proxy.forget()
    return store


def first(count: int, method: str) -> Callable[[str, str], bool]:
    """Picks the first ``count`` requests of ``method``."""
    left = [method] * count
    return lambda method, key: bool(left and left[-1] == method and left.pop())


@each_call
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(down=True), StorageUnavailable),
        (Fault(status=500), StorageUnavailable),
        (Fault(status=503), StorageUnavailable),
        (Fault(status=403), StorageDenied),
    ],
    ids=["down", "500", "503", "403"],
)
def test_a_failure_ends_is_never_not_found_and_leaves_what_was(
    store: ObjectStore,
    s3_proxy: FaultyS3,
    fault: Fault,
    error: type[CriptoError],
    call: Callable[[ObjectStore], object],
) -> None:
    s3_proxy.fault = fault
    with pytest.raises(error):
        call(store)
    assert 1 <= len(s3_proxy.seen) <= 3
    s3_proxy.fault = None
    assert store.get("a").data == DATA
    assert [item.key for item in store.list("")] == ["a"]


@each_read
@pytest.mark.parametrize("fault", [{"down": True}, {"status": 500}, {"status": 503}], ids=["down", "500", "503"])
def test_a_read_outlives_a_failure_that_passes(
    store: ObjectStore, s3_proxy: FaultyS3, fault: dict[str, int], call: Callable[[ObjectStore], object]
) -> None:
    wanted = call(store)
    method = s3_proxy.seen[-1].method
    s3_proxy.forget()
    s3_proxy.fault = Fault(**fault, where=first(2, method))  # type: ignore[arg-type]
    assert call(store) == wanted
    assert len(s3_proxy.seen) == 3


@each_read
def test_a_truncated_answer_is_never_taken_for_whole(
    store: ObjectStore, s3_proxy: FaultyS3, call: Callable[[ObjectStore], object]
) -> None:
    s3_proxy.fault = Fault(truncated=True)
    with pytest.raises(StorageUnavailable):
        call(store)
    assert 1 <= len(s3_proxy.seen) <= 3


def test_an_object_cut_off_twice_is_read_on_from_there_to_its_end(store: ObjectStore, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(truncated=True, where=first(2, "GET"))
    assert store.get("a").data == DATA
    assert [seen.size for seen in s3_proxy.seen] == [5120, 2560, 2560]


def test_an_object_written_over_between_two_halves_is_never_a_mixture(
    store: ObjectStore, s3_proxy: FaultyS3
) -> None:
    def cut(method: str, key: str) -> bool:
        if method == "GET" and s3_proxy.counts["GET", key] == 2:
            store.put("a", DATA[::-1])
        return method == "GET" and s3_proxy.counts["GET", key] == 1

    s3_proxy.fault = Fault(truncated=True, where=cut)
    with pytest.raises(StorageUnavailable):
        store.get("a")
    assert s3_proxy.counts == {("GET", "a"): 2, ("PUT", "a"): 1}


def test_a_slow_answer_is_waited_for(store: ObjectStore, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(delay=0.2)
    assert store.get("a").data == DATA
    assert len(s3_proxy.seen) == 1


def test_a_look_at_what_did_not_change_is_one_conditional_request_without_a_body(
    store: ObjectStore, s3_proxy: FaultyS3
) -> None:
    assert store.get_if_changed("a", TAG) is None
    assert [(seen.method, seen.conditional, seen.status, seen.size) for seen in s3_proxy.seen] == [
        ("GET", True, 304, 0)
    ]


def test_a_listing_that_lags_says_what_was_and_objects_what_is(
    store: ObjectStore, s3_proxy: FaultyS3, s3_proxy_bucket: str
) -> None:
    s3_proxy.freeze(s3_proxy_bucket)
    store.put("b", b"1")
    assert [item.key for item in store.list("")] == ["a"]
    assert store.get("b").data == b"1"


def test_a_replacement_that_a_reset_left_open_is_not_sent_again(store: ObjectStore, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(down=True)
    with pytest.raises(StorageUnavailable):
        store.replace("a", b"1", TAG)
    assert s3_proxy.counts == {("PUT", "a"): 1}


def test_a_tag_that_is_refused_but_holds_is_offered_without_quotes(store: ObjectStore, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(status=412, where=first(1, "PUT"))
    assert store.replace("a", b"1", TAG) == store.get("a").etag
    assert [(seen.method, seen.status) for seen in s3_proxy.seen] == [
        ("PUT", 412),
        ("HEAD", 200),
        ("PUT", 200),
        ("GET", 200),
    ]


@pytest.mark.parametrize("fault", [None, Fault(status=500, where=lambda method, key: method == "HEAD")])
def test_a_lost_replacement_is_never_offered_again(
    store: ObjectStore, s3_proxy: FaultyS3, fault: Fault | None
) -> None:
    store.put("a", b"theirs")
    s3_proxy.forget()
    s3_proxy.fault = fault
    with pytest.raises(WriteConflict):
        store.replace("a", b"mine", TAG)
    assert s3_proxy.counts["PUT", "a"] == 1
    assert store.get("a").data == b"theirs"


def test_other_bytes_of_the_same_length_are_caught_by_the_manifest(
    s3_proxy: FaultyS3, s3_proxy_bucket: str
) -> None:
    registry = ReleaseRegistry(open_store(f"s3://{s3_proxy_bucket}"))
    manifest = registry.publish(fake_draft())
    assert registry.verify(manifest) == []
    s3_proxy.fault = Fault(garbage=True, where=lambda method, key: key.endswith(".onnx"))
    assert len(registry.verify(manifest)) == 5
