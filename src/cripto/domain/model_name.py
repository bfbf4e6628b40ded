"""The five models, their names, and the file names they travel under."""

import re
from dataclasses import dataclass
from typing import Literal

from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

__all__ = ["MODEL_NAMES", "ModelFile", "Tipo", "parse_model_file", "tipo_of"]

Tipo = Literal["regressor", "classifier"]

MODEL_NAMES = ("regressor_rf", "regressor_gbr", "regressor_lin", "classifier_rf", "classifier_log")
"""The five models of a release, in the order in which they are always shown."""

_FILE = re.compile(r"models/((?:regressor|classifier)_[a-z0-9]+)_(\d{8}-\d{4}(?:\d{2})?)\.joblib", re.ASCII)


def tipo_of(name: str) -> Tipo:
    """``regressor`` or ``classifier``, from the model's name; raise `InvalidInput`."""
    if name.startswith("regressor_"):
        return "regressor"
    if name.startswith("classifier_"):
        return "classifier"
    raise InvalidInput(f"{name!r} is not a model name: it begins with neither regressor_ nor classifier_")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A trained model's file in the store: ``models/<name>_<version>.joblib``."""

    name: str
    version: ReleaseVersion

    @property
    def key(self) -> str:
        """The object's key."""
        return f"models/{self.name}_{self.version}.joblib"


def parse_model_file(key: str) -> ModelFile | None:
    """Read an object's key; ``None`` if it is not that of one of the five models."""
    match = _FILE.fullmatch(key)
    if match is None or match[1] not in MODEL_NAMES:
        return None
    try:
        return ModelFile(match[1], ReleaseVersion.parse(match[2]))
    except InvalidInput:
        return None
