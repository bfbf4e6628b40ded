"""Manifests and pointers that earlier versions wrote stay readable, field by field."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cripto.domain.feature_spec import Feature
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ReleaseRefused
from cripto.registry import Channel, ReleaseRegistry, Trust, read_public_keys
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


@pytest.fixture
def signed() -> MemoryStore:
    """The golden manifest with its signature, and the pointer that is signed by the same key."""
    store = MemoryStore()
    for end, name in (("json", "manifest_1.json"), ("sig", "manifest_1.sig")):
        store.put(f"models/releases/{VERSION}/manifest.{end}", (FOLDER / name).read_bytes())
    store.put("models/channels/production.json", (FOLDER / "channel_2.json").read_bytes())
    return store


@pytest.fixture
def strict(signed: MemoryStore) -> ReleaseRegistry:
    """A registry that demands signatures by the golden key; only its public half exists."""
    return ReleaseRegistry(signed, trust=Trust(read_public_keys((FOLDER / "public_key.pem").read_text()), True))


def test_a_signature_file_of_schema_1_still_proves_its_manifest(strict: ReleaseRegistry) -> None:
    manifest, signed_by = strict.signed_manifest(VERSION)
    assert manifest.release == VERSION
    assert signed_by == "0b3e3fb7e58a7024"


def test_a_channel_of_schema_2_still_proves_itself(strict: ReleaseRegistry) -> None:
    channel = strict.channel("1d", "1d")
    assert channel is not None
    assert (channel.release, channel.sequence, channel.interval) == (VERSION, 3, "1d")
    assert channel.promoted_at == datetime(2025, 7, 30, 8, 0, tzinfo=UTC)
    assert list(map(str, channel.history)) == ["20250727-2130", "20250728-213005"]
    assert channel.signed_by == "0b3e3fb7e58a7024"
    assert strict.resolve("1d", "1d") == VERSION


def test_a_channel_of_schema_2_is_written_as_it_was() -> None:
    data = (FOLDER / "channel_2.json").read_bytes()
    assert Channel.from_bytes(data, "").to_bytes() == data


def test_the_golden_signature_holds_for_no_other_manifest(signed: MemoryStore, strict: ReleaseRegistry) -> None:
    path = f"models/releases/{VERSION}/manifest.json"
    signed.put(path, signed.get(path).data.replace(b"RandomForestRegressor", b"RandomForestRegressoR", 1))
    with pytest.raises(ReleaseRefused, match="is not valid"):
        strict.manifest(VERSION)


def test_the_golden_signature_does_not_survive_a_changed_bit(signed: MemoryStore, strict: ReleaseRegistry) -> None:
    path = f"models/releases/{VERSION}/manifest.sig"
    data = bytearray(signed.get(path).data)
    place = data.index(b'"signature": "') + 20
    data[place] = ord("A") if data[place] != ord("A") else ord("B")
    signed.put(path, bytes(data))
    with pytest.raises(ReleaseRefused, match="is not valid"):
        strict.manifest(VERSION)
