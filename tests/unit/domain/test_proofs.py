import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cripto.domain.manifest import Manifest
from cripto.domain.proofs import Proofs
from cripto.errors import InvalidInput
from tests.doubles.releases import fake_draft

MANIFEST = fake_draft().seal()[0]
assert MANIFEST.proofs is not None
PROOFS = MANIFEST.proofs


def changed(change: Callable[[Any], Any]) -> bytes:
    value = json.loads(MANIFEST.to_bytes())
    change(value)
    return json.dumps(value).encode()


def test_proofs_are_read_back_to_the_last_field() -> None:
    assert Proofs.from_json(json.loads(json.dumps(PROOFS.to_json()))) == PROOFS
    assert Manifest.from_bytes(MANIFEST.to_bytes()).proofs == PROOFS
    assert MANIFEST.unproven() is None


def test_manifest_without_proofs_has_no_such_field_and_cannot_be_promoted() -> None:
    bare = replace(MANIFEST, proofs=None)
    assert "proofs" not in json.loads(bare.to_bytes())
    assert bare.unproven() == "it carries no proofs"
    assert Manifest.from_bytes(changed(lambda value: value.update(proofs=None))) == bare


def test_manifest_of_schema_1_knows_no_proofs() -> None:
    assert Manifest.from_bytes(changed(lambda value: value.update(schema_version=1))).proofs is None
    with pytest.raises(InvalidInput, match="nor proofs"):
        replace(
            MANIFEST,
            schema_version=1,
            novelty=None,
            models=tuple(replace(model, calibration=None) for model in MANIFEST.models),
        )


@pytest.mark.parametrize(
    ("proofs", "reason"),
    [
        (replace(PROOFS, look_ahead=replace(PROOFS.look_ahead, rows=0)), "its look-ahead proof compared nothing"),
        (replace(PROOFS, look_ahead=replace(PROOFS.look_ahead, cuts=())), "its look-ahead proof compared nothing"),
        (replace(PROOFS, warm_up=replace(PROOFS.warm_up, rows=0)), "its warm-up proof compared nothing"),
        (replace(PROOFS, forecasts=replace(PROOFS.forecasts, rows=0)), "its forecast proof compared nothing"),
        (
            replace(PROOFS, forecasts=replace(PROOFS.forecasts, models=4)),
            "its forecast proof is of 4 models, not 5",
        ),
    ],
)
def test_proofs_that_prove_nothing_are_no_proofs(proofs: Proofs, reason: str) -> None:
    assert replace(MANIFEST, proofs=proofs).unproven() == reason


@pytest.mark.parametrize("form", ["joblib", "onnx"])
def test_proof_of_other_files_is_none(form: str) -> None:
    digests = {**getattr(PROOFS.determinism, form), "regressor_lin": "0" * 64}
    again = PROOFS.determinism
    again = replace(again, joblib=digests) if form == "joblib" else replace(again, onnx=digests)
    proofs = replace(PROOFS, determinism=again)
    assert (
        replace(MANIFEST, proofs=proofs).unproven()
        == "its determinism proof is of other files than its regressor_lin"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda proofs: proofs.pop("look_ahead"),
        lambda proofs: proofs.pop("forecasts"),
        lambda proofs: proofs.pop("warm_up"),
        lambda proofs: proofs.pop("determinism"),
        lambda proofs: proofs["look_ahead"].update(rows=-1),
        lambda proofs: proofs["look_ahead"].update(rows=True),
        lambda proofs: proofs["look_ahead"].update(rows=1.0),
        lambda proofs: proofs["look_ahead"].update(rows=10**13),
        lambda proofs: proofs["look_ahead"].update(cuts="2025-01-01T00:00:00Z"),
        lambda proofs: proofs["look_ahead"].update(cuts=["2025-01-01T00:00:00Z"] * 1001),
        lambda proofs: proofs["look_ahead"].update(cuts=[1]),
        lambda proofs: proofs["forecasts"].update(cut="yesterday"),
        lambda proofs: proofs["warm_up"].update(candles=None),
        lambda proofs: proofs["determinism"].update(how=""),
        lambda proofs: proofs["determinism"].update(how="x" * 501),
        lambda proofs: proofs["determinism"].update(how=3),
        lambda proofs: proofs["determinism"].update(sha256=[]),
        lambda proofs: proofs["determinism"]["sha256"].pop("regressor_rf"),
        lambda proofs: proofs["determinism"]["sha256"]["regressor_rf"].update(onnx="0" * 63),
        lambda proofs: proofs["determinism"]["sha256"]["regressor_rf"].update(onnx=0),
        lambda proofs: proofs["determinism"]["sha256"]["regressor_rf"].pop("joblib"),
    ],
)
def test_malformed_proofs_are_refused(change: Callable[[Any], Any]) -> None:
    with pytest.raises(InvalidInput):
        Manifest.from_bytes(changed(lambda value: change(value["proofs"])))


@pytest.mark.parametrize("proofs", [[], "proven", 1, {}])
def test_what_are_no_proofs_is_refused(proofs: object) -> None:
    with pytest.raises(InvalidInput):
        Manifest.from_bytes(changed(lambda value: value.update(proofs=proofs)))
