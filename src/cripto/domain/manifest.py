"""The manifest of a release: what it holds and what it was made from. Written last; read before anything else."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from cripto.domain.calibration import Calibration
from cripto.domain.clock import parse_time, rfc3339
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import parse_interval
from cripto.domain.model_name import MODEL_NAMES, ModelFile, Tipo, tipo_of
from cripto.domain.novelty import Novelty
from cripto.domain.proofs import Proofs
from cripto.domain.ranges import Ranges
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

__all__ = ["SCHEMA_VERSION", "FileEntry", "Manifest", "ModelEntry", "release_folder"]

SCHEMA_VERSION = 2
"""What new manifests are: 1 knows neither calibration nor ranges nor novelty nor proofs, and is still read.

Those of 2 that earlier versions wrote have no ``proofs``; readers of earlier versions pass over them, and serve
just what they would with them: nothing that is there before means anything else, so the number stays.
"""

_SCHEMA_VERSIONS = (1, 2)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_UNLISTED = {"manifest.json", "manifest.sig"}


def release_folder(version: ReleaseVersion) -> str:
    """The key prefix of a release's own files, with its slash."""
    return f"models/releases/{version}/"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a release: its key in the store, its size in bytes and its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: the file that was trained, the file that is served, and what is known of both.

    ``parity`` holds the largest differences seen between the two on the probe rows; ``metrics`` the model's
    scores on the hold-out beside those of the naive baseline. Both files hold the raw estimator: ``calibration``
    is what makes a classifier's served probability of its output, ``ranges`` what gives a regressor's price a
    range; ``None`` where there is none.
    """

    name: str
    joblib: FileEntry
    onnx: FileEntry
    estimator: str
    calibrated: bool
    parity: Mapping[str, float]
    metrics: Mapping[str, Any]
    calibration: Calibration | None = None
    ranges: Ranges | None = None

    @property
    def tipo(self) -> Tipo:
        """``regressor`` or ``classifier``."""
        return tipo_of(self.name)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release. ``training`` says on what it was fitted, ``environment`` with which libraries.

    ``novelty`` says how unlike its rows another one is; ``schema_version`` is the form the manifest is written in.
    ``proofs`` are what a promotion asks for, see `unproven`; ``None`` where there are none.

    Fields this version does not know are ignored when read, and never written back: a manifest is immutable.
    """

    release: ReleaseVersion
    created: datetime
    interval: str
    horizon: int
    features: FeatureSpec
    models: tuple[ModelEntry, ...]
    files: tuple[FileEntry, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    source_revision: str | None = None
    novelty: Novelty | None = None
    schema_version: int = SCHEMA_VERSION
    proofs: Proofs | None = None

    def __post_init__(self) -> None:
        """Hold every path inside the release, the five models to their names, and numbers to its features."""
        parse_interval(self.interval)
        if [model.name for model in self.models] != list(MODEL_NAMES):
            raise InvalidInput(f"a release holds exactly {', '.join(MODEL_NAMES)}")
        folder = release_folder(self.release)
        for entry in (*self.files, *(model.onnx for model in self.models)):
            name = entry.path.removeprefix(folder)
            if name == entry.path or _FILE_NAME.fullmatch(name) is None or name in _UNLISTED:
                raise InvalidInput(f"{entry.path!r} is not a file of release {self.release}")
        for model in self.models:
            if model.joblib.path != ModelFile(model.name, self.release).key:
                raise InvalidInput(f"{model.joblib.path!r} is not {model.name} of release {self.release}")
        for entry in self.every_file:
            if entry.size < 0 or _SHA256.fullmatch(entry.sha256) is None:
                raise InvalidInput(f"{entry.path!r} has a malformed size or digest")
        self._check_numbers()

    def _check_numbers(self) -> None:
        """Refuse numbers that belong to no such model, to no feature of the release, or to no such schema."""
        for model in self.models:
            if model.calibration is not None and model.tipo != "classifier":
                raise InvalidInput(f"{model.name} gives no probability that could be calibrated")
            if model.ranges is not None and model.tipo != "regressor":
                raise InvalidInput(f"{model.name} gives no price that could have a range")
            if self.schema_version > 1 and model.calibrated != (model.calibration is not None):
                raise InvalidInput(
                    f"{model.name} is called calibrated without a calibration, or has one and is not"
                )
        ranges = [model.ranges for model in self.models if model.ranges is not None]
        known = set(self.features.names)
        used = {name for item in ranges for name in item.features}
        if self.novelty is not None:
            used.update(self.novelty.features)
        if used - known:
            raise InvalidInput(f"{min(used - known)!r} is no feature of release {self.release}")
        numbers = self.novelty is not None or ranges or any(model.calibration for model in self.models)
        if self.schema_version == 1 and (numbers or self.proofs is not None):
            raise InvalidInput(
                "a manifest of schema 1 knows neither calibration nor ranges nor novelty nor proofs"
            )

    def unproven(self) -> str | None:
        """Why the release must not be promoted, in words; ``None`` where its proofs are whole and of its files."""
        if self.proofs is None:
            return "it carries no proofs"
        wanting = self.proofs.wanting()
        if wanting is not None:
            return wanting
        built = {self.proofs.look_ahead.features, self.proofs.warm_up.features}
        if built != {len(self.features.names)} or self.proofs.warm_up.candles != self.features.lookback:
            return "its proofs are of other features than its own"
        again = self.proofs.determinism
        for model in self.models:
            if (again.joblib[model.name], again.onnx[model.name]) != (model.joblib.sha256, model.onnx.sha256):
                return f"its determinism proof is of other files than its {model.name}"
        return None

    @property
    def path(self) -> str:
        """The manifest's own key."""
        return release_folder(self.release) + "manifest.json"

    @property
    def every_file(self) -> tuple[FileEntry, ...]:
        """Every file of the release but the manifest and its signatures: models in both forms, then the others."""
        return (*(entry for model in self.models for entry in (model.joblib, model.onnx)), *self.files)

    def to_bytes(self) -> bytes:
        """The manifest as JSON, keys sorted: equal manifests, equal bytes."""
        value = {
            "schema_version": self.schema_version,
            "release": str(self.release),
            "created": rfc3339(self.created),
            "interval": self.interval,
            "horizon": self.horizon,
            "features": self.features.to_json(),
            "models": [self._model_json(model) for model in self.models],
            "files": [asdict(entry) for entry in self.files],
            "training": dict(self.training),
            "environment": dict(self.environment),
            "source_revision": self.source_revision,
        }
        if self.schema_version > 1:
            value["novelty"] = None if self.novelty is None else self.novelty.to_json()
        if self.proofs is not None:
            value["proofs"] = self.proofs.to_json()
        return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def _model_json(self, model: ModelEntry) -> dict[str, Any]:
        value = {
            "name": model.name,
            "tipo": model.tipo,
            "joblib": asdict(model.joblib),
            "onnx": asdict(model.onnx),
            "estimator": model.estimator,
            "calibrated": model.calibrated,
            "parity": dict(model.parity),
            "metrics": dict(model.metrics),
        }
        if self.schema_version > 1:
            value["calibration"] = None if model.calibration is None else model.calibration.to_json()
            value["ranges"] = None if model.ranges is None else model.ranges.to_json()
        return value

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """Read `to_bytes`'s form; raise `InvalidInput` if it is malformed or of an unknown schema version."""
        try:
            value = json.loads(data)
            schema = value["schema_version"]
            if type(schema) is not int or schema not in _SCHEMA_VERSIONS:
                known = " and ".join(map(str, _SCHEMA_VERSIONS))
                raise InvalidInput(f"manifest schema {str(schema)[:40]!r} is not known here ({known} are)")
            return cls(
                release=ReleaseVersion.parse(value["release"]),
                created=parse_time(value["created"]),
                interval=value["interval"],
                horizon=int(value["horizon"]),
                features=FeatureSpec.from_json(value["features"]),
                models=tuple(_model(item, schema) for item in value["models"]),
                files=tuple(_file(item) for item in value["files"]),
                training=dict(value["training"]),
                environment={str(name): str(text) for name, text in value["environment"].items()},
                source_revision=value["source_revision"],
                novelty=None if schema == 1 or value["novelty"] is None else Novelty.from_json(value["novelty"]),
                schema_version=schema,
                proofs=_proofs(value) if schema > 1 else None,
            )
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
            raise InvalidInput(f"malformed manifest: {error!r}") from error


def _proofs(value: Mapping[str, Any]) -> Proofs | None:
    proofs = value.get("proofs")
    return None if proofs is None else Proofs.from_json(proofs)


def _file(value: Mapping[str, Any]) -> FileEntry:
    return FileEntry(str(value["path"]), int(value["size"]), str(value["sha256"]))


def _model(value: Mapping[str, Any], schema: int) -> ModelEntry:
    # what schema 1 calls by these names is nothing it knows: ignored, as every unknown field is
    calibration = value["calibration"] if schema > 1 else None
    ranges = value["ranges"] if schema > 1 else None
    return ModelEntry(
        name=str(value["name"]),
        joblib=_file(value["joblib"]),
        onnx=_file(value["onnx"]),
        estimator=str(value["estimator"]),
        calibrated=bool(value["calibrated"]),
        parity={str(name): float(number) for name, number in value["parity"].items()},
        metrics=dict(value["metrics"]),
        calibration=None if calibration is None else Calibration.from_json(calibration),
        ranges=None if ranges is None else Ranges.from_json(ranges),
    )
