"""Whether a Delta table has moved on, by one small read where it has not."""

from collections.abc import Callable
from dataclasses import dataclass

from cripto.errors import ObjectNotFound, StorageDenied
from cripto.storage import ObjectStore

__all__ = ["CommitWatch"]

_WALKED = 32
"""Commits followed one by one; more are found sooner by opening the table."""
_LOOKS_BETWEEN_CHECKS = 10


@dataclass(frozen=True, slots=True)
class _Seen:
    """A commit, the entity tag of its file (``None``: it has none any more), and the looks since a check."""

    version: int
    etag: str | None
    looks: int = 0


class CommitWatch:
    """The version of the table ``table`` (a key of ``store``), which ``opened`` finds by opening the table.

    Commits are files numbered without a gap, each written once. So the table stands where it stood while the file
    of the next number is not there: one request, no listing. Every tenth look also asks whether the file of the
    last commit is still the same, which tells a table that was removed or made anew, or whose log was cleaned past
    it; then, and wherever the answer is not plain, the table is opened. Safe to share between threads.
    """

    def __init__(self, store: ObjectStore, table: str, opened: Callable[[], int | None]) -> None:
        self._store = store
        self._log = f"{table}/_delta_log"
        self._opened = opened
        self._seen: _Seen | None = None

    def version(self) -> int | None:
        """The number of the latest commit, ``None`` while there is no table; raises what opening it does."""
        seen = self._seen
        try:
            moved = None if seen is None else self._walked(seen)
        except StorageDenied:
            moved = None  # a store may follow no link where the table's reader does
        if moved is None:
            version = self._opened()
            moved = None if version is None else _Seen(version, self._tag_of(version))
        self._seen = moved
        return None if moved is None else moved.version

    def still(self) -> bool:
        """Whether the latest commit that `version` saw is known to be there, unchanged: the table is the same."""
        try:
            return self._seen is not None and self._still(self._seen)
        except StorageDenied:
            return False

    def _walked(self, seen: _Seen) -> _Seen | None:
        """The commit found by following the numbers; ``None`` if the table has to be opened."""
        if seen.looks >= _LOOKS_BETWEEN_CHECKS and not self._still(seen):
            return None
        looks = seen.looks % _LOOKS_BETWEEN_CHECKS
        for _ in range(_WALKED):
            try:
                stored = self._store.get(self._file(seen.version + 1))
            except ObjectNotFound:
                return _Seen(seen.version, seen.etag, looks + 1)
            seen = _Seen(seen.version + 1, stored.etag)
        return None

    def _still(self, seen: _Seen) -> bool:
        if seen.etag is None:
            return False
        try:
            return self._store.get_if_changed(self._file(seen.version), seen.etag) is None
        except ObjectNotFound:
            return False

    def _tag_of(self, version: int) -> str | None:
        try:
            return self._store.get(self._file(version)).etag
        except (ObjectNotFound, StorageDenied):
            return None

    def _file(self, version: int) -> str:
        return f"{self._log}/{version:020}.json"
