"""Stores that misbehave on purpose, around one that does not."""

from collections.abc import Callable, Iterator

from cripto.errors import StorageUnavailable
from cripto.storage import ObjectInfo, ObjectStore, StoredObject

__all__ = ["FailingStore", "RepeatingStore", "WatchedStore"]


class WatchedStore:
    """Passes everything on, after telling ``before`` the method's name and the key or prefix."""

    def __init__(self, store: ObjectStore, before: Callable[[str, str], None]) -> None:
        self._store = store
        self._before = before

    @property
    def url(self) -> str:
        return self._store.url

    def get(self, key: str) -> StoredObject:
        self._before("get", key)
        return self._store.get(key)

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        self._before("get_if_changed", key)
        return self._store.get_if_changed(key, etag)

    def create(self, key: str, data: bytes) -> str:
        self._before("create", key)
        return self._store.create(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        self._before("replace", key)
        return self._store.replace(key, data, etag)

    def put(self, key: str, data: bytes) -> str:
        self._before("put", key)
        return self._store.put(key, data)

    def delete(self, key: str) -> None:
        self._before("delete", key)
        self._store.delete(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._before("list", prefix)
        return self._store.list(prefix)


class FailingStore(WatchedStore):
    """Writes ``writes`` objects and then none: as if the publisher, or its network, died there.

    With ``after`` the object that fails is written all the same, and only its answer is lost.
    """

    def __init__(self, store: ObjectStore, writes: int, *, after: bool = False) -> None:
        self.left = writes
        self._after = after
        super().__init__(store, self._count)

    def create(self, key: str, data: bytes) -> str:
        if self._after and self.left == 0:
            self._store.create(key, data)
        return super().create(key, data)

    def _count(self, method: str, key: str) -> None:
        if method in {"create", "replace", "put"}:
            self.left -= 1
            if self.left < 0:
                raise StorageUnavailable(f"{method} of {key} was not answered")


class RepeatingStore(WatchedStore):
    """Makes each conditional write twice and tells of the second: a client whose first answer was lost."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store, lambda method, key: None)

    def create(self, key: str, data: bytes) -> str:
        super().create(key, data)
        return super().create(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        super().replace(key, data, etag)
        return super().replace(key, data, etag)
