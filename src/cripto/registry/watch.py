"""The reader's side of a registry: which release is served, asked again and again for as little as it takes."""

import logging
from typing import TYPE_CHECKING

from cripto.domain.manifest import FileEntry, Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import CriptoError, ReleaseRefused
from cripto.registry.channel import Channel, channel_key
from cripto.registry.releases import ReleaseRegistry
from cripto.registry.signing import ANYONE, Trust

if TYPE_CHECKING:  # the conversion child imports this package, and needs no object-store client
    from cripto.storage import ObjectStore

__all__ = ["Watch"]

_LOG = logging.getLogger(__name__)


class Watch:
    """Follows one interval's pointer: one conditional request a look while it stays. ``trust`` is the registry's.

    Remembers the last signed pointer it believed, also in ``local`` where there is one, so that an older one put
    back is refused: an old release returns only by moving the channel on. Pointers that nobody signed prove
    nothing and are not remembered.
    """

    def __init__(
        self, registry: ReleaseRegistry, *, trust: Trust = ANYONE, local: "ObjectStore | None" = None
    ) -> None:
        self._registry = registry
        self._trust = trust
        self._local = local
        self._copies = None if local is None else ReleaseRegistry(local, trust=trust)
        self._known: Channel | None = None
        self._served: ReleaseVersion | None = None
        self._last: Channel | None = None
        self._recalled = False

    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
        """See `ReleaseRegistry.resolve`; a pinned release never changes, so it is looked up once.

        Raises `ReleaseRefused` also for a pointer that is older than one already believed, or that is gone where
        a signature is demanded.
        """
        if pin is not None:
            if self._served is None:
                self._served = self._registry.resolve(interval, default_interval, pin)
            return self._served
        channel = self._registry.channel_since(interval, default_interval, self._known)
        if channel is not None and channel is self._known and self._served is not None:
            return self._served
        key = channel_key(interval, default_interval)
        last = self._remembered(interval, default_interval)
        if channel is None:
            if last is not None and self._trust.required:
                raise ReleaseRefused(key, f"the signed pointer is gone; it was at move {last.sequence}")
            return self._registry.resolve(interval, default_interval)
        if last is not None and _is_older(channel, last):
            raise ReleaseRefused(
                key, f"it is at move {channel.sequence} to {channel.release}, and was at {last.sequence} already"
            )
        version = self._registry.checked(channel.release, interval, "promoted")
        self._known, self._served = channel, version
        self._remember(channel, key)
        return version

    def manifest(self, version: ReleaseVersion) -> Manifest:
        """See `ReleaseRegistry.manifest`."""
        return self._registry.manifest(version)

    def read(self, manifest: Manifest, entry: FileEntry) -> bytes:
        """See `ReleaseRegistry.read`."""
        return self._registry.read(manifest, entry)

    def _remembered(self, interval: str, default_interval: str) -> Channel | None:
        if self._copies is not None and not self._recalled:
            try:
                self._last = self._copies.channel(interval, default_interval)
            except CriptoError as error:
                _LOG.warning("the pointer on disk cannot be used: %s", error)
            self._recalled = True
        return self._last

    def _remember(self, channel: Channel, key: str) -> None:
        if channel.signed_by is None:
            return
        self._last = channel
        if self._local is not None:
            try:
                self._local.put(key, channel.to_bytes())
            except CriptoError as error:
                _LOG.warning("the pointer could not be copied to disk: %s", error)


def _is_older(channel: Channel, last: Channel) -> bool:
    if channel.sequence == last.sequence:
        return channel.release != last.release
    return channel.sequence < last.sequence
