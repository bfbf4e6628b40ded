"""The file beside a manifest that holds its signatures: one small object that only ever gains some."""

import json
from typing import TYPE_CHECKING

from cripto.errors import InvalidInput, ObjectNotFound, WriteConflict
from cripto.registry.signing import Signature, signatures_from_json, signatures_to_json

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import ObjectStore

__all__ = ["LARGEST_SIGNATURE_FILE", "MANIFEST_PURPOSE", "SIGNATURE_SCHEMA_VERSION", "SignatureFile"]

SIGNATURE_SCHEMA_VERSION = 1
LARGEST_SIGNATURE_FILE = 1 << 16
"""No file of signatures is larger than this (bytes)."""
MANIFEST_PURPOSE = "cripto manifest"
"""What a signature in such a file was made for; the data is the manifest's bytes as they are stored."""

_ATTEMPTS = 5


class SignatureFile:
    """The signatures under one key of a store. Methods may raise what `ObjectStore` says it may."""

    def __init__(self, store: "ObjectStore", path: str) -> None:
        self._store = store
        self._path = path

    def read(self) -> tuple[Signature, ...]:
        """What is there: nothing if there is no file. Raises `InvalidInput` if it is malformed."""
        return self._read()[0]

    def create(self, signature: Signature) -> None:
        """Write the file, unless it holds ``signature`` already; raise `WriteConflict` if it holds others only."""
        try:
            self._store.create(self._path, _to_bytes((signature,)))
        except WriteConflict:
            try:
                ours = signature in self.read()
            except InvalidInput:
                ours = False
            if not ours:
                raise

    def add(self, signature: Signature) -> tuple[Signature, ...]:
        """Add ``signature`` to what is there, and return all of it; no write if it is there.

        Raises `InvalidInput` if the file is malformed, full, or holds another signature by the same key, and
        `WriteConflict` if others go on writing it.
        """
        for _ in range(_ATTEMPTS):
            found, etag = self._read()
            if signature in found:
                return found
            if signature.key_id in {other.key_id for other in found}:
                raise InvalidInput(f"its signature by {signature.key_id} is not valid")
            data = _to_bytes((*found, signature))
            try:
                if etag is None:
                    self._store.create(self._path, data)
                else:
                    self._store.replace(self._path, data, etag)
            except WriteConflict:
                continue  # somebody else's signature, or ours with its answer lost: look again
            return (*found, signature)
        raise WriteConflict(self._path)

    def _read(self) -> tuple[tuple[Signature, ...], str | None]:
        try:
            stored = self._store.get(self._path)
        except ObjectNotFound:
            return (), None
        if len(stored.data) > LARGEST_SIGNATURE_FILE:
            raise InvalidInput(f"its signatures are {len(stored.data)} bytes long")
        return _from_bytes(stored.data), stored.etag


def _to_bytes(signatures: tuple[Signature, ...]) -> bytes:
    value = {"schema_version": SIGNATURE_SCHEMA_VERSION, "signatures": signatures_to_json(signatures)}
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _from_bytes(data: bytes) -> tuple[Signature, ...]:
    try:
        value = json.loads(data)
        version, items = value["schema_version"], value["signatures"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"its signatures are malformed: {type(error).__name__}") from error
    if version != SIGNATURE_SCHEMA_VERSION:
        raise InvalidInput(f"signature schema {version!r} is not known here ({SIGNATURE_SCHEMA_VERSION} is)")
    return signatures_from_json(items)
