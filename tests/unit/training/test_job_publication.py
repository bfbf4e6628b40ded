"""What a run writes and promotes, and what it leaves where it is killed or others write meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from cripto.domain.clock import FixedClock
from cripto.errors import ModelRefused, StorageUnavailable, WriteConflict
from cripto.market.lake import CandleLake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import TrainingPlan, train
from cripto.training.promotion import resume
from tests.doubles.candles import random_walk
from tests.doubles.stores import FailingStore, WatchedStore
from tests.unit.training.toys import NOW, QUICK, lake_of, names, quickly

WRITES_BEFORE_THE_MANIFEST = 14  # five graphs, four other files, five joblibs


@pytest.fixture(scope="module")
def lake() -> CandleLake:
    return lake_of(random_walk(["ADA", "BTC"], 220))


def test_first_release_is_promoted_unasked(lake: CandleLake) -> None:
    result = quickly(lake, MemoryStore())
    assert result.promoted
    assert "first 1d release" in result.reason


def test_later_release_is_published_but_not_promoted_unasked(lake: CandleLake) -> None:
    store = MemoryStore()
    first = quickly(lake, store)
    second = quickly(lake, store, FixedClock(NOW + timedelta(days=1)))
    assert not second.promoted
    assert ReleaseRegistry(store).resolve("1d", "1d") == first.manifest.release
    assert ReleaseRegistry(store).versions() == [first.manifest.release, second.manifest.release]


def test_minute_that_is_taken_gives_way_to_the_second(lake: CandleLake) -> None:
    store = MemoryStore()
    quickly(lake, store)
    assert str(quickly(lake, store).manifest.release) == "20260102-030405"


def test_other_intervals_have_a_channel_of_their_own(lake: CandleLake) -> None:
    store = MemoryStore()
    assert quickly(lake, store, default_interval="1h").promoted
    assert names(store, "models/channels/") == ["models/channels/production-1d.json"]


@pytest.mark.parametrize(
    "writes", [WRITES_BEFORE_THE_MANIFEST, *(pytest.param(count, marks=pytest.mark.slow) for count in (0, 7))]
)
def test_run_that_dies_before_the_manifest_leaves_no_release(lake: CandleLake, writes: int) -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        quickly(lake, FailingStore(store, writes))
    assert ReleaseRegistry(store).versions() == []
    again = quickly(lake, store)
    assert again.promoted
    assert ReleaseRegistry(store).verify(again.manifest) == []


def test_run_that_dies_before_the_promotion_leaves_a_whole_release(lake: CandleLake) -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        quickly(lake, FailingStore(store, WRITES_BEFORE_THE_MANIFEST + 1))
    registry = ReleaseRegistry(store)
    (version,) = registry.versions()
    assert registry.verify(registry.manifest(version)) == []
    assert registry.resolve("1d", "1d") == version
    assert registry.channel("1d", "1d") is None
    assert resume(registry, version, "1d", False, FixedClock(NOW)) == "the first 1d release of this store"
    channel = registry.channel("1d", "1d")
    assert channel is not None
    assert channel.release == version
    store.delete("models/channels/production.json")
    assert quickly(lake, store, FixedClock(NOW + timedelta(days=1))).promoted


def test_version_that_another_run_takes_meanwhile_is_left_to_it(lake: CandleLake) -> None:
    store = MemoryStore()

    def rival(method: str, key: str) -> None:
        if method == "create" and "models/releases/20260102-0304/" in key and not names(store):
            store.create("models/releases/20260102-0304/classifier_rf.onnx", b"somebody else's")

    result = quickly(lake, WatchedStore(store, rival))
    assert str(result.manifest.release) == "20260102-030405"
    assert ReleaseRegistry(store).verify(result.manifest) == []


def test_version_that_is_taken_again_and_again_is_given_up(lake: CandleLake) -> None:
    tries: list[str] = []
    store = MemoryStore()

    def rival(method: str, key: str) -> None:
        if method == "create" and key.endswith("/regressor_rf.onnx"):
            tries.append(key)
            store.create(key, b"somebody else's")

    with pytest.raises(WriteConflict):
        quickly(lake, WatchedStore(store, rival))
    assert ReleaseRegistry(store).versions() == []
    assert len(tries) == 3


def test_refused_conversion_publishes_nothing(lake: CandleLake) -> None:
    def refuses(*_: object) -> Any:
        raise ModelRefused("regressor_rf", "its graph and its estimator differ by 1")

    store = MemoryStore()
    plan = TrainingPlan(recipes=QUICK)
    with pytest.raises(ModelRefused):
        train(lake, ReleaseRegistry(store), plan, FixedClock(NOW), convert=refuses)
    assert names(store) == []


def test_current_release_that_cannot_be_asked_keeps_no_new_one_from_its_place(lake: CandleLake) -> None:
    store = MemoryStore()
    first = quickly(lake, store, folds=2)
    second = quickly(lake, store, FixedClock(NOW + timedelta(days=1)), folds=2, promote=True)
    assert second.promoted, "the graphs of these tests are none, so the current release cannot be loaded"
    current = first.manifest.release
    assert f"not worse than {current} walking forward ({current} cannot be asked: " in second.reason
    assert second.challenge is not None
    assert second.manifest.training["promotion"] == {
        "asked": True,
        "against": str(current),
        "sequence": 1,
        "worse": False,
        "reason": second.challenge.reason,
    }
