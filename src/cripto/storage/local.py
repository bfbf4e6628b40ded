"""A store in a folder: the embedded default, with the same layout as a bucket.

Plain calls of the operating system rather than obstore's folder store: that one knows create-only but neither
If-Match nor a durable write (it does not fsync), follows symbolic links, and its tags are not of the content.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cripto.errors import InvalidInput, ObjectNotFound, StorageDenied, StorageUnavailable, WriteConflict
from cripto.storage._keys import check_key, check_prefix, is_key
from cripto.storage._links import path_of
from cripto.storage.store import ObjectInfo, StoredObject

__all__ = ["LocalStore"]

# Hidden, hence never a key and never listed, whatever kills the writer.
_TEMPORARY = ".tmp-"
_LOCK = ".lock"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_MISPLACED = (NotADirectoryError, IsADirectoryError)


class LocalStore:
    """Objects as files below ``folder``, made on the first write. Safe to share between threads and processes.

    Entity tags are the SHA-256 of the content. Writers queue for one lock file; readers never wait. Unlike a
    bucket, a folder cannot hold both ``a`` and ``a/b``: such a write raises `InvalidInput`.
    """

    def __init__(self, folder: Path, *, lock_seconds: float = 30.0) -> None:
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100 (resolve() would follow links)
        self._lock_seconds = lock_seconds
        self._tags: dict[tuple[str, int, int, int], str] = {}

    @property
    def url(self) -> str:
        """``file:///folder``."""
        return self._folder.as_uri()

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        check_key(key)
        with _translated(key):
            try:
                data = path_of(self._folder, key).read_bytes()
            except (FileNotFoundError, *_MISPLACED):
                raise ObjectNotFound(key) from None
        return StoredObject(data, hashlib.sha256(data).hexdigest())

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        stored = self.get(key)
        return None if stored.etag == etag else stored

    def create(self, key: str, data: bytes) -> str:
        """See `ObjectStore.create`."""
        check_key(key)
        with self._staged(key, data) as (temporary, path), self._locked():
            try:
                # A link, unlike a rename, never replaces: right even where the lock is not (network disks).
                os.link(temporary, path)
            except FileExistsError:
                raise WriteConflict(key) from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if path.exists():
                    raise WriteConflict(key) from None
                temporary.replace(path)
            _sync_folder(path.parent)
        return hashlib.sha256(data).hexdigest()

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """See `ObjectStore.replace`."""
        check_key(key)
        try:
            self.get(key)  # nothing is staged, and no folder made, for an object that is not there
        except ObjectNotFound:
            raise WriteConflict(key) from None
        with self._staged(key, data) as (temporary, path), self._locked():
            try:
                current = hashlib.sha256(path.read_bytes()).hexdigest()
            except FileNotFoundError:
                raise WriteConflict(key) from None
            if current != etag:
                raise WriteConflict(key)
            temporary.replace(path)
            _sync_folder(path.parent)
        return hashlib.sha256(data).hexdigest()

    def put(self, key: str, data: bytes) -> str:
        """See `ObjectStore.put`."""
        check_key(key)
        with self._staged(key, data) as (temporary, path), self._locked():
            temporary.replace(path)
            _sync_folder(path.parent)
        return hashlib.sha256(data).hexdigest()

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        check_key(key)
        with _translated(key):
            path = path_of(self._folder, key)
            if not path.is_file():
                return
            with self._locked(), suppress(FileNotFoundError):
                path.unlink()
                _sync_folder(path.parent)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`. Symbolic links, hidden files and names that are no keys are passed over."""
        check_prefix(prefix)
        folder = path_of(self._folder, prefix[:-1]) if prefix else self._folder
        yield from self._walk(folder, prefix)

    def _walk(self, folder: Path, prefix: str) -> Iterator[ObjectInfo]:
        with _translated(prefix):
            try:
                with os.scandir(folder) as found:
                    # With its slash a folder sorts as a bucket sorts its keys.
                    entries = sorted((e.name + "/" * e.is_dir(follow_symlinks=False), e) for e in found)
            except (FileNotFoundError, *_MISPLACED):
                return
        for name, entry in entries:
            if entry.is_symlink() or not is_key(prefix + name.rstrip("/")):
                continue
            if name.endswith("/"):
                yield from self._walk(Path(entry.path), prefix + name)
            elif (info := self._info(Path(entry.path), prefix + name)) is not None:
                yield info

    def _info(self, path: Path, key: str) -> ObjectInfo | None:
        with _translated(key):
            try:
                with path.open("rb") as file:
                    stat = os.fstat(file.fileno())
                    # Every write makes a new inode, so an unchanged file need not be read again to be listed.
                    identity = (key, stat.st_ino, stat.st_size, stat.st_mtime_ns)
                    tag = self._tags.get(identity) or hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                return None
        self._tags[identity] = tag
        return ObjectInfo(key, stat.st_size, tag, datetime.fromtimestamp(stat.st_mtime, UTC))

    @contextmanager
    def _staged(self, key: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """A durable temporary file beside the object's path, gone afterwards."""
        with _translated(key):
            path = path_of(self._folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError
            temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                yield temporary, path
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # only writers need it, and it takes its time to import
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._folder / _LOCK, timeout=self._lock_seconds):
                yield
        except Timeout:
            raise StorageUnavailable(f"{self._folder} is locked by another writer") from None


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Raise this project's errors for those of the operating system."""
    try:
        yield
    except (*_MISPLACED, FileExistsError):
        raise InvalidInput(f"{key!r} is a folder, or lies under an object, of this store") from None
    except PermissionError as error:
        raise StorageDenied(f"{error.filename or key}: permission denied") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InvalidInput(f"{key!r} has a part too long for a file name") from None
        raise StorageUnavailable(f"{key}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename or link durable. A file system that cannot sync folders has done what it can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
