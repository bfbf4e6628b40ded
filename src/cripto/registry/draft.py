"""A release before it is published: its bytes, and what the manifest will say of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cripto.domain.calibration import Calibration
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.manifest import FileEntry, Manifest, ModelEntry, release_folder
from cripto.domain.model_name import MODEL_NAMES, ModelFile
from cripto.domain.novelty import Novelty
from cripto.domain.proofs import Proofs
from cripto.domain.ranges import Ranges
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

__all__ = ["ModelDraft", "ReleaseDraft", "file_entry"]


def file_entry(path: str, data: bytes) -> FileEntry:
    """What a manifest says of the file at ``path`` that holds ``data``."""
    return FileEntry(path, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """One model in both forms, and what is known of it; see `cripto.domain.manifest.ModelEntry`."""

    joblib: bytes
    onnx: bytes
    estimator: str
    parity: Mapping[str, float]
    metrics: Mapping[str, Any]
    calibration: Calibration | None = None
    ranges: Ranges | None = None


@dataclass(frozen=True, slots=True)
class ReleaseDraft:
    """Everything `ReleaseRegistry.publish` writes. ``models`` holds the five names; ``files`` any others by name.

    ``created`` is UTC. A draft published twice must be equal in all of its fields to be the same release.
    """

    version: ReleaseVersion
    created: datetime
    interval: str
    horizon: int
    features: FeatureSpec
    models: Mapping[str, ModelDraft]
    files: Mapping[str, bytes] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    source_revision: str | None = None
    novelty: Novelty | None = None
    proofs: Proofs | None = None

    def seal(self) -> tuple[Manifest, dict[str, bytes]]:
        """The manifest and every other object by key, in the order they are to be written.

        The manifest is as a reader will see it. Raises `InvalidInput` for anything that cannot be published:
        a missing or unknown model, a file name that is none, a number JSON does not know.
        """
        if self.created.tzinfo is None:
            raise InvalidInput("the time a release was created says no time zone")
        if sorted(self.models) != sorted(MODEL_NAMES):
            raise InvalidInput(f"a release holds exactly {', '.join(MODEL_NAMES)}")
        folder = release_folder(self.version)
        # The public joblibs go last: a crash then leaves as few as possible without the release they belong to.
        compiled = {folder + f"{name}.onnx": self.models[name].onnx for name in MODEL_NAMES}
        others = {folder + name: data for name, data in sorted(self.files.items())}
        pickles = {ModelFile(name, self.version).key: self.models[name].joblib for name in MODEL_NAMES}
        if clash := compiled.keys() & others.keys():
            raise InvalidInput(f"{min(clash)!r} is the name of a compiled model")
        manifest = Manifest(
            release=self.version,
            created=self.created,
            interval=self.interval,
            horizon=self.horizon,
            features=self.features,
            models=tuple(self._entry(name) for name in MODEL_NAMES),
            files=tuple(file_entry(path, data) for path, data in others.items()),
            training=self.training,
            environment=self.environment,
            source_revision=self.source_revision,
            novelty=self.novelty,
            proofs=self.proofs,
        )
        try:
            data = manifest.to_bytes()
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"the manifest cannot be written as JSON: {error}") from error
        return Manifest.from_bytes(data), {**compiled, **others, **pickles}

    def _entry(self, name: str) -> ModelEntry:
        model = self.models[name]
        return ModelEntry(
            name=name,
            joblib=file_entry(ModelFile(name, self.version).key, model.joblib),
            onnx=file_entry(release_folder(self.version) + f"{name}.onnx", model.onnx),
            estimator=model.estimator,
            calibrated=model.calibration is not None,
            parity=dict(model.parity),
            metrics=dict(model.metrics),
            calibration=model.calibration,
            ranges=model.ranges,
        )
