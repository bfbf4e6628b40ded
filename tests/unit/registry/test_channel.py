import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, NoRelease, ReleaseRefused, UnknownRelease, WriteConflict
from cripto.registry import Channel, ReleaseRegistry, channel_key
from cripto.registry.channel import LONGEST_HISTORY
from cripto.storage import MemoryStore
from tests.doubles.releases import fake_draft
from tests.doubles.stores import WatchedStore

NOW = datetime(2025, 8, 1, 12, tzinfo=UTC)
CLOCK = FixedClock(NOW)
A, B, C = map(ReleaseVersion.parse, ("20250729-2130", "20250730-2130", "20250731-2130"))
KEY = "models/channels/production.json"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> ReleaseRegistry:
    registry = ReleaseRegistry(store)
    for version in (A, B, C):
        registry.publish(fake_draft(str(version)))
    return registry


def current(registry: ReleaseRegistry) -> Channel:
    channel = registry.channel("1d", "1d")
    assert channel is not None
    return channel


def test_the_channel_of_the_default_interval_has_the_plain_name() -> None:
    assert channel_key("1d", "1d") == KEY
    assert channel_key("1h", "1d") == "models/channels/production-1h.json"
    assert channel_key("1d", "1h") == "models/channels/production-1d.json"
    with pytest.raises(InvalidInput):
        channel_key("../x", "1d")


def test_a_new_store_has_no_channel(registry: ReleaseRegistry) -> None:
    assert registry.channel("1d", "1d") is None


def test_the_first_release_is_promoted_and_no_later_one_by_itself(registry: ReleaseRegistry) -> None:
    first = registry.promote_first(A, "1d", CLOCK)
    assert first == current(registry)
    assert (first.release, first.sequence, first.promoted_at, first.previous) == (A, 1, NOW, None)
    assert registry.promote_first(B, "1d", CLOCK) is None
    assert current(registry) == first


def test_the_first_release_of_another_interval_has_a_channel_of_its_own(registry: ReleaseRegistry) -> None:
    registry.promote_first(A, "1d", CLOCK)
    hourly = registry.publish(fake_draft("20250729-2230", interval="1h")).release
    assert registry.promote_first(hourly, "1d", CLOCK) == registry.channel("1h", "1d")
    assert current(registry).release == A


def test_a_promotion_moves_the_pointer_and_raises_its_sequence(registry: ReleaseRegistry) -> None:
    assert registry.promote(A, "1d", CLOCK).sequence == 1
    later = FixedClock(NOW + timedelta(hours=1))
    moved = registry.promote(B, "1d", later)
    assert (moved.release, moved.sequence, moved.previous, moved.promoted_at) == (B, 2, A, later.now())
    assert current(registry) == moved


def test_promoting_what_is_promoted_writes_nothing(registry: ReleaseRegistry, store: MemoryStore) -> None:
    first = registry.promote(A, "1d", CLOCK)
    assert registry.promote(A, "1d", FixedClock(NOW + timedelta(days=1))) == first
    assert store.get(KEY).etag == first.etag


def test_an_unknown_release_is_not_promoted(registry: ReleaseRegistry) -> None:
    with pytest.raises(UnknownRelease):
        registry.promote(ReleaseVersion.parse("20250801-0000"), "1d", CLOCK)
    assert registry.channel("1d", "1d") is None


@pytest.mark.parametrize("how", ["promote", "promote_first"])
def test_a_damaged_release_is_not_promoted(registry: ReleaseRegistry, store: MemoryStore, how: str) -> None:
    store.put(f"models/regressor_rf_{B}.joblib", b"swapped")
    with pytest.raises(ReleaseRefused, match=rf"regressor_rf_{B}\.joblib is 7 bytes"):
        getattr(registry, how)(B, "1d", CLOCK)
    assert registry.channel("1d", "1d") is None


def test_a_damaged_release_takes_no_other_s_place(registry: ReleaseRegistry, store: MemoryStore) -> None:
    registry.promote(A, "1d", CLOCK)
    store.delete(f"models/releases/{B}/classifier_log.onnx")
    with pytest.raises(ReleaseRefused, match=r"classifier_log\.onnx is missing"):
        registry.promote(B, "1d", CLOCK)
    assert current(registry).release == A


