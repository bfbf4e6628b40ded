"""Releases read through a copy on local disk, laid out as in the store they come from."""

from typing import TYPE_CHECKING, Protocol

from cripto.domain.manifest import FileEntry, Manifest, release_folder
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import CriptoError, ObjectNotFound
from cripto.registry.draft import file_entry

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import ObjectStore

__all__ = ["Mirror"]

_RELEASES = "models/releases/"
# the manifest last, as always: it is what makes the rest a release
_KEPT_AS_THEY_ARE = ("manifest.sig", "manifest.json")


class _Releases(Protocol):
    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion: ...
    def manifest(self, version: ReleaseVersion) -> Manifest: ...
    def read(self, manifest: Manifest, entry: FileEntry) -> bytes: ...


class Mirror:
    """Files that were read once are not fetched again, and one whole release is kept to start from.

    ``releases`` says what exists and is always asked; ``source`` is the store it looks at and ``local`` the one
    copies lie in. A local store that fails never fails a read: `keep` tells of it.
    """

    def __init__(self, releases: _Releases, source: "ObjectStore", local: "ObjectStore") -> None:
        self._releases = releases
        self._source = source
        self._local = local
        self._uncopied: dict[str, tuple[Manifest, FileEntry]] = {}

    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
        """See `ReleaseRegistry.resolve`."""
        return self._releases.resolve(interval, default_interval, pin)

    def manifest(self, version: ReleaseVersion) -> Manifest:
        """See `ReleaseRegistry.manifest`."""
        return self._releases.manifest(version)

    def read(self, manifest: Manifest, entry: FileEntry) -> bytes:
        """See `ReleaseRegistry.read`; a copy is held to the same size and digest."""
        if entry in manifest.every_file:
            copy = self._copy(entry)
            if copy is not None:
                return copy
        data = self._releases.read(manifest, entry)
        try:
            self._local.put(entry.path, data)
        except CriptoError:
            self._uncopied[entry.path] = manifest, entry
        else:
            self._uncopied.pop(entry.path, None)
        return data

    def keep(self, version: ReleaseVersion) -> None:
        """Make the copy of a release that was read whole, so that a registry on the local store finds it alone.

        Raises what either store raises; then whatever was kept before may be gone.
        """
        for manifest, entry in list(self._uncopied.values()):
            if manifest.release == version:
                self._local.put(entry.path, self._releases.read(manifest, entry))
        self._uncopied.clear()
        folder = release_folder(version)
        for name in _KEPT_AS_THEY_ARE:
            try:
                self._local.put(folder + name, self._source.get(folder + name).data)
            except ObjectNotFound:
                self._local.delete(folder + name)
        for info in list(self._local.list(_RELEASES)):
            if not info.key.startswith(folder):
                self._local.delete(info.key)

    def _copy(self, entry: FileEntry) -> bytes | None:
        try:
            data = self._local.get(entry.path).data
        except CriptoError:
            return None
        return data if file_entry(entry.path, data) == entry else None
