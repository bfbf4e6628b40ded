import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.domain.manifest import FileEntry, Manifest, ModelEntry
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

VERSION = ReleaseVersion.parse("20250729-2130")
FOLDER = "models/releases/20250729-2130/"
DIGEST = "0" * 64


def entry(path: str) -> FileEntry:
    return FileEntry(path, 10, DIGEST)


MANIFEST = Manifest(
    release=VERSION,
    created=datetime(2025, 7, 29, 21, 30, tzinfo=UTC),
    interval="1d",
    horizon=1,
    features=FeatureSpec(1, 2, (Feature("return", (1,)),)),
    models=tuple(
        ModelEntry(
            name=name,
            joblib=entry(f"models/{name}_20250729-2130.joblib"),
            onnx=entry(f"{FOLDER}{name}.onnx"),
            estimator="sklearn.Toy",
            calibrated=False,
            parity={"largest": 0.0},
            metrics={"rmse": 0.1},
        )
        for name in MODEL_NAMES
    ),
    files=(entry(FOLDER + "model-card.md"),),
    training={"assets": ["BTC"]},
    environment={"python": "3.11"},
)


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(MANIFEST.to_bytes())
    change(value)
    return json.dumps(value).encode()


def test_a_manifest_is_read_back_to_the_last_field() -> None:
    assert Manifest.from_bytes(MANIFEST.to_bytes()) == MANIFEST
    assert Manifest.from_bytes(MANIFEST.to_bytes()).to_bytes() == MANIFEST.to_bytes()


def test_every_file_is_listed_with_both_forms_of_each_model() -> None:
    assert len(MANIFEST.every_file) == 11
    assert MANIFEST.path == FOLDER + "manifest.json"


def test_unknown_fields_are_ignored() -> None:
    assert Manifest.from_bytes(changed(lambda value: value.update(invented=1))) == MANIFEST


@pytest.mark.parametrize("version", [0, 3, "1", "2", 2.0, True, None])
def test_an_unknown_schema_version_is_refused(version: object) -> None:
    with pytest.raises(InvalidInput, match="schema"):
        Manifest.from_bytes(changed(lambda value: value.update(schema_version=version)))


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../secret",
        FOLDER + "../20250101-0000/model.onnx",
        FOLDER + "a/b.onnx",
        FOLDER + ".hidden",
        FOLDER + "manifest.json",
        FOLDER,
        "models/releases/20250101-0000/regressor_rf.onnx",
        "candles/part.parquet",
    ],
)
def test_a_path_outside_the_release_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="not a file of release"):
        replace(MANIFEST, files=(entry(path),))
    with pytest.raises(InvalidInput, match="not a file of release"):
        Manifest.from_bytes(changed(lambda value: value["models"][0]["onnx"].update(path=path)))


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_a_manifest_lists_neither_itself_nor_its_signatures(name: str) -> None:
    with pytest.raises(InvalidInput, match="not a file of release"):
        replace(MANIFEST, files=(entry(FOLDER + name),))


def test_a_joblib_must_be_the_models_own() -> None:
    other = replace(MANIFEST.models[0], joblib=MANIFEST.models[1].joblib)
    with pytest.raises(InvalidInput, match="is not regressor_rf"):
        replace(MANIFEST, models=(other, *MANIFEST.models[1:]))


def test_the_five_models_are_all_there_and_in_order() -> None:
    for models in (MANIFEST.models[1:], MANIFEST.models[::-1], (*MANIFEST.models, MANIFEST.models[0])):
        with pytest.raises(InvalidInput, match="exactly"):
            replace(MANIFEST, models=models)


@pytest.mark.parametrize(
    "bad", [{"size": -1}, {"sha256": "0" * 63}, {"sha256": "G" * 64}, {"sha256": DIGEST.upper() + "x"}]
)
def test_a_malformed_size_or_digest_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="size or digest"):
        Manifest.from_bytes(changed(lambda value: value["files"][0].update(bad)))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}', b"[" * 100_000]
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="malformed"):
        Manifest.from_bytes(data)
