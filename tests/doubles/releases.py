"""Small real releases: five tiny scikit-learn models on synthetic rows, converted as the real ones are."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.domain.calibration import Calibration
from cripto.domain.clock import Clock, FixedClock
from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.proofs import Determinism, ForecastsAhead, LookAhead, Proofs, WarmUp
from cripto.domain.release_version import ReleaseVersion
from cripto.registry import ModelDraft, ReleaseDraft, ReleaseRegistry
from cripto.registry.convert import Conversion, convert_models
from cripto.storage import ObjectStore

__all__ = [
    "TOY_SPEC",
    "draft_of",
    "fake_draft",
    "joblib_bytes",
    "publish_toy_release",
    "toy_conversions",
    "toy_draft",
    "toy_estimators",
    "toy_files",
    "toy_outputs",
    "toy_proofs",
    "toy_rows",
]

TOY_SPEC = FeatureSpec(1, 30, (Feature("return", (1,)), Feature("return", (5,)), Feature("range", ())))
"""A spec for tests that build no features."""


def toy_rows(count: int, features: int, seed: int = 0) -> NDArray[np.float64]:
    """Feature rows (count, features): standard normal, rounded to float32 as the builder's are."""
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32).astype(np.float64)


@cache
def toy_estimators(features: int, seed: int = 0) -> Mapping[str, Any]:
    """The five models, fitted in a fraction of a second on 400 rows that hold a little signal."""
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = toy_rows(400, features, seed)
    noise = np.random.default_rng(seed + 1).normal(size=len(rows))
    returns = 0.01 * rows[:, 0] + 0.02 * noise
    rises = (returns > 0).astype(int)
    forest = {"n_estimators": 8, "max_depth": 4, "random_state": seed}
    return {
        "regressor_rf": RandomForestRegressor(**forest).fit(rows, returns),
        "regressor_gbr": GradientBoostingRegressor(**forest).fit(rows, returns),
        "regressor_lin": make_pipeline(StandardScaler(), Ridge()).fit(rows, returns),
        "classifier_rf": RandomForestClassifier(**forest).fit(rows, rises),
        "classifier_log": make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rises),
    }


def joblib_bytes(value: object, compress: int | tuple[str, int] = 3) -> bytes:
    """What ``joblib.dump`` writes."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(value, buffer, compress=compress)
    return buffer.getvalue()


def toy_outputs(features: int, rows: NDArray[np.float64], seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """What scikit-learn says of ``rows``, by model: log returns, or P(rises)."""
    return {
        name: model.predict(rows) if name.startswith("regressor") else model.predict_proba(rows)[:, 1]
        for name, model in toy_estimators(features, seed).items()
    }


@cache
def toy_files(features: int, seed: int = 0) -> Mapping[str, bytes]:
    """The joblib files of `toy_estimators`; made once a session."""
    return {name: joblib_bytes(model) for name, model in toy_estimators(features, seed).items()}


@cache
def toy_conversions(names: Sequence[str], seed: int = 0) -> Mapping[str, Conversion]:
    """The five, converted for the feature ``names``; one child process a session and seed."""
    return convert_models(toy_files(len(names), seed), toy_rows(50, len(names), seed + 2), names)


def toy_draft(
    *,
    spec: FeatureSpec,
    version: str = "20250729-2130",
    interval: str = "1d",
    seed: int = 0,
    clock: Clock | None = None,
) -> ReleaseDraft:
    """A release of five real models, ready to publish; created at ``clock``'s time, else at its version's."""
    names = spec.names
    rows = toy_rows(16, len(names), seed + 3)
    return draft_of(
        spec=spec,
        files=toy_files(len(names), seed),
        conversions=toy_conversions(names, seed),
        probes=rows,
        expected=toy_outputs(len(names), rows, seed),
        version=version,
        interval=interval,
        seed=seed,
        clock=clock,
    )


def draft_of(
    *,
    spec: FeatureSpec,
    files: Mapping[str, bytes],
    conversions: Mapping[str, Conversion],
    probes: NDArray[np.float64],
    expected: Mapping[str, NDArray[np.float64]],
    version: str,
    interval: str,
    seed: int,
    clock: Clock | None,
) -> ReleaseDraft:
    """A release of five real models and their conversions, with a probe file as training writes it."""
    parsed = ReleaseVersion.parse(version)
    models = {
        name: ModelDraft(
            joblib=files[name],
            onnx=conversions[name].onnx,
            estimator=conversions[name].estimator,
            parity=conversions[name].parity,
            metrics={"rows": 400},
        )
        for name in MODEL_NAMES
    }
    told = {name: values.tolist() for name, values in expected.items()}
    return ReleaseDraft(
        version=parsed,
        created=(clock or FixedClock(parsed.time)).now(),
        interval=interval,
        horizon=1,
        features=spec,
        models=models,
        files={"probes.json": json.dumps({"features": probes.tolist(), "expected": told}).encode()},
        training={"seed": seed},
        proofs=toy_proofs(models, spec),
    )


def toy_proofs(models: Mapping[str, ModelDraft], spec: FeatureSpec) -> Proofs:
    """Proofs in the form that a promotion asks for, of these very files; nothing was proven."""
    proven = datetime(2025, 7, 1, tzinfo=UTC)

    def digests(form: str) -> dict[str, str]:
        return {name: hashlib.sha256(getattr(model, form)).hexdigest() for name, model in models.items()}

    return Proofs(
        LookAhead((proven,), 1, 10, len(spec.names)),
        ForecastsAhead(proven, 10, 1, len(MODEL_NAMES), 5),
        WarmUp(spec.lookback, 1, 10, len(spec.names)),
        Determinism("a toy", digests("joblib"), digests("onnx")),
    )


def publish_toy_release(
    store: ObjectStore,
    *,
    spec: FeatureSpec,
    version: str = "20250729-2130",
    interval: str = "1d",
    seed: int = 0,
    clock: Clock | None = None,
    default_interval: str = "1d",
) -> Manifest:
    """Publish a small real release into ``store``, promoted if it is the first of its interval."""
    registry = ReleaseRegistry(store)
    draft = toy_draft(spec=spec, version=version, interval=interval, seed=seed, clock=clock)
    manifest = registry.publish(draft)
    registry.promote_first(manifest.release, default_interval, clock or FixedClock(manifest.release.time))
    return manifest


def fake_draft(
    version: str = "20250729-2130",
    *,
    content: str = "a",
    interval: str = "1d",
    files: Mapping[str, bytes] | None = None,
) -> ReleaseDraft:
    """A draft whose models are a few bytes that nothing can open: for tests that never open one."""
    parsed = ReleaseVersion.parse(version)
    models = {
        name: ModelDraft(
            joblib=f"{name} {content} joblib".encode(),
            onnx=f"{name} {content} onnx".encode(),
            estimator="Toy",
            parity={"price_relative": 0.0},
            metrics={"rows": 1},
            calibration=Calibration(0.0, 0.5) if name.startswith("classifier") else None,
        )
        for name in MODEL_NAMES
    }
    return ReleaseDraft(
        version=parsed,
        created=parsed.time,
        interval=interval,
        horizon=1,
        features=TOY_SPEC,
        models=models,
        files={"model_card.md": b"# Toy\n"} if files is None else files,
        training={"seed": 0},
        environment={"python": "3.11"},
        proofs=toy_proofs(models, TOY_SPEC),
    )
