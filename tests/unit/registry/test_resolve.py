import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import CriptoError, InvalidInput, NoRelease, ReleaseRefused, StorageDenied, StorageUnavailable
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from tests.doubles.releases import fake_draft
from tests.doubles.stores import WatchedStore

A, B, C = map(ReleaseVersion.parse, ("20250729-2130", "20250730-2130", "20250731-2130"))
CLOCK = FixedClock(C.time)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> ReleaseRegistry:
    registry = ReleaseRegistry(store)
    for version in (A, B, C):
        registry.publish(fake_draft(str(version)))
    return registry


def test_the_pin_goes_before_the_channel(registry: ReleaseRegistry) -> None:
    registry.promote(B, "1d", CLOCK)
    assert registry.resolve("1d", "1d", pin=str(A)) == A


def test_the_channel_goes_before_the_newest(registry: ReleaseRegistry) -> None:
    registry.promote(B, "1d", CLOCK)
    assert registry.resolve("1d", "1d") == B


def test_without_a_channel_it_is_the_newest(registry: ReleaseRegistry) -> None:
    assert registry.resolve("1d", "1d") == C


def test_the_newest_is_that_of_the_interval(registry: ReleaseRegistry) -> None:
    hourly = registry.publish(fake_draft("20250801-0000", interval="1h")).release
    assert registry.resolve("1d", "1d") == C
    assert registry.resolve("1h", "1d") == hourly


def test_the_channel_is_that_of_the_interval(registry: ReleaseRegistry) -> None:
    registry.promote(A, "1d", CLOCK)
    with pytest.raises(NoRelease):
        registry.resolve("1h", "1d")


def test_a_folder_without_a_manifest_is_no_newest_release(registry: ReleaseRegistry, store: MemoryStore) -> None:
    store.put("models/releases/20250801-0000/regressor_rf.onnx", b"half")
    assert registry.resolve("1d", "1d") == C


def test_a_malformed_newest_release_does_not_hide_a_good_one(
    registry: ReleaseRegistry, store: MemoryStore
) -> None:
    store.put("models/releases/20250801-0000/manifest.json", b"{")
    assert registry.resolve("1d", "1d") == C


def test_nothing_but_malformed_releases_is_not_nothing(store: MemoryStore) -> None:
    store.put("models/releases/20250801-0000/manifest.json", b"{")
    with pytest.raises(ReleaseRefused, match="20250801-0000"):
        ReleaseRegistry(store).resolve("1d", "1d")


def test_an_empty_store_has_no_release(store: MemoryStore) -> None:
    with pytest.raises(NoRelease, match="interval 1d"):
        ReleaseRegistry(store).resolve("1d", "1d")


def test_a_channel_that_points_at_a_missing_release_is_refused_not_passed_over(
    registry: ReleaseRegistry, store: MemoryStore
) -> None:
    registry.promote(B, "1d", CLOCK)
    store.delete(f"models/releases/{B}/manifest.json")
    with pytest.raises(ReleaseRefused, match=f"{B} refused: it is promoted, and not in the store"):
        registry.resolve("1d", "1d")


def test_a_channel_that_points_at_a_malformed_release_is_refused_not_passed_over(
    registry: ReleaseRegistry, store: MemoryStore
) -> None:
    registry.promote(B, "1d", CLOCK)
    store.put(f"models/releases/{B}/manifest.json", b"{}")
    with pytest.raises(ReleaseRefused, match=str(B)):
        registry.resolve("1d", "1d")


def test_a_channel_that_points_at_another_interval_is_refused(
    registry: ReleaseRegistry, store: MemoryStore
) -> None:
    registry.promote(B, "1d", CLOCK)
    store.put("models/channels/production-1h.json", store.get("models/channels/production.json").data)
    with pytest.raises(ReleaseRefused, match="interval 1d, not 1h"):
        registry.resolve("1h", "1d")


def test_a_pin_that_is_not_there_is_refused(registry: ReleaseRegistry) -> None:
    with pytest.raises(ReleaseRefused, match="it is pinned, and not in the store"):
        registry.resolve("1d", "1d", pin="20200101-0000")


@pytest.mark.parametrize("pin", ["", "latest", "../../x", "20251399-9999"])
def test_a_pin_that_is_no_version_is_refused(registry: ReleaseRegistry, pin: str) -> None:
    with pytest.raises(InvalidInput):
        registry.resolve("1d", "1d", pin=pin)


@pytest.mark.parametrize("error", [StorageUnavailable("500"), StorageDenied("403")])
def test_only_not_found_means_that_there_is_no_pointer(store: MemoryStore, error: CriptoError) -> None:
    def fail(method: str, key: str) -> None:
        if "channels" in key:
            raise error

    ReleaseRegistry(store).publish(fake_draft(str(A)))
    with pytest.raises(type(error)):
        ReleaseRegistry(WatchedStore(store, fail)).resolve("1d", "1d")
