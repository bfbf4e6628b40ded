"""Whether a new release takes the place of the one that is served, and finishing that where a run was killed."""

from collections.abc import Mapping
from typing import Any

from cripto.domain.clock import Clock
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ReleaseRefused, UnknownRelease, WriteConflict
from cripto.registry import Channel, ReleaseRegistry
from cripto.training.challenge import Challenge

__all__ = ["outlook", "promote", "resume"]

_MEANWHILE = "somebody else promoted another release meanwhile, with which it was not compared"
_UNASKED = "promotion was not asked for"
_UNREADABLE = "the current release could not be read"


def outlook(
    standing: Channel | None, interval: str, asked: bool, challenge: Challenge | None = None
) -> dict[str, Any]:
    """What is known of a release's promotion before it is published, as JSON values: what `resume` reads.

    ``standing`` is the pointer from before the training. ``against`` is the release that it was compared with,
    ``sequence`` the pointer's: whoever moves it changes that, back or forward.
    """
    if challenge is not None:
        reason = challenge.reason
    elif standing is None:
        reason = f"the first {interval} release of this store"
    else:
        reason = _UNREADABLE if asked else _UNASKED
    return {
        "asked": asked,
        "against": None if challenge is None else str(challenge.current),
        "sequence": None if standing is None else standing.sequence,
        "worse": challenge is not None and challenge.worse,
        "reason": reason,
    }


def resume(
    registry: ReleaseRegistry, version: ReleaseVersion, default_interval: str, asked: bool, clock: Clock
) -> str | None:
    """Promote release ``version`` if its run would have, and was killed before; return why, ``None`` if it is not.

    Its manifest tells what that run knew (see `outlook`): that it was to be promoted, and is not worse than a
    release that is still the current one. Nothing is done once the pointer was moved since, so no rollback is
    undone. Raises what `promote` and `ReleaseRegistry.standing` raise.
    """
    manifest = registry.manifest(version)
    told = manifest.training.get("promotion")
    if not isinstance(told, Mapping) or told.get("worse") is not False:
        return None
    standing = registry.standing(manifest.interval, default_interval)
    if standing is not None and (
        not asked
        or told.get("asked") is not True
        or told.get("sequence") != standing.sequence
        or version in (standing.release, *standing.history)
    ):
        return None
    if standing is None and told.get("sequence", 0) is not None:
        return None  # somebody took the pointer away, and knows why
    try:
        against = None if told["against"] is None else ReleaseVersion.parse(str(told["against"]))
    except (KeyError, InvalidInput):
        return None
    challenge = None if against is None else Challenge(against, False, str(told.get("reason")))
    promoted, reason = promote(registry, manifest, default_interval, asked, clock, challenge)
    return reason if promoted else None


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
    is published all the same. A pointer that cannot be moved raises too; `train` looks before it fits anything.
    """
    if registry.promote_first(manifest.release, default_interval, clock) is not None:
        return True, f"the first {manifest.interval} release of this store"
    if not asked:
        return False, _UNASKED
    try:
        # as long as training took, somebody may have promoted
        current = registry.channel(manifest.interval, default_interval)
        if current is not None:
            registry.manifest(current.release)
            if challenge is None or challenge.current != current.release:
                return False, _MEANWHILE
    except (UnknownRelease, ReleaseRefused):
        # a pointer not signed as demanded, or what it points at: neither keeps a good release from its place
        challenge = None
    if challenge is not None and challenge.worse:
        return False, challenge.reason
    why = _UNREADABLE if challenge is None else challenge.reason
    try:
        registry.promote(manifest.release, default_interval, clock)
    except WriteConflict:
        return False, _MEANWHILE
    return True, f"promotion was asked for; {why}"
