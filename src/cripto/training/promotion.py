"""Whether a new release takes the place of the one that is served."""

from cripto.domain.clock import Clock
from cripto.domain.manifest import Manifest
from cripto.errors import ReleaseRefused, UnknownRelease, WriteConflict
from cripto.registry import ReleaseRegistry
from cripto.training.challenge import Challenge

__all__ = ["promote"]

_MEANWHILE = "somebody else promoted another release meanwhile, with which it was not compared"


def promote(
    registry: ReleaseRegistry,
    manifest: Manifest,
    default_interval: str,
    asked: bool,
    clock: Clock,
    challenge: Challenge | None = None,
) -> tuple[bool, str]:
    """Promote the release if it is the interval's first, or if ``asked`` and the ``challenge`` found it not worse.

    Without a challenge there was no release to compare with, or none that could be read. Returns whether it was
    promoted, and why or why not. Raises what `ReleaseRegistry.promote` raises, but no `WriteConflict`: the release
    is published all the same.
    """
    if registry.promote_first(manifest.release, default_interval, clock) is not None:
        return True, f"the first {manifest.interval} release of this store"
    if not asked:
        return False, "promotion was not asked for"
    try:
        # as long as training took, somebody may have promoted
        current = registry.channel(manifest.interval, default_interval)
        if current is not None:
            registry.manifest(current.release)
            if challenge is None or challenge.current != current.release:
                return False, _MEANWHILE
    except (UnknownRelease, ReleaseRefused):
        # the pointer or what it points at: neither keeps a good release from its place
        challenge = None
    if challenge is not None and challenge.worse:
        return False, challenge.reason
    why = "the current release could not be read" if challenge is None else challenge.reason
    try:
        registry.promote(manifest.release, default_interval, clock)
    except WriteConflict:
        return False, _MEANWHILE
    return True, f"promotion was asked for; {why}"
