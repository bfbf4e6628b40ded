"""Conversions kept on disk, so that a process that starts again converts nothing it has converted before."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cripto.domain.model_name import Tipo, tipo_of
from cripto.errors import CriptoError, InvalidInput, ModelRefused, ObjectNotFound
from cripto.registry.convert._answers import Conversion, believed
from cripto.registry.convert._libraries import scikit_learn
from cripto.registry.convert.conversion import convert_each

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from collections.abc import Iterator

    from cripto.storage import ObjectStore

__all__ = ["CACHE_SCHEMA_VERSION", "CONVERSION_FORMAT", "ConversionCache", "Convert", "convert_cached"]

CONVERSION_FORMAT = 1
"""Rises when the child makes another graph of the same file: what was kept before is not used again."""

CACHE_SCHEMA_VERSION = 1
"""The form of what is written beside each graph."""

Convert = Callable[[Mapping[str, bytes]], Mapping[str, Conversion | ModelRefused]]
"""What `convert_each` is; tests may pass a twin."""

_FOLDER = "conversions/"
_LONGEST_ENTRY = 1 << 20


class ConversionCache:
    """Conversions by the SHA-256 of the joblib file and its tipo, in a store that nobody else writes to.

    One made with another scikit-learn is not used, since a process that had kept nothing would refuse the file,
    and replicas must agree. Where no scikit-learn is installed nothing can be converted, so there every sound
    one is used: a graph that was proven stays right.

    Whatever is malformed, half written or truncated is a miss. A store that fails loses no conversion: ``failed``
    is told each time, and nothing is raised.
    """

    def __init__(self, store: "ObjectStore", failed: Callable[[CriptoError], None]) -> None:
        self._store = store
        self._failed = failed

    def find(self, sha256: str, tipo: Tipo) -> Conversion | None:
        """The conversion of the file with that digest, checked; ``None`` if there is no usable one."""
        with self._told():
            try:
                return self._read(sha256, tipo)
            except (ValueError, KeyError, TypeError, RecursionError, InvalidInput, ObjectNotFound):
                return None
        return None

    def keep(self, sha256: str, tipo: Tipo, conversion: Conversion) -> None:
        """Write a conversion that this installation has made, the graph first and what makes it one last."""
        entry = {
            "schema": CACHE_SCHEMA_VERSION,
            "joblib": sha256,
            "tipo": tipo,
            "scikit_learn": scikit_learn(),
            "features": conversion.features,
            "estimator": conversion.estimator,
            "parity": conversion.parity,
            "onnx": {"size": len(conversion.onnx), "sha256": hashlib.sha256(conversion.onnx).hexdigest()},
        }
        with self._told():
            self._store.put(_key(sha256, tipo, "onnx"), conversion.onnx)
            self._store.put(_key(sha256, tipo, "json"), json.dumps(entry, sort_keys=True).encode())

    def keep_only(self, sha256s: Collection[str]) -> None:
        """Remove what was kept of other files than those with these digests, and of other formats."""
        wanted = {f"{_FOLDER}{CONVERSION_FORMAT}/{sha256}" for sha256 in sha256s}
        with self._told():
            for key in [info.key for info in self._store.list(_FOLDER)]:
                if key.rpartition("/")[0] not in wanted:
                    self._store.delete(key)

    def _read(self, sha256: str, tipo: Tipo) -> Conversion | None:
        text = self._store.get(_key(sha256, tipo, "json")).data
        if len(text) > _LONGEST_ENTRY:
            return None
        entry: Mapping[str, Any] = json.loads(text)
        if (entry["schema"], entry["joblib"], entry["tipo"]) != (CACHE_SCHEMA_VERSION, sha256, tipo):
            return None
        if scikit_learn() not in (None, entry["scikit_learn"]):
            return None
        onnx = self._store.get(_key(sha256, tipo, "onnx")).data
        if (len(onnx), hashlib.sha256(onnx).hexdigest()) != (entry["onnx"]["size"], entry["onnx"]["sha256"]):
            return None
        return believed(tipo, entry, onnx, None)

    @contextmanager
    def _told(self) -> "Iterator[None]":
        try:
            yield
        except CriptoError as error:
            self._failed(error)


def convert_cached(
    files: Mapping[str, bytes], cache: ConversionCache, convert: Convert = convert_each
) -> dict[str, Conversion | ModelRefused]:
    """Convert bare files (name to joblib file) by ``convert``, those that are not kept already.

    Kept ones start no process. Raises `InvalidInput` for names that cannot be used.
    """
    results: dict[str, Conversion | ModelRefused] = {}
    for name, file in files.items():
        sha256, tipo = hashlib.sha256(file).hexdigest(), tipo_of(name)
        if (kept := cache.find(sha256, tipo)) is not None:
            results[name] = kept
            continue
        results[name] = made = convert({name: file})[name]
        if isinstance(made, Conversion):
            cache.keep(sha256, tipo, made)
    return results


def _key(sha256: str, tipo: Tipo, kind: str) -> str:
    return f"{_FOLDER}{CONVERSION_FORMAT}/{sha256}/{tipo}.{kind}"
