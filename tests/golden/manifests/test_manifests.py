"""Manifests and pointers that earlier versions wrote stay readable, field by field."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cripto.domain.feature_spec import Feature
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.registry import Channel, ReleaseRegistry
from cripto.storage import MemoryStore

FOLDER = Path(__file__).parent
VERSION = ReleaseVersion.parse("20250729-2130")


@pytest.fixture
def registry() -> ReleaseRegistry:
    store = MemoryStore()
    store.put(f"models/releases/{VERSION}/manifest.json", (FOLDER / "manifest_1.json").read_bytes())
    store.put("models/channels/production.json", (FOLDER / "channel_1.json").read_bytes())
    return ReleaseRegistry(store)


def test_a_manifest_of_schema_1_is_read(registry: ReleaseRegistry) -> None:
    manifest = registry.manifest(VERSION)
    assert manifest.release == VERSION
    assert manifest.created == datetime(2025, 7, 29, 21, 30, 12, tzinfo=UTC)
    assert (manifest.interval, manifest.horizon) == ("1d", 1)
    assert (manifest.features.version, manifest.features.lookback) == (1, 27)
    assert manifest.features.features == (Feature("return", (1,)), Feature("macd", (12, 26, 9)))
    assert [model.name for model in manifest.models] == list(MODEL_NAMES)
    assert [model.calibrated for model in manifest.models] == [False, False, False, True, True]
    forest = manifest.models[0]
    assert forest.estimator == "RandomForestRegressor"
    assert forest.parity == {"price_relative": 2.5e-16, "log_return": 2.25e-16}
    assert forest.metrics == {"rmse": 0.034, "baseline_rmse": 0.0341, "skill": 0.0029}
    assert forest.joblib.path == "models/regressor_rf_20250729-2130.joblib"
    assert forest.joblib.size == 11
    assert forest.joblib.sha256 == hashlib.sha256(b"golden file").hexdigest()
    assert forest.onnx.path == "models/releases/20250729-2130/regressor_rf.onnx"
    assert [entry.path for entry in manifest.files] == ["models/releases/20250729-2130/model_card.md"]
    assert manifest.training == {"seed": 7, "assets": ["BTC", "ETH"], "lake_version": 3}
    assert manifest.environment == {"python": "3.11.15", "scikit-learn": "1.9.1"}
    assert manifest.source_revision == "0123456789abcdef0123456789abcdef01234567"


def test_a_manifest_of_schema_1_is_written_as_it_was() -> None:
    data = (FOLDER / "manifest_1.json").read_bytes()
    assert Manifest.from_bytes(data).to_bytes() == data


def test_a_channel_of_schema_1_is_read(registry: ReleaseRegistry) -> None:
    channel = registry.channel("1d", "1d")
    assert channel is not None
    assert channel.release == VERSION
    assert channel.sequence == 3
    assert channel.promoted_at == datetime(2025, 7, 30, 8, 0, tzinfo=UTC)
    assert list(map(str, channel.history)) == ["20250727-2130", "20250728-213005"]
    assert registry.resolve("1d", "1d") == VERSION


def test_a_channel_of_schema_1_is_written_as_it_was() -> None:
    data = (FOLDER / "channel_1.json").read_bytes()
    assert Channel.from_bytes(data, "").to_bytes() == data
