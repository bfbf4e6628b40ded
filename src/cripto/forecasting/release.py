"""A release in memory: models that have proved themselves, and what is known of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval, parse_interval
from cripto.domain.manifest import FileEntry, Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ModelRefused, ReleaseRefused
from cripto.features import check_spec
from cripto.forecasting.runtime import Matrix, Model, OnnxModel, Vector
from cripto.forecasting.smoke import smoke_test

__all__ = ["BARE", "LoadedRelease", "Releases", "ServedModel", "load_release", "release_of"]


BARE = "joblib-"
"""How the names of releases begin that are made of joblibs which belong to none."""


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
class ServedModel:
    """A compiled model, the version it was trained as, and whether its output is calibrated.

    ``columns`` says which of the release's features it takes, and in which order; all of them where ``None``.
    """

    version: str
    calibrated: bool
    compiled: Model
    columns: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """The model's name, one of ``MODEL_NAMES``."""
        return self.compiled.name

    def predict(self, matrix: Matrix) -> Vector:
        """One number per row of ``matrix``, float64 (rows, features of the release); raise `ModelRefused`.

        Numbers may be NaN or infinite: who uses a row checks it.
        """
        rows = matrix if self.columns is None else np.ascontiguousarray(matrix[:, self.columns])
        values = self.compiled.predict(rows)
        if values.shape != (len(matrix),) or values.dtype != np.float64:
            raise ModelRefused(
                self.name, f"it gave {values.dtype} {values.shape} for {len(matrix)} rows, not one float64 a row"
            )
        return values


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """Models that have proved themselves, in the order of ``MODEL_NAMES``. Immutable; safe to share.

    ``version`` is what answers call it: the release's version, or `BARE` and a digest for joblibs that belong
    to no release. Equal names mean equal models.
    """

    version: str
    created: datetime
    interval: Interval
    features: FeatureSpec
    models: tuple[ServedModel, ...]

    def predict(self, matrix: Matrix) -> dict[str, Vector]:
        """Outputs by model for ``matrix``, float64 (rows, features): log returns, or P(rises); each (rows,).

        Numbers may be NaN or infinite: who uses a row checks it. Raises `ModelRefused` for a model that
        fails or gives anything else than one float64 per row.
        """
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        return {model.name: model.predict(matrix) for model in self.models}


def release_of(manifest: Manifest, models: Iterable[Model]) -> LoadedRelease:
    """What ``manifest`` says of its compiled ``models``, which are in its order."""
    version = str(manifest.release)
    return LoadedRelease(
        version=version,
        created=manifest.created,
        interval=parse_interval(manifest.interval),
        features=manifest.features,
        models=tuple(
            ServedModel(version, entry.calibrated, model)
            for entry, model in zip(manifest.models, models, strict=True)
        ),
    )


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
        release = release_of(manifest, models)
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
