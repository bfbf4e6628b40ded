"""Releases as they lie in the store: published whole, read by version, each file and signature checked."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cripto.domain.clock import Clock
from cripto.domain.manifest import FileEntry, Manifest, release_folder
from cripto.domain.model_name import parse_model_file
from cripto.domain.release_version import ReleaseVersion, next_version
from cripto.errors import (
    InvalidInput,
    InvalidSettings,
    ObjectNotFound,
    ReleaseRefused,
    UnknownRelease,
    WriteConflict,
)
from cripto.registry.draft import ReleaseDraft
from cripto.registry.signature_file import MANIFEST_PURPOSE, SignatureFile
from cripto.registry.signing import ANYONE, Signature, SigningKey, Trust

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import ObjectStore

__all__ = ["LARGEST_FILE", "LARGEST_MANIFEST", "Finding", "Publications"]

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


class Publications:
    """Releases as such, without the pointers. Every method blocks and may raise what `ObjectStore` says it may.

    A release exists exactly when its manifest does: whatever else lies in its folder without one is the rest
    of a publication that did not finish, and nobody reads it. ``trust`` says whose signatures count, ``signer``
    signs what is written.
    """

    def __init__(self, store: "ObjectStore", *, trust: Trust = ANYONE, signer: SigningKey | None = None) -> None:
        self._store = store
        self._trust = trust
        self._signer = signer

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
        """The manifest of ``version``; raise as `signed_manifest`."""
        return self.signed_manifest(version)[0]

    def signed_manifest(self, version: ReleaseVersion) -> tuple[Manifest, str | None]:
        """The manifest of ``version`` and the id of the trusted key that signed it, ``None`` where none has to.

        Raises `UnknownRelease`, or `ReleaseRefused` if it is malformed or not signed as this registry demands.
        Its signatures are read only where some key is trusted, and checked before anything in it is believed.
        """
        data, signed_by = self._manifest_bytes(version), None
        if self._trust.keys:
            try:
                signed_by = self._trust.check(MANIFEST_PURPOSE, data, self._signatures(version).read())
            except InvalidInput as error:
                raise ReleaseRefused(str(version), str(error)) from error
        return _parsed(version, data), signed_by

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

    def check_signer(self) -> None:
        """Raise `InvalidSettings` if what is written here would be refused here: a signature is required.

        Either there is no key to sign with, or it is none of the trusted ones.
        """
        if not self._trust.required:
            return
        if self._signer is None:
            raise InvalidSettings("signatures are required here, and CRIPTO_SIGNING_KEY gives no key to sign with")
        if self._signer.public not in self._trust.keys:
            raise InvalidSettings(
                f"signatures are required here, and CRIPTO_SIGNING_KEY, {self._signer.public.key_id}, is none of "
                "the keys in CRIPTO_PUBLIC_KEY"
            )

    def publish(self, draft: ReleaseDraft) -> Manifest:
        """Write a release, its signature and then its manifest last, and return the manifest as readers see it.

        Nothing is ever written over. Publishing an equal draft again, after a crash or a success, completes it
        or changes nothing. Raises `InvalidInput` and what `check_signer` does before anything is written, and
        `WriteConflict` if any object of that version exists with other bytes: the version is somebody else's,
        so take `next_version`.
        """
        self.check_signer()
        manifest, objects = draft.seal()
        data = manifest.to_bytes()
        for key, content in objects.items():
            self._create(key, content)
        if self._signer is not None:
            # beside somebody else's manifest a signature of ours would get theirs refused
            self._check_free(manifest.path, data)
            self._signatures(manifest.release).create(self._signer.sign(MANIFEST_PURPOSE, data))
        self._create(manifest.path, data)
        return manifest

    def sign(self, version: ReleaseVersion) -> tuple[Signature, ...]:
        """Add the signature of this registry's key to a published release; all that it carries afterwards.

        The release may be unsigned although signatures are required: that is what this is for. Signing twice
        changes nothing. Raises `InvalidSettings` without a key, `UnknownRelease`, `WriteConflict` if others keep
        writing the signatures, and `ReleaseRefused` if a file is missing or changed, the signatures are
        malformed, or one of them claims a trusted key and is not valid.
        """
        if self._signer is None:
            raise InvalidSettings("CRIPTO_SIGNING_KEY gives no key to sign with")
        data = self._manifest_bytes(version)
        self._check_files(_parsed(version, data))
        signatures = self._signatures(version)
        try:
            self._trust.optional().check(MANIFEST_PURPOSE, data, signatures.read())
            return signatures.add(self._signer.sign(MANIFEST_PURPOSE, data))
        except InvalidInput as error:
            raise ReleaseRefused(str(version), str(error)) from error

    def _proven(self, version: ReleaseVersion) -> Manifest:
        manifest = self.manifest(version)
        self._check_files(manifest)
        return manifest

    def _check_files(self, manifest: Manifest) -> None:
        if findings := self.verify(manifest):
            raise ReleaseRefused(str(manifest.release), "; ".join(map(str, findings)))

    def _manifest_bytes(self, version: ReleaseVersion) -> bytes:
        try:
            data = self._store.get(release_folder(version) + "manifest.json").data
        except ObjectNotFound:
            raise UnknownRelease(str(version)) from None
        if len(data) > LARGEST_MANIFEST:
            raise ReleaseRefused(str(version), f"its manifest is {len(data)} bytes long")
        return data

    def _signatures(self, version: ReleaseVersion) -> SignatureFile:
        return SignatureFile(self._store, release_folder(version) + "manifest.sig")

    def _check_free(self, key: str, data: bytes) -> None:
        try:
            found = self._store.get(key).data
        except ObjectNotFound:
            return
        if found != data:
            raise WriteConflict(key)

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


def _parsed(version: ReleaseVersion, data: bytes) -> Manifest:
    try:
        manifest = Manifest.from_bytes(data)
    except (InvalidInput, ArithmeticError) as error:
        raise ReleaseRefused(str(version), str(error)) from error
    if manifest.release != version:
        raise ReleaseRefused(str(version), f"its manifest is that of {manifest.release}")
    return manifest


def _version(text: str) -> ReleaseVersion | None:
    try:
        return ReleaseVersion.parse(text)
    except InvalidInput:
        return None
