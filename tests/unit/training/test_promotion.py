from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ReleaseRefused
from cripto.registry import ReleaseRegistry, Trust
from cripto.storage import MemoryStore
from cripto.training.challenge import Challenge
from cripto.training.promotion import outlook, promote, resume
from tests.doubles.keys import OURS
from tests.doubles.releases import fake_draft
from tests.doubles.stores import WatchedStore
from tests.unit.training.toys import NOW

CLOCK = FixedClock(NOW)
FIRST = ReleaseVersion.parse("20260101-0000")
BETTER = Challenge(FIRST, False, "not worse than 20260101-0000 on 9 rows")
WORSE = Challenge(FIRST, True, "worse than 20260101-0000 on 9 rows")


def publish(registry: ReleaseRegistry, version: str, **changed: Any) -> Manifest:
    return registry.publish(replace(fake_draft(version), **changed))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> ReleaseRegistry:
    """A store whose release 20260101-0000 is promoted."""
    registry = ReleaseRegistry(store)
    assert promote(registry, publish(registry, str(FIRST)), "1d", False, CLOCK)[0]
    return registry


def served(registry: ReleaseRegistry) -> str:
    return str(registry.resolve("1d", "1d"))


def test_release_that_is_not_worse_is_promoted_when_asked(registry: ReleaseRegistry) -> None:
    promoted, reason = promote(registry, publish(registry, "20260102-0000"), "1d", True, CLOCK, BETTER)
    assert promoted
    assert reason == f"promotion was asked for; {BETTER.reason}"
    assert served(registry) == "20260102-0000"


def test_worse_release_is_published_not_promoted_and_the_reason_said(registry: ReleaseRegistry) -> None:
    manifest = publish(registry, "20260102-0000")
    assert promote(registry, manifest, "1d", True, CLOCK, WORSE) == (False, WORSE.reason)
    assert served(registry) == str(FIRST)
    assert manifest.release in registry.versions()


def test_better_release_waits_for_being_asked(registry: ReleaseRegistry) -> None:
    assert promote(registry, publish(registry, "20260102-0000"), "1d", False, CLOCK, BETTER) == (
        False,
        "promotion was not asked for",
    )


def test_first_release_without_proofs_is_refused_too() -> None:
    registry = ReleaseRegistry(MemoryStore())
    manifest = publish(registry, str(FIRST), proofs=None)
    with pytest.raises(ReleaseRefused, match="carries no proofs"):
        promote(registry, manifest, "1d", True, CLOCK)


def test_current_release_that_is_gone_is_replaced(store: MemoryStore, registry: ReleaseRegistry) -> None:
    store.delete("models/releases/20260101-0000/manifest.json")
    later = FixedClock(NOW + timedelta(days=1))
    promoted, reason = promote(registry, publish(registry, "20260102-0000"), "1d", True, later)
    assert promoted
    assert "could not be read" in reason


@pytest.mark.parametrize("asked", [True, False])
def test_pointer_that_nobody_signed_is_replaced_when_asked_and_kills_no_training(asked: bool) -> None:
    store = MemoryStore()
    plain = ReleaseRegistry(store)
    promote(plain, publish(plain, "20260101-0000"), "1d", False, CLOCK)
    strict = ReleaseRegistry(store, trust=Trust((OURS.public,), required=True), signer=OURS)
    promoted, reason = promote(strict, publish(strict, "20260102-0000"), "1d", asked, CLOCK)
    assert promoted is asked
    assert ("could not be read" in reason) is asked
    assert served(strict if asked else plain) == ("20260102-0000" if asked else "20260101-0000")


@pytest.mark.parametrize("challenge", [None, BETTER, WORSE])
def test_release_waits_when_another_one_was_promoted_while_it_was_trained(
    registry: ReleaseRegistry, challenge: Challenge | None
) -> None:
    registry.promote(publish(registry, "20260101-1200").release, "1d", CLOCK)
    promoted, reason = promote(registry, publish(registry, "20260102-0000"), "1d", True, CLOCK, challenge)
    assert not promoted
    assert "meanwhile" in reason
    assert served(registry) == "20260101-1200"


def test_release_waits_when_somebody_else_moves_the_channel_meanwhile() -> None:
    store = MemoryStore()
    plain = ReleaseRegistry(store)
    promote(plain, publish(plain, "20260101-0000"), "1d", False, CLOCK)
    rival = publish(plain, "20260101-1200")
    ours = publish(plain, "20260102-0000")

    def first(method: str, key: str) -> None:
        if method == "replace" and served(plain) == "20260101-0000":
            plain.promote(rival.release, "1d", CLOCK)

    promoted, reason = promote(ReleaseRegistry(WatchedStore(store, first)), ours, "1d", True, CLOCK, BETTER)
    assert not promoted
    assert "meanwhile" in reason
    assert served(plain) == "20260101-1200"


