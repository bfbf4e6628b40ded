"""The protocol every store keeps, and the rules its contract tests hold all of them to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["ObjectInfo", "ObjectStore", "StoredObject"]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing says of an object: key, size in bytes, entity tag and time of last change (UTC)."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes and the entity tag they were read under."""

    data: bytes
    etag: str


class ObjectStore(Protocol):
    """Keys to bytes, with conditional writes. Keys are ``/``-separated, relative, without ``.`` or ``..``.

    Every method blocks; call it off the event loop. Besides what each says it raises, any may raise
    `StorageUnavailable` (try again), `StorageDenied` (credentials) and `InvalidInput` (malformed key).
    A write is seen whole or not at all, and is durable when the call returns.
    """

    @property
    def url(self) -> str:
        """The store's root as a URL: ``memory://``, ``file:///folder`` or ``s3://bucket/prefix``. No secrets."""
        ...

    def get(self, key: str) -> StoredObject:
        """Read an object; raise `ObjectNotFound`."""
        ...

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Read an object, or return ``None`` while its entity tag is still ``etag``; raise `ObjectNotFound`."""
        ...

    def create(self, key: str, data: bytes) -> str:
        """Write an object that must not exist yet and return its entity tag; raise `WriteConflict`."""
        ...

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """Write over the object read under ``etag`` and return the new tag.

        Raises `WriteConflict` if it has changed since, or is gone.
        """
        ...

    def put(self, key: str, data: bytes) -> str:
        """Write unconditionally and return the entity tag. Not for anything two writers may hold."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; silently, if there is none."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with ``prefix`` (empty, or ending in ``/``), to the end, by key."""
        ...
