import json
from dataclasses import replace

import numpy as np
import pytest

from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ModelRefused, ReleaseRefused, UnknownRelease
from cripto.forecasting.release import load_release
from cripto.forecasting.runtime import Matrix, Vector
from cripto.forecasting.smoke import smoke_test
from cripto.registry import ReleaseDraft, ReleaseRegistry
from cripto.storage import MemoryStore
from tests.unit.forecasting.toys import SPEC, VERSION, WideModel, constant_onnx, draft, toy_release

N = len(SPEC.features)


def published(release: ReleaseDraft) -> ReleaseRegistry:
    registry = ReleaseRegistry(MemoryStore())
    registry.publish(release)
    return registry


def refusal(release: ReleaseDraft) -> str:
    with pytest.raises(ReleaseRefused) as refused:
        load_release(published(release), ReleaseVersion.parse(VERSION))
    assert refused.value.release == VERSION
    return refused.value.reason


def test_a_sound_release_is_loaded_with_its_five_models_in_order() -> None:
    release = load_release(published(draft()), ReleaseVersion.parse(VERSION), threads=2)
    assert release.version == VERSION
    assert release.interval.name == "1d"
    outputs = release.predict(np.zeros((2, N)))
    assert tuple(outputs) == MODEL_NAMES
    assert outputs["regressor_rf"].tolist() == [0.01, 0.01]
    assert [model.name for model in release.models if model.calibrated] == ["classifier_log"]
    assert {model.version for model in release.models} == {VERSION}


def test_a_release_that_is_not_there_is_unknown() -> None:
    with pytest.raises(UnknownRelease):
        load_release(ReleaseRegistry(MemoryStore()), ReleaseVersion.parse(VERSION))


def test_a_model_that_gives_nan_is_refused_at_load() -> None:
    reason = refusal(draft(models={"regressor_gbr": constant_onnx("regressor_gbr", float("nan"))}))
    assert "regressor_gbr" in reason
    assert "not finite" in reason


def test_a_classifier_beyond_one_is_refused_at_load() -> None:
    assert "outside 0 to 1" in refusal(draft(models={"classifier_rf": constant_onnx("classifier_rf", 1.5)}))


def test_a_broken_graph_is_refused_at_load() -> None:
    assert "classifier_log" in refusal(draft(models={"classifier_log": b"not a graph"}))


def test_a_longer_horizon_is_refused() -> None:
    assert "3 candles ahead" in refusal(draft(horizon=3))


def test_features_the_builder_does_not_know_are_refused() -> None:
    assert "version" in refusal(draft(spec=replace(SPEC, version=99)))
    unknown = FeatureSpec(SPEC.version, 5, (Feature("tea_leaves", (5,)),))
    assert "tea_leaves" in refusal(draft(spec=unknown))


def test_a_file_that_was_changed_is_refused() -> None:
    store = MemoryStore()
    registry = ReleaseRegistry(store)
    registry.publish(draft())
    store.put(f"models/releases/{VERSION}/regressor_rf.onnx", constant_onnx("regressor_rf", 0.5))
    with pytest.raises(ReleaseRefused, match=r"regressor_rf\.onnx"):
        load_release(registry, ReleaseVersion.parse(VERSION))


def probes(**expected: list[float]) -> dict[str, bytes]:
    value = {name: [0.01 if name.startswith("regressor") else 0.75] * 2 for name in MODEL_NAMES} | expected
    return {"probes.json": json.dumps({"features": [[0.0] * N, [1.0] * N], "expected": value}).encode()}


def test_a_release_that_reproduces_its_probes_is_loaded() -> None:
    load_release(published(draft(files=probes())), ReleaseVersion.parse(VERSION))


def test_a_release_that_contradicts_its_probes_is_refused() -> None:
    reason = refusal(draft(files=probes(regressor_lin=[0.01, 0.0100021])))
    assert "regressor_lin" in reason
    assert "probe" in reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"features": [[1.0]], "expected": {}}',
        b"[" * 100_000,
        json.dumps({"features": [[0.0]], "expected": {name: [0.1] for name in MODEL_NAMES}}).encode(),
        json.dumps({"features": [[0.0] * N], "expected": {name: [0.1] * 2 for name in MODEL_NAMES}}).encode(),
        json.dumps({"features": [[0.0] * N], "expected": dict.fromkeys(MODEL_NAMES, "x")}).encode(),
    ],
)
def test_a_malformed_probe_file_refuses_the_release(data: bytes) -> None:
    assert "probes.json" in refusal(draft(files={"probes.json": data}))


def test_a_model_of_the_wrong_shape_is_refused_when_it_runs() -> None:
    with pytest.raises(ModelRefused, match="not one float64 a row"):
        toy_release(WideModel("regressor_rf")).predict(np.zeros((2, N)))


def test_a_model_whose_rows_leak_into_each_other_is_refused() -> None:
    def predict(matrix: Matrix) -> dict[str, Vector]:
        return {"regressor_lin": np.full(len(matrix), float(matrix.sum()))}

    with pytest.raises(ModelRefused, match="beside it"):
        smoke_test(predict, ["regressor_lin"], 4, None)
