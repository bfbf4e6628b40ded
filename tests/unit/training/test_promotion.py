from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.manifest import Manifest
from cripto.registry import ReleaseRegistry, Trust
from cripto.storage import MemoryStore
from cripto.training.promotion import is_worse, promote
from tests.doubles.keys import OURS
from tests.doubles.releases import fake_draft
from tests.doubles.stores import WatchedStore
from tests.unit.training.toys import NOW

ROWS: Mapping[str, Any] = {
    "hold_out": {"test": {"rows": 10, "first": "a", "last": "b"}},
    "assets": {"BTC": {"rows": 9}},
}
OTHER_ROWS: Mapping[str, Any] = {**ROWS, "assets": {"ETH": {"rows": 9}}}
CLOCK = FixedClock(NOW)


def publish(
    registry: ReleaseRegistry, version: str, skill: float | None, training: Mapping[str, Any] = ROWS
) -> Manifest:
    draft = fake_draft(version)
    models = {name: replace(model, metrics={"skill": skill}) for name, model in draft.models.items()}
    return registry.publish(replace(draft, models=models, training=training))


@pytest.fixture
def registry() -> ReleaseRegistry:
    """A store whose release 20260101-0000 of skill 0.01 is promoted."""
    registry = ReleaseRegistry(MemoryStore())
    first = publish(registry, "20260101-0000", 0.01)
    assert promote(registry, first, "1d", False, CLOCK)[0]
    return registry


def served(registry: ReleaseRegistry) -> str:
    return str(registry.resolve("1d", "1d"))


@pytest.mark.parametrize("skill", [0.01, 0.02])
def test_release_that_is_not_worse_is_promoted_when_asked(registry: ReleaseRegistry, skill: float) -> None:
    promoted, reason = promote(registry, publish(registry, "20260102-0000", skill), "1d", True, CLOCK)
    assert promoted
    assert "mean skill" in reason
    assert served(registry) == "20260102-0000"


@pytest.mark.parametrize("skill", [0.009, -1.0, None])
def test_worse_release_is_not_promoted_and_both_numbers_are_said(
    registry: ReleaseRegistry, skill: float | None
) -> None:
    promoted, reason = promote(registry, publish(registry, "20260102-0000", skill), "1d", True, CLOCK)
    assert not promoted
    assert f"{skill or 0:.5f} against 0.01000 of 20260101-0000" in reason
    assert served(registry) == "20260101-0000"


@pytest.mark.parametrize("training", [OTHER_ROWS, {}])
def test_release_scored_on_other_rows_is_promoted_without_comparison(
    registry: ReleaseRegistry, training: Mapping[str, Any]
) -> None:
    promoted, reason = promote(registry, publish(registry, "20260102-0000", -5.0, training), "1d", True, CLOCK)
    assert promoted
    assert "not compared with 20260101-0000" in reason


def test_better_release_waits_for_being_asked(registry: ReleaseRegistry) -> None:
    assert promote(registry, publish(registry, "20260102-0000", 0.5), "1d", False, CLOCK) == (
        False,
        "promotion was not asked for",
    )


def test_current_release_that_is_gone_is_replaced() -> None:
    store = MemoryStore()
    registry = ReleaseRegistry(store)
    promote(registry, publish(registry, "20260101-0000", 0.01), "1d", False, CLOCK)
    store.delete("models/releases/20260101-0000/manifest.json")
    later = FixedClock(NOW + timedelta(days=1))
    promoted, reason = promote(registry, publish(registry, "20260102-0000", -1.0), "1d", True, later)
    assert promoted
    assert "could not be read" in reason


@pytest.mark.parametrize("asked", [True, False])
def test_pointer_that_nobody_signed_is_replaced_when_asked_and_kills_no_training(asked: bool) -> None:
    store = MemoryStore()
    plain = ReleaseRegistry(store)
    promote(plain, publish(plain, "20260101-0000", 0.01), "1d", False, CLOCK)
    strict = ReleaseRegistry(store, trust=Trust((OURS.public,), required=True), signer=OURS)
    promoted, reason = promote(strict, publish(strict, "20260102-0000", -1.0), "1d", asked, CLOCK)
    assert promoted is asked
    assert ("could not be read" in reason) is asked
    assert served(strict if asked else plain) == ("20260102-0000" if asked else "20260101-0000")


def test_release_waits_when_somebody_else_moves_the_channel_meanwhile() -> None:
    store = MemoryStore()
    plain = ReleaseRegistry(store)
    promote(plain, publish(plain, "20260101-0000", 0.01), "1d", False, CLOCK)
    rival = publish(plain, "20260101-1200", 0.02)
    ours = publish(plain, "20260102-0000", 0.03)

    def first(method: str, key: str) -> None:
        if method == "replace" and served(plain) == "20260101-0000":
            plain.promote(rival.release, "1d", CLOCK)

    promoted, reason = promote(ReleaseRegistry(WatchedStore(store, first)), ours, "1d", True, CLOCK)
    assert not promoted
    assert "meanwhile" in reason
    assert served(plain) == "20260101-1200"


def test_releases_that_say_nothing_of_their_rows_are_not_compared() -> None:
    registry = ReleaseRegistry(MemoryStore())
    old, new = publish(registry, "20260101-0000", 0.5, {}), publish(registry, "20260102-0000", 0.1, {})
    assert is_worse(new, old)[0] is False
