"""The small real releases that other suites build on are what they say."""

import json

import numpy as np
import onnxruntime

from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from tests.doubles.releases import TOY_SPEC, publish_toy_release


def test_a_toy_release_is_whole_and_promoted() -> None:
    store = MemoryStore()
    manifest = publish_toy_release(store, spec=TOY_SPEC)
    registry = ReleaseRegistry(store)
    assert registry.verify(manifest) == []
    assert registry.resolve("1d", "1d") == manifest.release


def test_a_second_toy_release_is_published_and_not_promoted() -> None:
    store = MemoryStore()
    first = publish_toy_release(store, spec=TOY_SPEC)
    publish_toy_release(store, spec=TOY_SPEC, version="20250730-2130")
    registry = ReleaseRegistry(store)
    assert len(registry.versions()) == 2
    assert registry.resolve("1d", "1d") == first.release


def test_a_toy_release_reproduces_its_own_probes() -> None:
    store = MemoryStore()
    manifest = publish_toy_release(store, spec=TOY_SPEC)
    registry = ReleaseRegistry(store)
    probes = json.loads(registry.read(manifest, manifest.files[0]))
    rows = np.array(probes["features"])
    for model in manifest.models:
        session = onnxruntime.InferenceSession(
            registry.read(manifest, model.onnx), providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"features": rows})
        np.testing.assert_allclose(found[:, 0], probes["expected"][model.name], rtol=0, atol=1e-12)
