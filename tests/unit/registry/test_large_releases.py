"""The release that load tests serve is as heavy as it says, and right."""

import numpy as np
import onnxruntime
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.features import default_spec
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from tests.doubles.forests import (
    LEAVES,
    TREES,
    large_conversions,
    large_estimators,
    large_outputs,
    large_release_draft,
)
from tests.doubles.releases import toy_rows


@pytest.mark.parametrize("name", ["regressor_rf", "classifier_rf"])
def test_a_large_forest_has_200_trees_of_200_leaves_and_more(name: str) -> None:
    trees = large_estimators()[name].estimators_
    assert len(trees) == TREES == 200
    assert min(tree.get_n_leaves() for tree in trees) >= LEAVES == 200


@pytest.mark.slow
def test_a_large_release_is_published_and_whole() -> None:
    registry = ReleaseRegistry(MemoryStore())
    manifest = registry.publish(large_release_draft())
    assert manifest.features == default_spec()
    assert registry.verify(manifest) == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name.endswith("_rf") else pytest.mark.slow) for name in MODEL_NAMES]
)
def test_a_large_graph_agrees_with_scikit_learn(name: str) -> None:
    rows = toy_rows(300, len(default_spec().names), seed=9)
    session = onnxruntime.InferenceSession(large_conversions()[name].onnx, providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": rows})[0][:, 0]
    np.testing.assert_allclose(found, large_outputs(rows)[name], rtol=0, atol=1e-12)
