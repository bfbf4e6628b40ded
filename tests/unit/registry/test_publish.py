from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, StorageUnavailable, WriteConflict
from cripto.registry import ModelDraft, ReleaseDraft, ReleaseRegistry
from cripto.storage import MemoryStore
from tests.doubles.releases import fake_draft
from tests.doubles.stores import FailingStore, WatchedStore

OBJECTS = 12  # five models in two forms, the model card, the manifest


def keys(store: MemoryStore) -> list[str]:
    return [info.key for info in store.list("")]


def test_a_published_release_can_be_listed_and_read_back_whole() -> None:
    registry = ReleaseRegistry(MemoryStore())
    draft = fake_draft()
    manifest = registry.publish(draft)
    assert registry.versions() == [draft.version]
    assert registry.manifest(draft.version) == manifest
    assert registry.verify(manifest) == []
    for model in manifest.models:
        assert registry.read(manifest, model.joblib) == draft.models[model.name].joblib
        assert registry.read(manifest, model.onnx) == draft.models[model.name].onnx
    assert registry.read(manifest, manifest.files[0]) == b"# Toy\n"


def test_the_files_lie_where_the_seed_and_the_design_say() -> None:
    store = MemoryStore()
    ReleaseRegistry(store).publish(fake_draft("20250729-2130"))
    assert keys(store) == sorted(
        [f"models/{name}_20250729-2130.joblib" for name in MODEL_NAMES]
        + [f"models/releases/20250729-2130/{name}.onnx" for name in MODEL_NAMES]
        + [f"models/releases/20250729-2130/{name}" for name in ("manifest.json", "model_card.md")]
    )


def test_the_manifest_is_written_last() -> None:
    written: list[str] = []
    store = WatchedStore(MemoryStore(), lambda method, key: written.append(key) if method == "create" else None)
    ReleaseRegistry(store).publish(fake_draft())
    assert len(written) == OBJECTS
    assert written[-1] == "models/releases/20250729-2130/manifest.json"


@pytest.mark.parametrize("answered", [True, False], ids=["died before the write", "died before the answer"])
@pytest.mark.parametrize("writes", range(OBJECTS - 1))
def test_a_publication_that_dies_at_any_object_leaves_no_release_and_can_be_done_again(
    writes: int, answered: bool
) -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(store, writes, after=not answered)).publish(fake_draft())
    registry = ReleaseRegistry(store)
    assert registry.versions() == []
    manifest = registry.publish(fake_draft())
    assert registry.verify(manifest) == []


def test_a_publication_whose_last_answer_is_lost_is_a_whole_release_and_can_be_done_again() -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(store, OBJECTS - 1, after=True)).publish(fake_draft())
    registry = ReleaseRegistry(store)
    assert registry.verify(registry.manifest(ReleaseVersion.parse("20250729-2130"))) == []
    registry.publish(fake_draft())


def test_a_dead_publication_keeps_its_version_to_itself() -> None:
    store = MemoryStore()
    clock = FixedClock(datetime(2025, 7, 29, 21, 30, 7, tzinfo=UTC))
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(store, 3)).publish(fake_draft(content="a"))
    registry = ReleaseRegistry(store)
    with pytest.raises(WriteConflict):
        registry.publish(fake_draft(content="b"))
    version = registry.next_version(clock)
    assert str(version) == "20250729-213007"
    manifest = registry.publish(fake_draft(str(version), content="b"))
    assert registry.versions() == [version]
    assert registry.verify(manifest) == []


def test_publishing_an_equal_release_again_changes_nothing() -> None:
    store = MemoryStore()
    registry = ReleaseRegistry(store)
    first = registry.publish(fake_draft())
    before = {key: store.get(key) for key in keys(store)}
    assert registry.publish(fake_draft()) == first
    assert {key: store.get(key) for key in keys(store)} == before


def change_time(draft: ReleaseDraft) -> ReleaseDraft:
    return replace(draft, created=datetime(2025, 7, 30, tzinfo=UTC))


def change_bytes(draft: ReleaseDraft) -> ReleaseDraft:
    return replace(draft, models=fake_draft(content="b").models)