def test_a_rollback_returns_to_the_release_promoted_before_and_the_next_one_goes_further(
    registry: ReleaseRegistry,
) -> None:
    for version in (A, B, C):
        registry.promote(version, "1d", CLOCK)
    back = registry.rollback("1d", "1d", CLOCK)
    assert (back.release, back.sequence, back.previous) == (B, 4, A)
    assert registry.rollback("1d", "1d", CLOCK).release == A
    assert current(registry).sequence == 5
    with pytest.raises(InvalidInput, match="before 20250729-2130"):
        registry.rollback("1d", "1d", CLOCK)
    assert current(registry).sequence == 5


def test_a_rollback_follows_promotions_not_versions(registry: ReleaseRegistry) -> None:
    for version in (C, A, C, B):
        registry.promote(version, "1d", CLOCK)
    assert [registry.rollback("1d", "1d", CLOCK).release for _ in range(3)] == [C, A, C]


def test_a_rollback_to_a_release_that_is_gone_is_refused(registry: ReleaseRegistry, store: MemoryStore) -> None:
    registry.promote(A, "1d", CLOCK)
    registry.promote(B, "1d", CLOCK)
    store.delete(f"models/releases/{A}/manifest.json")
    with pytest.raises(ReleaseRefused, match="no longer there"):
        registry.rollback("1d", "1d", CLOCK)
    assert current(registry).release == B


def test_a_rollback_without_a_channel_says_so(registry: ReleaseRegistry) -> None:
    with pytest.raises(NoRelease):
        registry.rollback("1d", "1d", CLOCK)


def test_the_history_is_bounded(registry: ReleaseRegistry) -> None:
    for number in range(LONGEST_HISTORY + 10):
        registry.promote((A, B)[number % 2], "1d", CLOCK)
    assert len(current(registry).history) == LONGEST_HISTORY
    assert current(registry).sequence == LONGEST_HISTORY + 10


@pytest.mark.parametrize("promoted", [None, C], ids=["no channel yet", "a channel"])
def test_of_two_who_read_the_same_pointer_one_moves_it_and_the_other_is_told(
    registry: ReleaseRegistry, store: MemoryStore, promoted: ReleaseVersion | None
) -> None:
    if promoted is not None:
        registry.promote(promoted, "1d", CLOCK)
    both_have_read = Barrier(2)

    def wait(method: str, key: str) -> None:
        if method in {"create", "replace"}:
            both_have_read.wait(120)

    def promote(version: ReleaseVersion) -> Channel | None:
        try:
            return ReleaseRegistry(WatchedStore(store, wait)).promote(version, "1d", CLOCK)
        except WriteConflict:
            return None

    with ThreadPoolExecutor(2) as pool:
        won = [channel for channel in pool.map(promote, (A, B)) if channel is not None]
    assert won == [current(registry)]
    assert won[0].sequence == (1 if promoted is None else 2)


def test_of_two_first_releases_one_is_promoted_and_the_other_is_simply_not_the_first(
    registry: ReleaseRegistry, store: MemoryStore
) -> None:
    both_have_read = Barrier(2)

    def wait(method: str, key: str) -> None:
        if method == "create":
            both_have_read.wait(120)

    def promote(version: ReleaseVersion) -> Channel | None:
        return ReleaseRegistry(WatchedStore(store, wait)).promote_first(version, "1d", CLOCK)

    with ThreadPoolExecutor(2) as pool:
        won = [channel for channel in pool.map(promote, (A, B)) if channel is not None]
    assert won == [current(registry)]


def pointer(**changed: object) -> bytes:
    value = {
        "schema_version": 1,
        "release": str(A),
        "sequence": 1,
        "promoted_at": "2025-08-01T00:00:00Z",
        "history": [],
    }
    return json.dumps(value | changed).encode()


def test_a_pointer_is_read_as_it_is_written_here(registry: ReleaseRegistry, store: MemoryStore) -> None:
    store.put(KEY, pointer(sequence=7, history=[str(B)]))
    assert (current(registry).release, current(registry).sequence, current(registry).previous) == (A, 7, B)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        pointer(schema_version=2),
        pointer(release="../x"),
        pointer(release=None),
        pointer(sequence=0),
        pointer(sequence=True),
        pointer(promoted_at="2025-08-01T00:00:00"),
        pointer(history="20250729-2130"),
        pointer(history=None),
    ],
)
def test_a_malformed_pointer_is_refused_and_never_written_over(
    registry: ReleaseRegistry, store: MemoryStore, data: bytes
) -> None:
    store.put(KEY, data)
    for act in (
        lambda: registry.channel("1d", "1d"),
        lambda: registry.promote(A, "1d", CLOCK),
        lambda: registry.resolve("1d", "1d"),
    ):
        with pytest.raises(ReleaseRefused, match=r"production\.json"):
            act()
    assert store.get(KEY).data == data
