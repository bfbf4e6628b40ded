"""No release is promoted without its proofs; what is promoted already is served on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ReleaseRefused
from cripto.registry import Channel, ReleaseRegistry
from cripto.registry.channel import channel_key
from cripto.storage import MemoryStore
from tests.doubles.keys import OURS
from tests.doubles.releases import fake_draft

CLOCK = FixedClock(datetime(2025, 8, 1, tzinfo=UTC))
OLD, PROVEN, LATER = map(ReleaseVersion.parse, ("20250728-0000", "20250729-0000", "20250730-0000"))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> ReleaseRegistry:
    """A store whose promoted release is of an earlier version, without proofs; a proven one came after it."""
    registry = ReleaseRegistry(store)
    for version, proofs in ((OLD, False), (PROVEN, True), (LATER, False)):
        draft = fake_draft(str(version))
        registry.publish(draft if proofs else replace(draft, proofs=None))
    store.put(channel_key("1d", "1d"), Channel(OLD, 3, CLOCK.now()).to_bytes())
    return registry


@pytest.mark.parametrize("move", [ReleaseRegistry.promote, ReleaseRegistry.promote_first])
def test_release_without_proofs_is_not_promoted_not_even_the_first(
    store: MemoryStore, move: Callable[..., object]
) -> None:
    registry = ReleaseRegistry(store)
    registry.publish(replace(fake_draft(str(LATER)), proofs=None))
    with pytest.raises(ReleaseRefused, match=r"carries no proofs, so it cannot be promoted .*: train anew"):
        move(registry, LATER, "1d", CLOCK)
    assert registry.channel("1d", "1d") is None


def test_release_without_proofs_takes_no_other_s_place(registry: ReleaseRegistry) -> None:
    with pytest.raises(ReleaseRefused, match="train anew"):
        registry.promote(LATER, "1d", CLOCK)
    assert registry.resolve("1d", "1d") == OLD


def test_what_is_promoted_is_served_on_and_promoting_it_again_is_fine(registry: ReleaseRegistry) -> None:
    assert registry.resolve("1d", "1d") == OLD
    assert registry.promote(OLD, "1d", CLOCK).sequence == 3


def test_pointer_to_a_release_without_proofs_can_still_be_signed(
    store: MemoryStore, registry: ReleaseRegistry
) -> None:
    signer = ReleaseRegistry(store, signer=OURS)
    assert signer.promote(OLD, "1d", CLOCK).signatures


def test_rolling_back_to_a_release_without_proofs_is_free(registry: ReleaseRegistry) -> None:
    assert registry.promote(PROVEN, "1d", CLOCK).release == PROVEN
    assert registry.rollback("1d", "1d", CLOCK).release == OLD


def test_proofs_of_other_files_are_none(registry: ReleaseRegistry) -> None:
    draft = fake_draft("20250731-0000")
    other = replace(draft, models=fake_draft(content="b").models)
    registry.publish(other)
    with pytest.raises(ReleaseRefused, match="determinism proof is of other files than its regressor_rf"):
        registry.promote(other.version, "1d", CLOCK)


def test_proofs_of_other_features_are_none(registry: ReleaseRegistry) -> None:
    draft = fake_draft("20250731-0000")
    assert draft.proofs is not None
    short = replace(draft.proofs, warm_up=replace(draft.proofs.warm_up, candles=draft.features.lookback - 1))
    registry.publish(replace(draft, proofs=short))
    with pytest.raises(ReleaseRefused, match="proofs are of other features than its own"):
        registry.promote(draft.version, "1d", CLOCK)
