"""Joblibs that belong to no release, as a release: of each name the newest file that can be served."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cripto.domain.interval import Interval
from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ModelRefused, NoRelease, StorageUnavailable
from cripto.features import spec_of_names
from cripto.forecasting.finder import Candidate
from cripto.forecasting.release import BARE, LoadedRelease, ServedModel
from cripto.forecasting.runtime import OnnxModel
from cripto.forecasting.smoke import smoke_test
from cripto.forecasting.status import Refusal
from cripto.registry import BareFile, read_bare, survey_bare
from cripto.registry.convert import Conversion, ConversionCache, Convert, convert_cached, convert_each
from cripto.storage import ObjectStore

__all__ = ["BareModels", "Disk"]

_SIDE_BY_SIDE = 2
"""Conversions at once: each is a process that imports scikit-learn."""
_FILES_A_LOOK = 5
"""How many new files of one name are opened at one look; the next one goes further back."""
_LOOKS_BEFORE_ANOTHER_TRY = 10
_RECORD = "joblibs.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Disk:
    """Where conversions are kept, and the record of which were served last."""

    conversions: ConversionCache
    local: ObjectStore


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A file that can be served, opened."""

    name: str
    version: ReleaseVersion
    sha256: str
    features: tuple[str, ...]
    model: OnnxModel


@dataclass(frozen=True, slots=True)
class _Rejected:
    """Why a file cannot be served, and from which look on it is tried again; ``None``: its bytes must change."""

    reason: str
    again: int | None

    def is_due(self, look: int) -> bool:
        """Whether the file is to be tried again at that look, or was to be at one that did not get to it."""
        return self.again is not None and self.again <= look


