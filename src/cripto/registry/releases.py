"""The registry: which releases exist, what they hold, and which one is served. The store is the only truth."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cripto.domain.clock import Clock
from cripto.domain.manifest import FileEntry, Manifest, release_folder
from cripto.domain.model_name import parse_model_file
from cripto.domain.release_version import ReleaseVersion, next_version
from cripto.errors import (
    InvalidInput,
    NoRelease,
    ObjectNotFound,
    ReleaseRefused,
    UnknownRelease,
    WriteConflict,
)
from cripto.registry.channel import Channel, channel_key
from cripto.registry.draft import ReleaseDraft

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import ObjectStore

__all__ = ["LARGEST_FILE", "LARGEST_MANIFEST", "Finding", "ReleaseRegistry"]

LARGEST_FILE = 1 << 30
"""No file of a release is larger than this, whatever its manifest says (bytes)."""
LARGEST_MANIFEST = 1 << 22
"""No manifest, and no channel, is larger than this (bytes)."""

_RELEASES = "models/releases/"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one file of a release."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


class ReleaseRegistry:
    """Releases of one store. Every method blocks, and any may raise what `ObjectStore` says it may.

    A release exists exactly when its manifest does: whatever else lies in its folder without one is the rest
    of a publication that did not finish, and nobody reads it.
    """

    def __init__(self, store: "ObjectStore") -> None:
        self._store = store

    def versions(self) -> list[ReleaseVersion]:
        """Every release that has a manifest, oldest first."""
        found = []
        for info in self._store.list(_RELEASES):
            folder, _, name = info.key.removeprefix(_RELEASES).partition("/")
            version = _version(folder)
            if version is not None and name == "manifest.json":
                found.append(version)
        return sorted(found)

    def next_version(self, clock: Clock) -> ReleaseVersion:
        """The version a release made now would take.

        Versions that a finished, a failed or a bare publication has left any object of are taken. Two
        publishers may be told the same one: the first to write it keeps it, and `publish` tells the other.
        """
        taken = set()
        for info in self._store.list("models/"):
            if info.key.startswith(_RELEASES):
                taken.add(info.key.removeprefix(_RELEASES).partition("/")[0])
            elif (file := parse_model_file(info.key)) is not None:
                taken.add(str(file.version))
        return next_version(clock.now(), taken)

    def manifest(self, version: ReleaseVersion) -> Manifest:
        """The manifest of ``version``; raise `UnknownRelease`, or `ReleaseRefused` if it is malformed."""
        try:
            data = self._store.get(release_folder(version) + "manifest.json").data
        except ObjectNotFound:
            raise UnknownRelease(str(version)) from None
        if len(data) > LARGEST_MANIFEST:
            raise ReleaseRefused(str(version), f"its manifest is {len(data)} bytes long")
        try:
            manifest = Manifest.from_bytes(data)
        except (InvalidInput, ArithmeticError) as error:
            raise ReleaseRefused(str(version), str(error)) from error
        if manifest.release != version:
            raise ReleaseRefused(str(version), f"its manifest is that of {manifest.release}")
        return manifest

    def read(self, manifest: Manifest, entry: FileEntry) -> bytes:
        """The bytes of a file that ``manifest`` lists, of that very size and digest.

        Raises `ReleaseRefused` if the file is missing, changed or not one of the release's.
        """
        if entry not in manifest.every_file:
            raise ReleaseRefused(str(manifest.release), f"{entry.path} is not in its manifest")
        data, problem = self._check(entry)
        if problem is not None:
            raise ReleaseRefused(str(manifest.release), f"{entry.path} {problem}")
        return data

    def verify(self, manifest: Manifest) -> list[Finding]:
        """Read every file of a release and say what is wrong; an empty list if nothing is."""
        checked = ((entry, self._check(entry)[1]) for entry in manifest.every_file)
        return [Finding(entry.path, problem) for entry, problem in checked if problem is not None]

    def publish(self, draft: ReleaseDraft) -> Manifest:
        """Write a release, its manifest last, and return the manifest as readers see it.

        Nothing is ever written over. Publishing an equal draft again, after a crash or a success, completes it
        or changes nothing. Raises `InvalidInput` before anything is written, and `WriteConflict` if any object
        of that version exists with other bytes: the version is somebody else's, so take `next_version`.
        """
        manifest, objects = draft.seal()
        for key, data in objects.items():
            self._create(key, data)
        self._create(manifest.path, manifest.to_bytes())
        return manifest

    def channel(self, interval: str, default_interval: str) -> Channel | None:
        """The pointer of ``interval``, or ``None`` if there is none; raise `ReleaseRefused` if it is malformed."""
        key = channel_key(interval, default_interval)
        try:
            stored = self._store.get(key)
        except ObjectNotFound:
            return None
        try:
            return Channel.from_bytes(stored.data[:LARGEST_MANIFEST], stored.etag)
        except InvalidInput as error:
            raise ReleaseRefused(key, str(error)) from error

    def promote_first(self, version: ReleaseVersion, default_interval: str, clock: Clock) -> Channel | None:
        """Point the channel of the release's interval at it if there is none yet; else ``None``, nothing moved.

        Raises what `promote` raises, but no `WriteConflict`: whoever came first has promoted.
        """
        if self.channel(self.manifest(version).interval, default_interval) is not None:
            return None
        try:
            return self._open(self._proven(version), default_interval, clock)
        except WriteConflict:
            return None

    def promote(self, version: ReleaseVersion, default_interval: str, clock: Clock) -> Channel:
        """Point the channel of the release's interval at it; the pointer as it is afterwards.

        Promoting what is promoted writes nothing. Raises `UnknownRelease`, `ReleaseRefused` if any file of the
        release is missing or changed, and `WriteConflict` if somebody else moved the channel meanwhile.
        """
        manifest = self._proven(version)
        current = self.channel(manifest.interval, default_interval)
        if current is None:
            return self._open(manifest, default_interval, clock)
        if current.release == version:
            return current
        return self._move(manifest.interval, default_interval, current, current.moved_to(version, clock.now()))

    def rollback(self, interval: str, default_interval: str, clock: Clock) -> Channel:
        """Point the channel at the release promoted before the current one; again, and it goes one further.

        Raises `NoRelease` without a channel, `InvalidInput` if nothing was promoted before, `ReleaseRefused`
        if the earlier release is not whole any more, and `WriteConflict` as `promote`.
        """
        current = self.channel(interval, default_interval)
        if current is None:
            raise NoRelease(f"no release of interval {interval} is promoted")
        target = current.moved_back(clock.now())
        try:
            self._proven(target.release)
        except UnknownRelease:
            raise ReleaseRefused(str(target.release), "it was promoted before and is no longer there") from None
        return self._move(interval, default_interval, current, target)

    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
        """The release of ``interval`` to serve: the pinned, else the promoted, else the newest one.

        Only "not found" means that there is no pointer. Raises `NoRelease` if there is nothing to serve,
        `InvalidInput` if the pin is no version, and `ReleaseRefused` if the pinned or promoted release is
        missing, malformed or of another interval.
        """
        if pin is not None:
            return self._named(ReleaseVersion.parse(pin), interval, "pinned")
        channel = self.channel(interval, default_interval)
        if channel is not None:
            return self._named(channel.release, interval, "promoted")
        refused = None
        for version in reversed(self.versions()):
            try:
                if self.manifest(version).interval == interval:
                    return version
            except ReleaseRefused as error:
                refused = refused or error
        raise refused or NoRelease(f"there is no release of interval {interval}")

    def _named(self, version: ReleaseVersion, interval: str, how: str) -> ReleaseVersion:
        try:
            found = self.manifest(version).interval
        except UnknownRelease:
            raise ReleaseRefused(str(version), f"it is {how}, and not in the store") from None
        if found != interval:
            raise ReleaseRefused(str(version), f"it is {how}, and of interval {found}, not {interval}")
        return version

    def _proven(self, version: ReleaseVersion) -> Manifest:
        manifest = self.manifest(version)
        if findings := self.verify(manifest):
            raise ReleaseRefused(str(version), "; ".join(map(str, findings)))
        return manifest

    def _check(self, entry: FileEntry) -> tuple[bytes, str | None]:
        """The file's bytes, and what is wrong with it."""
        if entry.size > LARGEST_FILE:
            return b"", f"is said to be {entry.size} bytes long"
        try:
            data = self._store.get(entry.path).data
        except ObjectNotFound:
            return b"", "is missing"
        if len(data) != entry.size:
            return b"", f"is {len(data)} bytes long, not {entry.size}"
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            return b"", "does not have the SHA-256 of the manifest"
        return data, None

    def _create(self, key: str, data: bytes) -> None:
        try:
            self._store.create(key, data)
        except WriteConflict:
            # Ours from an earlier try, or from a request that the client repeated after it had succeeded.
            if self._store.get(key).data != data:
                raise

    def _open(self, manifest: Manifest, default_interval: str, clock: Clock) -> Channel:
        first = Channel(manifest.release, 1, clock.now())
        data = first.to_bytes()
        etag = self._store.create(channel_key(manifest.interval, default_interval), data)
        return Channel.from_bytes(data, etag)

    def _move(self, interval: str, default_interval: str, current: Channel, target: Channel) -> Channel:
        data = target.to_bytes()
        etag = self._store.replace(channel_key(interval, default_interval), data, current.etag)
        return Channel.from_bytes(data, etag)


def _version(text: str) -> ReleaseVersion | None:
    try:
        return ReleaseVersion.parse(text)
    except InvalidInput:
        return None
