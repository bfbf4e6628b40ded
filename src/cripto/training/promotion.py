"""Whether a new release takes the place of the one that is served."""

from cripto.domain.clock import Clock
from cripto.domain.manifest import Manifest
from cripto.errors import ReleaseRefused, UnknownRelease, WriteConflict
from cripto.registry import ReleaseRegistry

__all__ = ["is_worse", "promote"]


def promote(
    registry: ReleaseRegistry, manifest: Manifest, default_interval: str, asked: bool, clock: Clock
) -> tuple[bool, str]:
    """Promote the release if it is the interval's first, or if ``asked`` and it is not worse than the current one.

    Returns whether it was promoted, and why or why not. Raises what `ReleaseRegistry.promote` raises, but no
    `WriteConflict`: the release is published all the same.
    """
    if registry.promote_first(manifest.release, default_interval, clock) is not None:
        return True, f"the first {manifest.interval} release of this store"
    if not asked:
        return False, "promotion was not asked for"
    reason = "promotion was asked for; the current release could not be read"
    try:
        current = registry.channel(manifest.interval, default_interval)
        if current is not None:
            worse, why = is_worse(manifest, registry.manifest(current.release))
            if worse:
                return False, why
            reason = f"promotion was asked for; {why}"
    except (UnknownRelease, ReleaseRefused):
        pass  # the pointer or what it points at: neither keeps a good release from its place
    try:
        registry.promote(manifest.release, default_interval, clock)
    except WriteConflict:
        # Whoever moved the channel meanwhile was not compared with, so the release waits to be promoted by hand.
        return False, "somebody else promoted another release meanwhile"
    return True, reason


def is_worse(new: Manifest, current: Manifest) -> tuple[bool, str]:
    """Whether ``new`` scored below ``current``, with the reason; false where the two cannot be compared.

    They can when both were scored on the same rows: the same assets and the same walk-forward (the same hold-out,
    for releases of earlier versions). Then the mean skill of the five models decides. Skill on different rows
    says more of the rows than of the models.
    """
    if not _same_rows(new, current):
        return False, f"not compared with {current.release}, which was scored on other candles"
    ours, theirs = _mean_skill(new), _mean_skill(current)
    verdict = f"mean skill {ours:.5f} against {theirs:.5f} of {current.release} on the same rows"
    return ours < theirs, verdict


def _same_rows(new: Manifest, current: Manifest) -> bool:
    scored = [
        (
            item.training.get("hold_out", {}).get("test"),
            item.training.get("assets"),
            item.training.get("walk_forward", ()),
        )
        for item in (new, current)
    ]
    return scored[0] == scored[1] and None not in scored[0]


def _mean_skill(manifest: Manifest) -> float:
    skills = [model.metrics.get("skill") for model in manifest.models]
    return sum(skill or 0.0 for skill in skills) / len(skills)