@pytest.mark.parametrize("change", [change_time, change_bytes])
def test_a_version_is_never_published_twice_with_other_content(
    change: Callable[[ReleaseDraft], ReleaseDraft],
) -> None:
    store = MemoryStore()
    registry = ReleaseRegistry(store)
    registry.publish(fake_draft())
    before = {key: store.get(key) for key in keys(store)}
    with pytest.raises(WriteConflict):
        registry.publish(change(fake_draft()))
    assert {key: store.get(key) for key in keys(store)} == before


def test_of_publishers_of_one_version_exactly_one_wins_and_its_release_is_whole() -> None:
    store = MemoryStore()
    publishers = 4
    start = Barrier(publishers)

    def publish(number: int) -> Manifest | None:
        start.wait()
        try:
            return ReleaseRegistry(store).publish(fake_draft(content=str(number)))
        except WriteConflict:
            return None

    with ThreadPoolExecutor(publishers) as pool:
        won = [manifest for manifest in pool.map(publish, range(publishers)) if manifest is not None]
    assert len(won) == 1
    registry = ReleaseRegistry(store)
    assert registry.manifest(won[0].release) == won[0]
    assert registry.verify(won[0]) == []


def test_the_next_version_is_the_minute_and_else_a_free_second() -> None:
    store = MemoryStore()
    registry = ReleaseRegistry(store)
    clock = FixedClock(datetime(2025, 7, 29, 21, 30, 7, tzinfo=UTC))
    assert str(registry.next_version(clock)) == "20250729-2130"
    store.put("models/classifier_log_20250729-2130.joblib", b"bare")
    assert str(registry.next_version(clock)) == "20250729-213007"
    store.put("models/releases/20250729-213007/regressor_rf.onnx", b"left over")
    assert str(registry.next_version(clock)) == "20250729-213008"


def test_the_next_version_is_found_behind_more_objects_than_one_page_lists() -> None:
    store = MemoryStore()
    for second in range(1200):
        store.put(f"models/aaa_{second:05d}.txt", b"")
    store.put("models/regressor_rf_20250729-2130.joblib", b"")
    clock = FixedClock(datetime(2025, 7, 29, 21, 30, 7, tzinfo=UTC))
    assert str(ReleaseRegistry(store).next_version(clock)) == "20250729-213007"


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "manifest.json", "manifest.sig", ".hidden", "", "regressor_rf.onnx", "x" * 200]
)
def test_a_file_with_a_hostile_name_is_refused_before_anything_is_written(name: str) -> None:
    store = MemoryStore()
    with pytest.raises(InvalidInput):
        ReleaseRegistry(store).publish(fake_draft(files={name: b"x"}))
    assert keys(store) == []


def not_a_number(draft: ReleaseDraft) -> ReleaseDraft:
    model = replace(draft.models["regressor_rf"], metrics={"rmse": float("nan")})
    return replace(draft, models={**draft.models, "regressor_rf": model})


def without_a_model(draft: ReleaseDraft) -> ReleaseDraft:
    return replace(draft, models={name: draft.models[name] for name in MODEL_NAMES[1:]})


def with_a_hostile_model(draft: ReleaseDraft) -> ReleaseDraft:
    models: dict[str, ModelDraft] = dict(draft.models)
    models["regressor_../../x"] = models.pop("regressor_rf")
    return replace(draft, models=models)


def without_a_zone(draft: ReleaseDraft) -> ReleaseDraft:
    return replace(draft, created=draft.created.replace(tzinfo=None))


def of_no_interval(draft: ReleaseDraft) -> ReleaseDraft:
    return replace(draft, interval="7m")


@pytest.mark.parametrize(
    "spoil", [not_a_number, without_a_model, with_a_hostile_model, without_a_zone, of_no_interval]
)
def test_a_draft_that_is_no_release_is_refused_before_anything_is_written(
    spoil: Callable[[ReleaseDraft], ReleaseDraft],
) -> None:
    store = MemoryStore()
    with pytest.raises(InvalidInput):
        ReleaseRegistry(store).publish(spoil(fake_draft()))
    assert keys(store) == []
