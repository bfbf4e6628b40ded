"""Bare joblibs: models that lie in the store without a release, as a plain training job leaves them."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cripto.domain.model_name import MODEL_NAMES, parse_model_file
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ModelRefused, ObjectNotFound

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import ObjectStore

__all__ = ["LARGEST_BARE", "MOST_LOOKALIKES", "BareFile", "BareSurvey", "bare_files", "read_bare", "survey_bare"]

LARGEST_BARE = 1 << 30
"""No bare joblib is read that is larger than this (bytes)."""

MOST_LOOKALIKES = 20
"""How many files that only look like models are named, the first by key."""

_MODELS, _RELEASES, _ENDING = "models/", "models/releases/", ".joblib"


@dataclass(frozen=True, slots=True)
class BareFile:
    """A joblib without a release, as it was listed; ``size`` in bytes."""

    name: str
    version: ReleaseVersion
    key: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class BareSurvey:
    """What lies below ``models/``: bare files by model name, newest first, and look-alikes as (key, reason)."""

    files: dict[str, list[BareFile]]
    lookalikes: list[tuple[str, str]]


def survey_bare(store: "ObjectStore") -> BareSurvey:
    """List the store's models to the end. Names without a bare file are left out.

    A joblib is bare only if nothing lies in the folder of a release of its version. A publication writes that
    folder before its joblibs, and joblibs are listed before folders: one in progress is never taken for bare.
    Raises what `ObjectStore` says it may.
    """
    found: list[BareFile] = []
    releases: set[str] = set()
    lookalikes: list[tuple[str, str]] = []
    for info in store.list(_MODELS):
        if info.key.startswith(_RELEASES):
            releases.add(info.key.removeprefix(_RELEASES).partition("/")[0])
        elif (file := parse_model_file(info.key)) is not None:
            found.append(BareFile(file.name, file.version, info.key, info.size, info.etag))
        elif info.key.endswith(_ENDING) and info.key.count("/") == 1 and len(lookalikes) < MOST_LOOKALIKES:
            lookalikes.append((info.key, _why_not(info.key)))
    files: defaultdict[str, list[BareFile]] = defaultdict(list)
    for bare in sorted(found, key=lambda bare: bare.version, reverse=True):
        if str(bare.version) not in releases:
            files[bare.name].append(bare)
    return BareSurvey(dict(files), lookalikes)


def bare_files(store: "ObjectStore") -> dict[str, list[BareFile]]:
    """The bare files of `survey_bare` alone."""
    return survey_bare(store).files


def read_bare(store: "ObjectStore", file: BareFile) -> bytes:
    """The bytes of a bare file, as it was listed.

    Raises `ModelRefused`: final if it is larger than `LARGEST_BARE`, and not final if it has changed or gone since
    it was listed, as one that is being written just now does. Also raises what `ObjectStore` says it may.
    """
    if file.size > LARGEST_BARE:
        raise ModelRefused(file.key, f"it is {file.size} bytes long, and {LARGEST_BARE} are read", final=True)
    try:
        stored = store.get(file.key)
    except ObjectNotFound:
        raise ModelRefused(file.key, "it is no longer in the store") from None
    if len(stored.data) != file.size or stored.etag != file.etag:
        raise ModelRefused(file.key, f"it was listed with {file.size} bytes and has changed since: try again")
    return stored.data


def _why_not(key: str) -> str:
    stem = key.removeprefix(_MODELS).removesuffix(_ENDING)
    if any(stem.startswith(f"{name}_") for name in MODEL_NAMES):
        return "its version is not YYYYMMDD-HHMM"
    return f"it is named after none of the five models ({', '.join(MODEL_NAMES)})"
