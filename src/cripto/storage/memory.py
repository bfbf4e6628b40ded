"""A store in memory: the twin that tests and examples use, held to the same contract as the others."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Lock

from cripto.errors import ObjectNotFound, WriteConflict
from cripto.storage._keys import check_key, check_prefix
from cripto.storage.store import ObjectInfo, StoredObject

__all__ = ["MemoryStore"]


class MemoryStore:
    """Objects in a dictionary. Safe to share between threads, not between processes."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[StoredObject, datetime]] = {}
        self._lock = Lock()

    @property
    def url(self) -> str:
        """``memory://``."""
        return "memory://"

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        check_key(key)
        try:
            return self._objects[key][0]
        except KeyError:
            raise ObjectNotFound(key) from None

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        stored = self.get(key)
        return None if stored.etag == etag else stored

    def create(self, key: str, data: bytes) -> str:
        """See `ObjectStore.create`."""
        check_key(key)
        with self._lock:
            if key in self._objects:
                raise WriteConflict(key)
            return self._write(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """See `ObjectStore.replace`."""
        check_key(key)
        with self._lock:
            if key not in self._objects or self._objects[key][0].etag != etag:
                raise WriteConflict(key)
            return self._write(key, data)

    def put(self, key: str, data: bytes) -> str:
        """See `ObjectStore.put`."""
        check_key(key)
        with self._lock:
            return self._write(key, data)

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        check_prefix(prefix)
        for key, (stored, modified) in sorted(self._objects.items()):
            if key.startswith(prefix):
                yield ObjectInfo(key, len(stored.data), stored.etag, modified)

    def _write(self, key: str, data: bytes) -> str:
        etag = hashlib.sha256(data).hexdigest()
        self._objects[key] = (StoredObject(bytes(data), etag), datetime.now(UTC))
        return etag
