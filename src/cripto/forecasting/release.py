"""A release in memory: models that have proved themselves, and what is known of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cripto.domain.calibration import Calibration
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval, parse_interval
from cripto.domain.manifest import FileEntry, Manifest
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.domain.steps import step
from cripto.errors import InvalidInput, ModelRefused, ReleaseRefused
from cripto.features import check_spec
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.novelty import NoveltyScale
from cripto.forecasting.ranges import RangeScales, range_scales
from cripto.forecasting.runtime import Matrix, Model, OnnxModel, Vector
from cripto.forecasting.smoke import smoke_test, smoke_test_numbers

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
    """A compiled model, the version it was trained as, and whether its served output is calibrated.

    ``columns`` says which of the release's features it takes, and in which order; all of them where ``None``.
    ``calibration`` makes a classifier's served probability of its raw one.
    """

    version: str
    calibrated: bool
    compiled: Model
    columns: tuple[int, ...] | None = None
    calibration: Calibration | None = None

    @property
    def name(self) -> str:
        """The model's name, one of ``MODEL_NAMES``."""
        return self.compiled.name

    def predict(self, matrix: Matrix) -> Vector:
        """What is served for each row of ``matrix``: `raw`, and calibrated where there is a calibration."""
        values = self.raw(matrix)
        return values if self.calibration is None else calibrate(values, self.calibration)

    def raw(self, matrix: Matrix) -> Vector:
        """The estimator's own number for each row of ``matrix``, float64 (rows, features of the release).

        Raises `ModelRefused`. Numbers may be NaN or infinite: who uses a row checks it.
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
    ranges: tuple[RangeScales, ...] = ()
    novelty: NoveltyScale | None = None

    def predict(self, matrix: Matrix) -> dict[str, Vector]:
        """What is served by model for ``matrix``, float64 (rows, features): log returns or P(rises), each (rows,).

        Calibrated where there is a calibration. Numbers may be NaN or infinite: who uses a row checks it. Raises
        `ModelRefused` for a model that fails or gives anything else than one float64 per row.
        """
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        return {model.name: model.predict(matrix) for model in self.models}

    def raw(self, matrix: Matrix) -> dict[str, Vector]:
        """The same as the estimators give it, before any calibration: what probe rows prove."""
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        return {model.name: model.raw(matrix) for model in self.models}

    def half_widths(self, matrix: Matrix) -> dict[str, npt.NDArray[np.float64]]:
        """By regressor that has ranges, their half widths as log returns, float64 (levels, rows).

        In the order of `cripto.domain.ranges.LEVELS`; see `RangeScale.half_widths`.
        """
        return {name: widths for scales in self.ranges for name, widths in scales.half_widths(matrix).items()}


def release_of(manifest: Manifest, models: Iterable[Model]) -> LoadedRelease:
    """What ``manifest`` says of its compiled ``models``, which are in its order."""
    version = str(manifest.release)
    return LoadedRelease(
        version=version,
        created=manifest.created,
        interval=parse_interval(manifest.interval),
        features=manifest.features,
        models=tuple(
            ServedModel(version, entry.calibrated, model, calibration=entry.calibration)
            for entry, model in zip(manifest.models, models, strict=True)
        ),
        ranges=range_scales(
            {entry.name: entry.ranges for entry in manifest.models if entry.ranges is not None},
            manifest.features.names,
        ),
        novelty=None if manifest.novelty is None else NoveltyScale(manifest.novelty, manifest.features.names),
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
        with step("release.smoke"):
            smoke_test(release.raw, MODEL_NAMES, n_features, _probe_file(releases, manifest))
            smoke_test_numbers(release, n_features)
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
