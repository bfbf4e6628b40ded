from pathlib import Path

import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ModelRefused, StorageDenied, StorageUnavailable
from cripto.registry import BareFile, ReleaseRegistry, bare_files, read_bare, survey_bare
from cripto.registry.bare import LARGEST_BARE, MOST_LOOKALIKES
from cripto.storage import LocalStore, MemoryStore
from tests.doubles.releases import fake_draft
from tests.doubles.stores import FailingStore

OLD, NEW, NEWEST = "20250729-2130", "20250730-2130", "20250730-213007"


def key(name: str, version: str = OLD) -> str:
    return f"models/{name}_{version}.joblib"


def test_bare_files_are_found_by_name_newest_first() -> None:
    store = MemoryStore()
    for version in (NEW, OLD, NEWEST):
        store.put(key("regressor_rf", version), version.encode())
    store.put(key("classifier_log"), b"x")
    found = bare_files(store)
    assert {name: [str(file.version) for file in files] for name, files in found.items()} == {
        "classifier_log": [OLD],
        "regressor_rf": [NEWEST, NEW, OLD],
    }
    file = found["regressor_rf"][0]
    assert (file.key, file.size, file.etag) == (key("regressor_rf", NEWEST), 15, store.get(file.key).etag)
    assert read_bare(store, file) == NEWEST.encode()


def test_an_empty_store_has_none() -> None:
    assert bare_files(MemoryStore()) == {}


def test_a_joblib_of_a_release_is_not_bare() -> None:
    store = MemoryStore()
    ReleaseRegistry(store).publish(fake_draft(OLD))
    assert bare_files(store) == {}
    store.put(key("regressor_rf", NEW), b"bare")
    assert [file.key for file in bare_files(store)["regressor_rf"]] == [key("regressor_rf", NEW)]


@pytest.mark.parametrize("writes", range(12))
def test_a_publication_that_died_anywhere_leaves_nothing_bare(writes: int) -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(store, writes)).publish(fake_draft())
    assert bare_files(store) == {}


def test_a_folder_of_another_version_makes_no_release_of_it() -> None:
    store = MemoryStore()
    store.put(key("regressor_rf", NEW), b"bare")
    store.put(f"models/releases/{NEWEST}/x", b"")
    assert list(bare_files(store)) == ["regressor_rf"]


def test_look_alikes_are_named_with_the_reason() -> None:
    store = MemoryStore()
    for name in ("regressor_rf_latest", "regressor_rf_20251350-9999", "regressor_svm_20250729-2130", "model"):
        store.put(f"models/{name}.joblib", b"x")
    for other in ("models/old/regressor_rf_x.joblib", "models/notes.txt", "models/releases/x/y.joblib"):
        store.put(other, b"x")
    survey = survey_bare(store)
    assert survey.files == {}
    version, name = "its version is not YYYYMMDD-HHMM", "it is named after none of the five models"
    assert [(key, reason.split(" (")[0]) for key, reason in survey.lookalikes] == [
        ("models/model.joblib", name),
        ("models/regressor_rf_20251350-9999.joblib", version),
        ("models/regressor_rf_latest.joblib", version),
        ("models/regressor_svm_20250729-2130.joblib", name),
    ]


def test_not_more_look_alikes_are_named_than_anybody_reads() -> None:
    store = MemoryStore()
    for number in range(MOST_LOOKALIKES + 5):
        store.put(f"models/x{number}.joblib", b"")
    assert len(survey_bare(store).lookalikes) == MOST_LOOKALIKES


def listed(size: int, etag: str = "tag") -> BareFile:
    return BareFile("regressor_rf", ReleaseVersion.parse(OLD), key("regressor_rf"), size, etag)


def test_a_file_beyond_every_bound_is_refused_for_good_and_not_read() -> None:
    with pytest.raises(
        ModelRefused, match=r"model models/regressor_rf_\S+ refused: it is 1073741825 bytes"
    ) as found:
        read_bare(MemoryStore(), listed(LARGEST_BARE + 1))
    assert found.value.final


@pytest.mark.parametrize("data", [b"longer than listed", b"", b"other"], ids=["longer", "cut", "of the same size"])
def test_a_file_that_changed_since_it_was_listed_may_be_tried_again(data: bytes) -> None:
    store = MemoryStore()
    store.put(key("regressor_rf"), b"first")
    (file,) = bare_files(store)["regressor_rf"]
    store.put(file.key, data)
    with pytest.raises(ModelRefused, match="has changed since") as found:
        read_bare(store, file)
    assert not found.value.final


def test_a_file_that_has_gone_may_come_back() -> None:
    with pytest.raises(ModelRefused, match="no longer in the store") as found:
        read_bare(MemoryStore(), listed(3))
    assert not found.value.final


def test_a_symbolic_link_named_like_a_model_is_neither_listed_nor_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    store = LocalStore(tmp_path / "store")
    store.put(key("classifier_rf"), b"file")
    (tmp_path / "store" / key("regressor_rf")).symlink_to(secret)
    assert list(bare_files(store)) == ["classifier_rf"]
    with pytest.raises(StorageDenied, match="symbolic link"):
        read_bare(store, listed(6))


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put(key("regressor_rf"), b"file")
    (file,) = bare_files(store)["regressor_rf"]
    (tmp_path / "secret").write_bytes(b"file")
    (tmp_path / "store" / file.key).unlink()
    (tmp_path / "store" / file.key).symlink_to(tmp_path / "secret")
    with pytest.raises(StorageDenied):
        read_bare(store, file)


def test_every_model_name_is_known() -> None:
    store = MemoryStore()
    for name in MODEL_NAMES:
        store.put(key(name), b"x")
    assert sorted(bare_files(store)) == sorted(MODEL_NAMES)
