"""A release in memory: its manifest and five models that have proved themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cripto.domain.interval import Interval, parse_interval
from cripto.domain.manifest import FileEntry, Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ModelRefused, ReleaseRefused
from cripto.features import check_spec
from cripto.forecasting.runtime import Matrix, Model, OnnxModel, Vector
from cripto.forecasting.smoke import smoke_test

__all__ = ["LoadedRelease", "Releases", "load_release"]


class Releases(Protocol):
    """What this room needs of the registry; `cripto.registry.ReleaseRegistry` keeps it."""

    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
        """The version to serve; raise `NoRelease`."""
        ...

    def manifest(self, version: ReleaseVersion) -> Manifest:
        """The manifest of a version; raise `UnknownRelease` or `ReleaseRefused`."""
        ...

    def read(self, manifest: Manifest, entry: FileEntry) -> bytes:
        """A file of the release, checked for size and digest; raise `ReleaseRefused`."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """A manifest and its five models, in the order of ``MODEL_NAMES``. Immutable; safe to share."""

    manifest: Manifest
    models: tuple[Model, ...]

    @property
    def version(self) -> str:
        """The release's version."""
        return str(self.manifest.release)

    @property
    def interval(self) -> Interval:
        """The interval of the candles it was fitted on."""
        return parse_interval(self.manifest.interval)

    @property
    def calibrated(self) -> Mapping[str, bool]:
        """Whether each model's output is calibrated, by name."""
        return {entry.name: entry.calibrated for entry in self.manifest.models}

    def predict(self, matrix: Matrix) -> dict[str, Vector]:
        """Outputs by model for ``matrix``, float64 (rows, features): log returns, or P(rises); each (rows,).

        Numbers may be NaN or infinite: who uses a row checks it. Raises `ModelRefused` for a model that
        fails or gives anything else than one float64 per row.
        """
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        outputs: dict[str, Vector] = {}
        for model in self.models:
            values = model.predict(matrix)
            if values.shape != (len(matrix),) or values.dtype != np.float64:
                raise ModelRefused(
                    model.name,
                    f"it gave {values.dtype} {values.shape} for {len(matrix)} rows, not one float64 a row",
                )
            outputs[model.name] = values
        return outputs


def load_release(releases: Releases, version: ReleaseVersion, *, threads: int = 1) -> LoadedRelease:
    """Read a release, check it whole and prove it on probe rows; ``threads`` is for one run of one model.

    Raises `ReleaseRefused` with the reason for anything wrong with the release itself, `UnknownRelease` if
    there is none, and whatever the store raises when it cannot be read.
    """
    manifest = releases.manifest(version)
    refuse = _Refusal(str(version))
    if manifest.horizon != 1:
        raise refuse(f"it forecasts {manifest.horizon} candles ahead and only 1 is served")
    try:
        check_spec(manifest.features)
    except InvalidInput as error:
        raise refuse(str(error)) from error
    n_features = len(manifest.features.features)
    models: list[Model] = []
    try:
        for entry in manifest.models:
            data = releases.read(manifest, entry.onnx)
            models.append(OnnxModel(entry.name, data, n_features, threads=threads))
        release = LoadedRelease(manifest, tuple(models))
        smoke_test(release.predict, MODEL_NAMES, n_features, _probe_file(releases, manifest))
    except ModelRefused as error:
        raise refuse(f"{error.model}: {error.reason}") from error
    return release


class _Refusal:
    def __init__(self, release: str) -> None:
        self._release = release

    def __call__(self, reason: str) -> ReleaseRefused:
        return ReleaseRefused(self._release, reason)


def _probe_file(releases: Releases, manifest: Manifest) -> bytes | None:
    for entry in manifest.files:
        if entry.path.endswith("/probes.json"):
            return releases.read(manifest, entry)
    return None