# a run that was killed after it published, before it promoted


def interrupted(
    registry: ReleaseRegistry,
    challenge: Challenge | None = BETTER,
    asked: bool = True,
    version: str = "20260102-0000",
) -> ReleaseVersion:
    told = outlook(registry.standing("1d", "1d"), "1d", asked, challenge)
    return publish(registry, version, training={"promotion": told}).release


def test_promotion_that_was_interrupted_is_finished(registry: ReleaseRegistry) -> None:
    version = interrupted(registry)
    assert resume(registry, version, "1d", True, CLOCK) == f"promotion was asked for; {BETTER.reason}"
    assert served(registry) == str(version)
    assert resume(registry, version, "1d", True, CLOCK) is None, "it is promoted"


@pytest.mark.parametrize("asked", [True, False])
def test_first_release_is_promoted_by_itself_later_too(asked: bool) -> None:
    registry = ReleaseRegistry(MemoryStore())
    version = interrupted(registry, None, asked)
    assert resume(registry, version, "1d", asked, CLOCK) == "the first 1d release of this store"
    channel = registry.channel("1d", "1d")
    assert channel is not None
    assert channel.release == version


@pytest.mark.parametrize(
    ("challenge", "then", "now"), [(WORSE, True, True), (BETTER, False, True), (BETTER, True, False)]
)
def test_release_that_is_worse_or_was_not_to_be_promoted_is_left(
    registry: ReleaseRegistry, challenge: Challenge, then: bool, now: bool
) -> None:
    version = interrupted(registry, challenge, then)
    assert resume(registry, version, "1d", now, CLOCK) is None
    assert served(registry) == str(FIRST)


def test_rollback_is_not_undone(registry: ReleaseRegistry) -> None:
    version = interrupted(registry)
    registry.promote(version, "1d", CLOCK)
    registry.rollback("1d", "1d", CLOCK)
    channel = registry.channel("1d", "1d")
    assert channel is not None
    assert version not in channel.history, "the history forgets what was rolled back, the sequence does not"
    assert resume(registry, version, "1d", True, CLOCK) is None
    assert served(registry) == str(FIRST)


def test_pointer_that_was_moved_or_taken_away_meanwhile_is_left(
    store: MemoryStore, registry: ReleaseRegistry
) -> None:
    version = interrupted(registry)
    registry.promote(publish(registry, "20260101-1200").release, "1d", CLOCK)
    assert resume(registry, version, "1d", True, CLOCK) is None
    assert served(registry) == "20260101-1200"
    store.delete("models/channels/production.json")
    assert resume(registry, version, "1d", True, CLOCK) is None
    assert registry.channel("1d", "1d") is None


def test_current_release_that_was_mended_meanwhile_was_not_compared_with(
    store: MemoryStore, registry: ReleaseRegistry
) -> None:
    manifest = f"models/releases/{FIRST}/manifest.json"
    whole = store.get(manifest).data
    store.put(manifest, b"{}")
    version = interrupted(registry, None)
    store.put(manifest, whole)
    assert resume(registry, version, "1d", True, CLOCK) is None
    store.put(manifest, b"{}")
    assert "could not be read" in str(resume(registry, version, "1d", True, CLOCK))
    assert served(registry) == str(version)


@pytest.mark.parametrize(
    "told",
    [
        None,
        "yes",
        {},
        {"asked": True, "worse": False, "sequence": 1},
        {"asked": True, "worse": False, "sequence": 1, "against": 7},
        {"asked": True, "worse": False, "sequence": 1, "against": "x", "reason": ""},
        {"asked": True, "worse": 0, "sequence": 1, "against": str(FIRST), "reason": ""},
        {"asked": "no", "worse": False, "sequence": 1, "against": str(FIRST), "reason": ""},
    ],
)
def test_release_that_does_not_tell_is_left(registry: ReleaseRegistry, told: Any) -> None:
    training = {} if told is None else {"promotion": told}
    version = publish(registry, "20260102-0000", training=training).release
    assert resume(registry, version, "1d", True, CLOCK) is None
    assert served(registry) == str(FIRST)


def test_release_whose_files_changed_meanwhile_is_refused(store: MemoryStore, registry: ReleaseRegistry) -> None:
    version = interrupted(registry)
    store.put(f"models/releases/{version}/regressor_rf.onnx", b"other")
    with pytest.raises(ReleaseRefused, match=r"regressor_rf\.onnx"):
        resume(registry, version, "1d", True, CLOCK)
