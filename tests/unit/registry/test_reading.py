import json
from dataclasses import replace

import pytest

from cripto.domain.manifest import FileEntry, Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ReleaseRefused, StorageDenied, UnknownRelease
from cripto.registry import ReleaseRegistry
from cripto.registry.releases import LARGEST_FILE, LARGEST_MANIFEST
from cripto.storage import MemoryStore
from tests.doubles.releases import fake_draft
from tests.doubles.stores import WatchedStore

VERSION = ReleaseVersion.parse("20250729-2130")
MANIFEST = f"models/releases/{VERSION}/manifest.json"
ONNX = f"models/releases/{VERSION}/regressor_rf.onnx"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def published(store: MemoryStore) -> Manifest:
    return ReleaseRegistry(store).publish(fake_draft())


def test_versions_are_in_the_order_of_time_and_only_those_with_a_manifest(store: MemoryStore) -> None:
    registry = ReleaseRegistry(store)
    for version in ("20250730-0000", "20250729-2130", "20250729-213007"):
        registry.publish(fake_draft(version))
    store.put("models/releases/20250801-0000/regressor_rf.onnx", b"no manifest yet")
    store.put("models/releases/20250801-0001/deeper/manifest.json", b"{}")
    store.put("models/releases/not-a-version/manifest.json", b"{}")
    store.put("models/releases/manifest.json", b"{}")
    assert list(map(str, registry.versions())) == ["20250729-2130", "20250729-213007", "20250730-0000"]


def test_an_empty_store_holds_no_version(store: MemoryStore) -> None:
    assert ReleaseRegistry(store).versions() == []


def test_a_release_without_a_manifest_is_unknown(store: MemoryStore) -> None:
    with pytest.raises(UnknownRelease, match="20250729-2130"):
        ReleaseRegistry(store).manifest(VERSION)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"[]", b"{}", b'{"schema_version": 99}', b"[" * 100_000, b" " * (LARGEST_MANIFEST + 1)],
    ids=["empty", "not text", "a list", "no fields", "from the future", "deep", "huge"],
)
def test_a_malformed_manifest_is_refused(store: MemoryStore, data: bytes) -> None:
    store.put(MANIFEST, data)
    with pytest.raises(ReleaseRefused, match="20250729-2130"):
        ReleaseRegistry(store).manifest(VERSION)


@pytest.mark.parametrize("size", ["Infinity", "-1", '"ten"', "1e400"])
def test_a_manifest_with_a_size_that_is_none_is_refused(
    store: MemoryStore, published: Manifest, size: str
) -> None:
    text = json.dumps(json.loads(published.to_bytes()), sort_keys=True)
    first = f'"size": {published.models[0].joblib.size}'
    assert first in text
    store.put(MANIFEST, text.replace(first, f'"size": {size}').encode())
    with pytest.raises(ReleaseRefused):
        ReleaseRegistry(store).manifest(VERSION)


def test_a_manifest_that_points_outside_its_release_is_refused(store: MemoryStore, published: Manifest) -> None:
    for other in ("../../../etc/passwd", "models/releases/20250730-0000/regressor_rf.onnx", "models/x.onnx"):
        store.put(MANIFEST, published.to_bytes().replace(ONNX.encode(), other.encode()))
        with pytest.raises(ReleaseRefused):
            ReleaseRegistry(store).manifest(VERSION)


def test_a_manifest_copied_into_another_folder_is_refused(store: MemoryStore, published: Manifest) -> None:
    store.put("models/releases/20250730-0000/manifest.json", published.to_bytes())
    with pytest.raises(ReleaseRefused, match="that of 20250729-2130"):
        ReleaseRegistry(store).manifest(ReleaseVersion.parse("20250730-0000"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"regressor_rf b onnx", "does not have the SHA-256"),
        (b"regressor_rf a onn", "is 18 bytes long, not 19"),
        (b"", "is 0 bytes long"),
        (None, "is missing"),
    ],
    ids=["swapped", "cut off", "emptied", "deleted"],
)
def test_a_file_that_changed_is_refused_and_found(
    store: MemoryStore, published: Manifest, data: bytes | None, problem: str
) -> None:
    if data is None:
        store.delete(ONNX)
    else:
        store.put(ONNX, data)
    registry = ReleaseRegistry(store)
    with pytest.raises(ReleaseRefused, match=problem):
        registry.read(published, published.models[0].onnx)
    assert len(registry.verify(published)) == 1
    assert str(registry.verify(published)[0]).startswith(f"{ONNX} {problem}")


def test_a_file_that_is_said_to_be_huge_is_refused_unread(store: MemoryStore, published: Manifest) -> None:
    asked: list[str] = []
    registry = ReleaseRegistry(WatchedStore(store, lambda method, key: asked.append(key)))
    model = published.models[0]
    huge = replace(model, onnx=replace(model.onnx, size=LARGEST_FILE + 1))
    manifest = replace(published, models=(huge, *published.models[1:]))
    with pytest.raises(ReleaseRefused, match="bytes long"):
        registry.read(manifest, huge.onnx)
    assert asked == []


def test_a_file_that_the_manifest_does_not_list_is_never_read(store: MemoryStore, published: Manifest) -> None:
    store.put("models/secret", b"x")
    with pytest.raises(ReleaseRefused, match="not in its manifest"):
        ReleaseRegistry(store).read(published, FileEntry("models/secret", 1, "0" * 64))


def test_a_refusal_of_the_store_is_not_taken_for_a_missing_release(store: MemoryStore) -> None:
    def deny(method: str, key: str) -> None:
        raise StorageDenied("no")

    registry = ReleaseRegistry(WatchedStore(store, deny))
    with pytest.raises(StorageDenied):
        registry.manifest(VERSION)
    with pytest.raises(StorageDenied):
        registry.versions()