class BareModels:
    """Looks through a store's joblibs; a file is opened once for each entity tag it has.

    Files are converted in child processes by ``convert``, and what came of it is kept in ``disk``; without one,
    every start converts anew. ``threads`` is for one run of one model.
    """

    def __init__(
        self,
        store: ObjectStore,
        interval: Interval,
        disk: Disk | None = None,
        *,
        threads: int = 1,
        convert: Convert = convert_each,
    ) -> None:
        self._store = store
        self._interval = interval
        self._disk = disk
        self._threads = threads
        self._convert = convert
        self._verdicts: dict[tuple[str, str], _Accepted | _Rejected] = {}
        self._looks = 0
        self._chosen: dict[str, Sequence[_Accepted]] = {}
        self._refused: tuple[Refusal, ...] = ()

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """See `BareJoblibs.refused`."""
        return self._refused

    def find(self) -> Candidate:
        """See `BareJoblibs.find`; raises what the store raises."""
        self._looks += 1
        survey = survey_bare(self._store)
        listing = survey.files
        listed = {(file.key, file.etag) for files in listing.values() for file in files}
        self._verdicts = {place: verdict for place, verdict in self._verdicts.items() if place in listed}
        names = [name for name in MODEL_NAMES if name in listing]
        with ThreadPoolExecutor(_SIDE_BY_SIDE, "convert") as pool:
            found = list(pool.map(lambda name: self._newest(listing[name]), names))
        unknown = [Refusal("", reason, key) for key, reason in survey.lookalikes]
        self._refused = (*(refusal for _, refused in found for refusal in refused), *unknown)
        chosen = [accepted for accepted, _ in found if accepted is not None]
        if not chosen:
            refused = f": {len(self._refused)} joblibs were refused" if self._refused else ""
            raise NoRelease(f"there is no release, and no joblib that can be served{refused}")
        version = _name_of(chosen)
        self._chosen = {version: chosen}
        return Candidate(version, lambda: self._assembled(version, chosen))

    def keep(self, version: str) -> None:
        """See `Keeper.keep`."""
        disk, chosen = self._needed_disk(), self._chosen[version]
        models = [{"name": one.name, "version": str(one.version), "sha256": one.sha256} for one in chosen]
        record = {"schema_version": _SCHEMA_VERSION, "release": version, "models": models}
        disk.local.put(_RECORD, json.dumps(record).encode())
        disk.conversions.keep_only({one.sha256 for one in chosen})

    def recall(self, version: str) -> LoadedRelease:
        """See `Keeper.recall`."""
        disk, chosen = self._needed_disk(), []
        for name, trained, sha256 in _recorded(disk.local.get(_RECORD).data, version):
            conversion = disk.conversions.find(sha256, tipo_of(name))
            if conversion is None:
                raise ModelRefused(name, f"the conversion of {trained} is no longer on disk")
            chosen.append(self._accepted(name, trained, sha256, conversion))
        if not chosen or _name_of(chosen) != version:
            raise InvalidInput(f"{_RECORD} is not that of {version}")
        self._chosen = {version: chosen}
        return self._assembled(version, chosen)

    def _needed_disk(self) -> Disk:
        if self._disk is None:
            raise StorageUnavailable("nothing is kept on disk here")
        return self._disk

    def _newest(self, files: Sequence[BareFile]) -> tuple[_Accepted | None, list[Refusal]]:
        """The newest of one name's files that can be served, and those before it, with why they cannot."""
        refused: list[Refusal] = []
        opened = 0
        for file in files:
            place = file.key, file.etag
            verdict = self._verdicts.get(place)
            if verdict is None or (isinstance(verdict, _Rejected) and verdict.is_due(self._looks)):
                if opened == _FILES_A_LOOK:
                    break
                opened += 1
                verdict = self._verdicts[place] = self._judged(file)
            if isinstance(verdict, _Accepted):
                return verdict, refused
            refused.append(Refusal(str(file.version), verdict.reason, file.key))
        return None, refused

    def _judged(self, file: BareFile) -> _Accepted | _Rejected:
        try:
            data = read_bare(self._store, file)
            if self._disk is None:
                outcome = self._convert({file.name: data})[file.name]
            else:
                outcome = convert_cached({file.name: data}, self._disk.conversions, convert=self._convert)[
                    file.name
                ]
            if isinstance(outcome, ModelRefused):
                raise outcome
            return self._accepted(file.name, file.version, hashlib.sha256(data).hexdigest(), outcome)
        except ModelRefused as error:
            return _Rejected(error.reason, None if error.final else self._looks + _LOOKS_BEFORE_ANOTHER_TRY)

    def _accepted(self, name: str, version: ReleaseVersion, sha256: str, conversion: Conversion) -> _Accepted:
        try:
            spec_of_names(conversion.features)
        except InvalidInput as error:
            raise ModelRefused(name, str(error), final=True) from error
        width = len(conversion.features)
        try:
            model = OnnxModel(name, conversion.onnx, width, threads=self._threads)
            smoke_test(lambda matrix: {name: model.predict(matrix)}, [name], width, None)
        except ModelRefused as error:
            raise ModelRefused(name, error.reason, final=True) from error
        return _Accepted(name, version, sha256, conversion.features, model)

    def _assembled(self, version: str, chosen: Sequence[_Accepted]) -> LoadedRelease:
        """One release of models that may each take other features: its spec holds them all."""
        names = tuple(dict.fromkeys(name for one in chosen for name in one.features))
        place = {name: column for column, name in enumerate(names)}
        return LoadedRelease(
            version=version,
            created=max(one.version for one in chosen).time,
            interval=self._interval,
            features=spec_of_names(names),
            models=tuple(
                ServedModel(str(one.version), False, one.model, tuple(place[name] for name in one.features))
                for one in chosen
            ),
        )


def _recorded(data: bytes, version: str) -> list[tuple[str, ReleaseVersion, str]]:
    """Name, version and SHA-256 of each model of the set called ``version``."""
    try:
        record = json.loads(data)
        if record["schema_version"] != _SCHEMA_VERSION or record["release"] != version:
            raise ValueError("another form, or another release")
        return [
            (str(item["name"]), ReleaseVersion.parse(item["version"]), str(item["sha256"]))
            for item in record["models"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"{_RECORD} is malformed: {error!r}") from error


def _name_of(chosen: Sequence[_Accepted]) -> str:
    lines = "".join(f"{one.name} {one.version} {one.sha256}\n" for one in chosen)
    return BARE + hashlib.sha256(lines.encode()).hexdigest()[:12]
