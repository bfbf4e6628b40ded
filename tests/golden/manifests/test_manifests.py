"""Manifests and pointers that earlier versions wrote stay readable, field by field."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cripto.domain.calibration import Calibration
from cripto.domain.feature_spec import Feature
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.novelty import Novelty
from cripto.domain.proofs import ForecastsAhead, LookAhead, WarmUp
from cripto.domain.ranges import Ranges, ScaleTerm
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ReleaseRefused
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


def test_a_manifest_of_schema_1_has_no_numbers_and_is_called_what_it_was(registry: ReleaseRegistry) -> None:
    manifest = registry.manifest(VERSION)
    assert manifest.schema_version == 1
    assert manifest.novelty is None
    assert all(model.calibration is None and model.ranges is None for model in manifest.models)


def test_a_manifest_of_schema_1_cannot_smuggle_numbers_in() -> None:
    value = json.loads((FOLDER / "manifest_2.json").read_text()) | {"schema_version": 1}
    manifest = Manifest.from_bytes(json.dumps(value).encode())
    assert manifest.novelty is None
    assert all(model.calibration is None and model.ranges is None for model in manifest.models)


def test_a_manifest_of_schema_2_is_read() -> None:
    manifest = Manifest.from_bytes((FOLDER / "manifest_2.json").read_bytes())
    models = {model.name: model for model in manifest.models}
    assert models["regressor_rf"].ranges == Ranges(
        -0.65, (ScaleTerm("return_1", 0.25, True), ScaleTerm("macd_12_26_9", -0.125, False)), (1.5, 2.75)
    )
    assert models["classifier_rf"].calibration == Calibration(0.01, 0.75)
    assert [name for name, model in models.items() if model.calibrated] == ["classifier_rf"]
    assert manifest.novelty == Novelty(("return_1",), (0.001,), (0.05,), ((0.25, 0.0), (0.5, 0.5), (4.0, 1.0)))


def test_a_manifest_of_schema_2_is_written_as_it_was() -> None:
    data = (FOLDER / "manifest_2.json").read_bytes()
    assert Manifest.from_bytes(data).to_bytes() == data


def test_a_manifest_of_schema_2_from_before_proofs_has_none() -> None:
    manifest = Manifest.from_bytes((FOLDER / "manifest_2.json").read_bytes())
    assert manifest.proofs is None
    assert manifest.unproven() == "it carries no proofs"


def test_the_proofs_of_a_manifest_are_read() -> None:
    manifest = Manifest.from_bytes((FOLDER / "manifest_2_proven.json").read_bytes())
    assert manifest.unproven() is None
    assert manifest.proofs is not None
    cuts = (datetime(2024, 5, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC))
    assert manifest.proofs.look_ahead == LookAhead(cuts, 12, 31_000, 2)
    assert manifest.proofs.forecasts == ForecastsAhead(datetime(2025, 1, 10, tzinfo=UTC), 50_000, 4, 5, 2_100)
    assert manifest.proofs.warm_up == WarmUp(27, 12, 200, 2)
    digest = hashlib.sha256(b"golden file").hexdigest()
    assert manifest.proofs.determinism.how == "everything done twice"
    assert set(manifest.proofs.determinism.joblib.values()) == {digest}


def test_a_manifest_with_proofs_is_written_as_it_was() -> None:
    data = (FOLDER / "manifest_2_proven.json").read_bytes()
    assert Manifest.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("novelty"),
        lambda value: value["models"][0].pop("ranges"),
        lambda value: value["models"][3].pop("calibration"),
        lambda value: value["models"][3].update(calibrated=False),
        lambda value: value["models"][4].update(calibrated=True),
        lambda value: value["models"][0]["ranges"]["scale"]["terms"][0].update(feature="return_2"),
        lambda value: value["novelty"]["features"][0].update(name="return_2"),
        lambda value: value["models"][3].update(ranges=value["models"][0]["ranges"]),
        lambda value: value["models"][0].update(calibration=value["models"][3]["calibration"]),
        lambda value: value["models"][3]["calibration"].update(slope=-1),
        lambda value: value.update(novelty=[]),
        lambda value: value.update(novelty={"features": [{}], "knots": [{}]}),
    ],
)
def test_a_manifest_of_schema_2_with_numbers_that_fit_nothing_is_refused(change: Callable[[Any], Any]) -> None:
    value = json.loads((FOLDER / "manifest_2.json").read_text())
    change(value)
    with pytest.raises(InvalidInput):
        Manifest.from_bytes(json.dumps(value).encode())


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
