import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cripto.domain.model_name import tipo_of
from cripto.errors import CriptoError, InvalidInput, ModelRefused, StorageUnavailable
from cripto.registry.convert import Conversion, ConversionCache, cache, conversion, convert_cached
from cripto.storage import LocalStore, MemoryStore, ObjectStore
from tests.doubles.hostile import NAMES
from tests.doubles.releases import toy_conversions, toy_files
from tests.doubles.stores import FailingStore, WatchedStore

FILES = toy_files(len(NAMES))
MODEL = "regressor_lin"
SHA256 = hashlib.sha256(FILES[MODEL]).hexdigest()
ENTRY, GRAPH = (f"conversions/{cache.CONVERSION_FORMAT}/{SHA256}/regressor.{kind}" for kind in ("json", "onnx"))


def never(*_: object) -> bytes:
    raise AssertionError("a child was started")


def fail(error: CriptoError) -> None:
    raise AssertionError(str(error))


@pytest.fixture
def made() -> Mapping[str, Conversion]:
    return toy_conversions(NAMES)


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "cache")


def filled(store: ObjectStore, made: Mapping[str, Conversion]) -> ConversionCache:
    kept = ConversionCache(store, fail)
    for name, file in FILES.items():
        kept.keep(hashlib.sha256(file).hexdigest(), tipo_of(name), made[name])
    return kept


def test_what_is_kept_starts_no_child(
    store: ObjectStore, made: Mapping[str, Conversion], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, made)
    monkeypatch.setattr(conversion, "run_child", never)
    assert convert_cached(FILES, ConversionCache(store, fail)) == made


def test_what_is_not_kept_is_converted_once_and_a_refusal_is_not_kept() -> None:
    asked: list[str] = []

    def convert(files: Mapping[str, bytes], **_: Any) -> dict[str, Conversion | ModelRefused]:
        asked.extend(files)
        (name,) = files
        refused = ModelRefused(name, "no", final=True)
        return {name: toy_conversions(NAMES)[name] if name == MODEL else refused}

    store = MemoryStore()
    files = {name: FILES[name] for name in (MODEL, "regressor_rf")}
    for _ in range(2):
        found = convert_cached(files, ConversionCache(store, fail), convert)
        assert isinstance(found[MODEL], Conversion)
        assert isinstance(found["regressor_rf"], ModelRefused)
    assert asked == [MODEL, "regressor_rf", "regressor_rf"]


def test_a_hostile_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not a model name"):
        convert_cached({"../../etc": b""}, ConversionCache(MemoryStore(), fail))


def changed(**values: Any) -> Callable[[bytes], bytes]:
    return lambda text: json.dumps(json.loads(text) | values).encode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda text: text[:-1],
        lambda _: b"[]",
        lambda _: b"null",
        lambda _: b"[" * 100_000,
        lambda _: b"\xff",
        lambda text: text + b" " * (1 << 20),
        changed(schema=2),
        changed(joblib="0" * 64),
        changed(tipo="classifier"),
        changed(features=["a", "a"]),
        changed(features=None),
        changed(parity={"price_relative": 1e-5}),
        changed(parity={"price_relative": float("nan")}),
        changed(parity=[]),
        changed(onnx=None),
        changed(onnx={"size": 1, "sha256": "0" * 64}),
        changed(scikit_learn="0.24.2"),
        changed(scikit_learn=None),
    ],
)
def test_an_entry_that_is_not_sound_is_a_miss(made: Mapping[str, Conversion], spoil: Any) -> None:
    store = MemoryStore()
    kept = filled(store, made)
    assert kept.find(SHA256, "regressor") == made[MODEL]
    store.put(ENTRY, spoil(store.get(ENTRY).data))
    assert kept.find(SHA256, "regressor") is None


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda graph: graph[:-1], lambda graph: graph[:-1] + b"x"])
def test_a_graph_that_is_not_the_one_kept_is_a_miss(made: Mapping[str, Conversion], spoil: Any) -> None:
    store = MemoryStore()
    kept = filled(store, made)
    store.put(GRAPH, spoil(store.get(GRAPH).data))
    assert kept.find(SHA256, "regressor") is None
    store.delete(GRAPH)
    assert kept.find(SHA256, "regressor") is None


def test_half_an_entry_is_a_miss(made: Mapping[str, Conversion]) -> None:
    whole = MemoryStore()
    told: list[CriptoError] = []
    ConversionCache(FailingStore(whole, 1), told.append).keep(SHA256, "regressor", made[MODEL])
    assert [info.key for info in whole.list("")] == [GRAPH]
    assert isinstance(told[0], StorageUnavailable)
    assert ConversionCache(whole, fail).find(SHA256, "regressor") is None


def test_where_no_scikit_learn_is_installed_one_of_any_version_is_used(
    made: Mapping[str, Conversion], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    kept = filled(store, made)
    store.put(ENTRY, changed(scikit_learn="0.24.2")(store.get(ENTRY).data))
    assert kept.find(SHA256, "regressor") is None
    monkeypatch.setattr(cache, "scikit_learn", lambda: None)
    assert kept.find(SHA256, "regressor") == made[MODEL]


def test_a_store_that_fails_loses_no_conversion(made: Mapping[str, Conversion]) -> None:
    def down(method: str, key: str) -> None:
        raise StorageUnavailable(f"{method} of {key}: no space left on device")

    def convert(files: Mapping[str, bytes]) -> dict[str, Conversion | ModelRefused]:
        return {name: made[name] for name in files}

    told: list[CriptoError] = []
    kept = ConversionCache(WatchedStore(MemoryStore(), down), told.append)
    assert convert_cached({MODEL: FILES[MODEL]}, kept, convert) == {MODEL: made[MODEL]}
    kept.keep_only([])
    assert [type(error) for error in told] == [StorageUnavailable] * 3


def test_a_folder_that_cannot_be_written_loses_no_conversion(
    made: Mapping[str, Conversion], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    told: list[CriptoError] = []
    kept = ConversionCache(LocalStore(tmp_path / "cache"), told.append)
    kept.keep(SHA256, "regressor", made[MODEL])
    assert kept.find(SHA256, "regressor") is None
    assert told


def test_only_what_is_wanted_is_kept(store: ObjectStore, made: Mapping[str, Conversion]) -> None:
    kept = filled(store, made)
    store.put(f"conversions/0/{SHA256}/regressor.json", b"of another format")
    store.put("elsewhere/file", b"of somebody else")
    kept.keep_only({SHA256})
    assert [info.key for info in store.list("")] == [ENTRY, GRAPH, "elsewhere/file"]
    assert kept.find(SHA256, "regressor") == made[MODEL]
    kept.keep_only([])
    assert kept.find(SHA256, "regressor") is None


def test_a_cache_that_was_thrown_away_is_empty(made: Mapping[str, Conversion], tmp_path: Path) -> None:
    kept = filled(LocalStore(tmp_path / "cache"), made)
    shutil.rmtree(tmp_path / "cache")
    assert kept.find(SHA256, "regressor") is None
    kept.keep_only([SHA256])
