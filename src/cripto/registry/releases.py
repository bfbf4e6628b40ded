"""The registry: which releases exist, what they hold, and which one is served. The store is the only truth."""

from typing import TYPE_CHECKING

from cripto.domain.clock import Clock
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import (
    InvalidInput,
    InvalidSettings,
    NoRelease,
    ObjectNotFound,
    ReleaseRefused,
    UnknownRelease,
    WriteConflict,
)
from cripto.registry.channel import Channel, channel_key
from cripto.registry.publications import LARGEST_FILE, LARGEST_MANIFEST, Finding, Publications
from cripto.registry.signing import Trust

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import StoredObject

__all__ = ["LARGEST_FILE", "LARGEST_MANIFEST", "Finding", "ReleaseRegistry"]


class ReleaseRegistry(Publications):
    """Releases of one store, and the pointers that say which are served. Every method blocks.

    Readers believe a pointer as they believe a manifest: as ``trust`` says. Who moves one must also move what
    cannot be believed (unsigned as yet, or planted), so moving takes over sequence and history unverified; what
    it points at is always proven.
    """

    def channel(self, interval: str, default_interval: str) -> Channel | None:
        """The pointer of ``interval``, or ``None`` if there is none.

        Raises `ReleaseRefused` if it is malformed, signed for another interval, or not signed as demanded.
        """
        return self._pointer(interval, default_interval, self._trust)

    def channel_since(self, interval: str, default_interval: str, known: Channel | None) -> Channel | None:
        """As `channel`, but ``known`` itself, for one conditional request, while the pointer is still that one."""
        if known is None or not known.etag:
            return self.channel(interval, default_interval)
        return self._pointer(interval, default_interval, self._trust, known)

    def standing(self, interval: str, default_interval: str) -> Channel | None:
        """The pointer of ``interval`` as who moves it finds it, whoever signed it; ``None`` if there is none.

        Raises `ReleaseRefused`, with what to do, if it is malformed or of a schema that is not known here.
        """
        try:
            return self._pointer(interval, default_interval)
        except ReleaseRefused as error:
            raise ReleaseRefused(
                error.release,
                f"{error.reason}; so it cannot be moved: delete it and promote (`cripto models promote VERSAO`),"
                " unless a newer version of this program wrote it",
            ) from error

    def movable(self, interval: str, default_interval: str) -> Channel | None:
        """The pointer as `standing` gives it, if `promote` could move it, whatever the release.

        Raises `InvalidSettings` if the next move would have to be signed and cannot be, `InvalidInput` if the
        pointer is at the end of all sequences, and what `standing` raises.
        """
        self.check_signer()
        current = self.standing(interval, default_interval)
        if current is not None:
            self._check_signable(channel_key(interval, default_interval), current)
            current.moved_to(current.release, current.promoted_at)
        return current

    def promote_first(self, version: ReleaseVersion, default_interval: str, clock: Clock) -> Channel | None:
        """Point the channel of the release's interval at it if there is none yet; else ``None``, nothing moved.

        The first release needs its proofs like any other. Raises what `promote` raises, but no `WriteConflict`:
        whoever came first has promoted.
        """
        self.check_signer()
        if self.standing(self.manifest(version).interval, default_interval) is not None:
            return None
        try:
            return self._open(self._promotable(version), default_interval, clock)
        except WriteConflict:
            return None

    def promote(self, version: ReleaseVersion, default_interval: str, clock: Clock) -> Channel:
        """Point the channel of the release's interval at it; the pointer as it is afterwards.

        Promoting what is promoted writes nothing, but for a pointer that lacks the signature of this registry's
        key: that is written anew. Either asks for no proofs, since nothing else is served then. Raises
        `UnknownRelease`, `ReleaseRefused` if any file of the release is missing or changed or it lacks the proofs
        of its files (see `Manifest.unproven`), `InvalidSettings` if the pointer would have to be signed and cannot
        be, and `WriteConflict` if somebody else moved the channel meanwhile.
        """
        self.check_signer()
        manifest = self._proven(version)
        current = self.standing(manifest.interval, default_interval)
        if current is None or current.release != version:
            _check_proofs(manifest)
        if current is None:
            return self._open(manifest, default_interval, clock)
        if current.release == version and self._is_ours(current, manifest.interval):
            return current
        return self._write(manifest.interval, default_interval, current.moved_to(version, clock.now()), current)

    def rollback(self, interval: str, default_interval: str, clock: Clock) -> Channel:
        """Point the channel at the release promoted before the current one; again, and it goes one further.

        It was promoted once, by the rules of its time: no proofs are asked for. Raises `NoRelease` without a
        channel, `InvalidInput` if nothing was promoted before, `ReleaseRefused` if the earlier release is not
        whole any more, not signed as demanded or of another interval, and `InvalidSettings` and `WriteConflict` as
        `promote`.
        """
        self.check_signer()
        current = self.standing(interval, default_interval)
        if current is None:
            raise NoRelease(f"no release of interval {interval} is promoted", interval=interval)
        target = current.moved_back(clock.now())
        try:
            found = self._proven(target.release).interval
        except UnknownRelease:
            raise ReleaseRefused(str(target.release), "it was promoted before and is no longer there") from None
        if found != interval:
            raise ReleaseRefused(str(target.release), f"it is of interval {found}, not {interval}")
        return self._write(interval, default_interval, target, current)

    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
        """The release of ``interval`` to serve: the pinned, else the promoted, else the newest one.

        Only "not found" means that there is no pointer. Raises `NoRelease` if there is nothing to serve,
        `InvalidInput` if the pin is no version, and `ReleaseRefused` if the pinned or promoted release is
        missing, malformed or of another interval.
        """
        if pin is not None:
            return self.checked(ReleaseVersion.parse(pin), interval, "pinned")
        channel = self.channel(interval, default_interval)
        if channel is not None:
            return self.checked(channel.release, interval, "promoted")
        refused = None
        for version in reversed(self.versions()):
            try:
                if self.manifest(version).interval == interval:
                    return version
            except ReleaseRefused as error:
                refused = refused or error
        raise refused or NoRelease(f"there is no release of interval {interval}", interval=interval)

    def checked(self, version: ReleaseVersion, interval: str, how: str) -> ReleaseVersion:
        """``version``, if it is there and of ``interval``; ``how`` it was named. Raises `ReleaseRefused`."""
        try:
            found = self.manifest(version).interval
        except UnknownRelease:
            raise ReleaseRefused(str(version), f"it is {how}, and not in the store") from None
        if found != interval:
            raise ReleaseRefused(str(version), f"it is {how}, and of interval {found}, not {interval}")
        return version

    def _pointer(
        self, interval: str, default_interval: str, trust: Trust | None = None, known: Channel | None = None
    ) -> Channel | None:
        """The pointer as ``trust`` reads it; without one as it lies there, whoever signed it for whatever."""
        key = channel_key(interval, default_interval)
        try:
            stored = self._store.get(key) if known is None else self._store.get_if_changed(key, known.etag)
        except ObjectNotFound:
            return None
        if stored is None:
            return known
        data = stored.data[:LARGEST_MANIFEST]
        try:
            if trust is None:
                return Channel.from_bytes(data, stored.etag)
            return Channel.from_bytes(data, stored.etag, interval=interval, trust=trust)
        except InvalidInput as error:
            raise ReleaseRefused(key, str(error)) from error

    def _promotable(self, version: ReleaseVersion) -> Manifest:
        manifest = self._proven(version)
        _check_proofs(manifest)
        return manifest

    def _is_ours(self, channel: Channel, interval: str) -> bool:
        """Whether the key that signs here has signed ``channel``, or none does."""
        if self._signer is None:
            return True
        return channel.signed(interval, self._signer).signatures[0] in channel.signatures

    def _open(self, manifest: Manifest, default_interval: str, clock: Clock) -> Channel:
        now = clock.now()
        # Readers remember how far a signed pointer had got: one that was deleted must begin beyond that.
        first = 1 if self._signer is None else max(1, int(now.timestamp()))
        return self._write(manifest.interval, default_interval, Channel(manifest.release, first, now), None)

    def _write(self, interval: str, default_interval: str, target: Channel, current: Channel | None) -> Channel:
        """Put ``target`` in the place of ``current``, signed if there is a key, and return it as it is read."""
        key = channel_key(interval, default_interval)
        if current is not None:
            self._check_signable(key, current)
        if self._signer is not None:
            target = target.signed(interval, self._signer)
        data = target.to_bytes()
        try:
            if current is None:
                etag = self._store.create(key, data)
            else:
                etag = self._store.replace(key, data, current.etag)
        except WriteConflict:
            # ours, from a request that the client repeated after its answer was lost?
            stored = self._at(key)
            if stored is None or stored.data != data:
                raise
            etag = stored.etag
        return Channel.from_bytes(data, etag, interval=interval, trust=self._trust.optional())

    def _check_signable(self, key: str, current: Channel) -> None:
        if self._signer is None and current.signatures:
            # whoever signed it may have readers who demand that
            raise InvalidSettings(
                f"{key} is signed, and CRIPTO_SIGNING_KEY gives no key to sign its next move with"
            )

    def _at(self, key: str) -> "StoredObject | None":
        try:
            return self._store.get(key)
        except ObjectNotFound:
            return None


def _check_proofs(manifest: Manifest) -> None:
    """Raise `ReleaseRefused` for a release that cannot be promoted."""
    wanting = manifest.unproven()
    if wanting is not None:
        raise ReleaseRefused(
            str(manifest.release),
            f"{wanting}, so it cannot be promoted (releases of earlier versions have none): train anew"
            " (`cripto train --promote`)",
        )
