"""What a promotion would find of a pointer, told before there is anything to promote."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, InvalidSettings, ReleaseRefused
from cripto.registry import Channel, ReleaseRegistry, Trust
from cripto.registry.channel import LARGEST_SEQUENCE
from cripto.storage import MemoryStore
from tests.doubles.keys import OURS
from tests.doubles.releases import fake_draft

NOW = datetime(2025, 8, 1, 12, tzinfo=UTC)
CLOCK = FixedClock(NOW)
A = ReleaseVersion.parse("20250729-2130")
KEY = "models/channels/production.json"
OURS_ALONE = Trust((OURS.public,), required=True)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def signed(store: MemoryStore) -> ReleaseRegistry:
    """A registry that signs, with a release in it and no pointer."""
    registry = ReleaseRegistry(store, trust=OURS_ALONE, signer=OURS)
    registry.publish(fake_draft(str(A)))
    return registry


def test_pointer_that_a_promotion_could_move_is_told_beforehand(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    assert signed.movable("1d", "1d") is None
    signed.promote(A, "1d", CLOCK)
    found = signed.movable("1d", "1d")
    assert found is not None
    assert found.release == A
    plain = ReleaseRegistry(store)
    assert plain.standing("1d", "1d") == found
    with pytest.raises(InvalidSettings, match="gives no key to sign its next move with"):
        plain.movable("1d", "1d")
    with pytest.raises(InvalidSettings, match="signatures are required"):
        ReleaseRegistry(store, trust=OURS_ALONE).movable("1d", "1d")


def test_pointer_that_no_promotion_can_move_says_what_to_do(store: MemoryStore, signed: ReleaseRegistry) -> None:
    store.put(KEY, Channel(A, LARGEST_SEQUENCE, NOW).to_bytes())
    with pytest.raises(InvalidInput, match="cannot be moved any more"):
        signed.movable("1d", "1d")
    store.put(KEY, b"{}")
    acts: list[Callable[[], object]] = [
        lambda: signed.movable("1d", "1d"),
        lambda: signed.standing("1d", "1d"),
        lambda: signed.promote(A, "1d", CLOCK),
        lambda: signed.rollback("1d", "1d", CLOCK),
    ]
    for act in acts:
        with pytest.raises(ReleaseRefused, match=r"malformed channel.* delete it and promote"):
            act()
