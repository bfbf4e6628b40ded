from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import NoRelease, ReleaseRefused, StorageUnavailable
from cripto.registry import ANYONE, ReleaseRegistry, SigningKey, Trust, Watch
from cripto.storage import MemoryStore, ObjectStore
from tests.doubles.releases import fake_draft
from tests.doubles.stores import WatchedStore

CLOCK = FixedClock(datetime(2025, 7, 31, tzinfo=UTC))
FIRST, SECOND = "20250729-2130", "20250730-2130"
POINTER = "models/channels/production.json"
KEY = SigningKey.generate()
TRUST = Trust((KEY.public,), required=True)


class Site:
    """A store with two releases, its publisher, and what readers have asked."""

    def __init__(self, signer: SigningKey | None) -> None:
        self.store = MemoryStore()
        self.asked: list[tuple[str, str]] = []
        self.publisher = ReleaseRegistry(self.store, signer=signer)
        for version in (FIRST, SECOND):
            self.publisher.publish(fake_draft(version))
        self.promote(FIRST)

    def promote(self, version: str) -> bytes:
        """Promote a release; the pointer's bytes afterwards."""
        self.publisher.promote(ReleaseVersion.parse(version), "1d", CLOCK)
        return self.store.get(POINTER).data

    def watch(self, trust: Trust = ANYONE, local: ObjectStore | None = None) -> Callable[[], str]:
        """What a reader that has just started resolves, again and again."""
        seen = WatchedStore(self.store, lambda method, key: self.asked.append((method, key)))
        watch = Watch(ReleaseRegistry(seen, trust=trust), trust=trust, local=local)
        return lambda: str(watch.resolve("1d", "1d"))


@pytest.fixture
def site() -> Site:
    return Site(KEY)


def test_an_unmoved_pointer_costs_one_conditional_request() -> None:
    site = Site(None)
    look = site.watch()
    assert look() == FIRST
    site.asked.clear()
    assert look() == FIRST
    assert site.asked == [("get_if_changed", POINTER)]


def test_a_moved_pointer_is_followed_forth_and_back(site: Site) -> None:
    look = site.watch(TRUST)
    assert look() == FIRST
    site.promote(SECOND)
    assert look() == SECOND
    site.publisher.rollback("1d", "1d", CLOCK)
    assert look() == FIRST


def test_an_old_pointer_put_back_is_refused(site: Site) -> None:
    old = site.store.get(POINTER).data
    site.promote(SECOND)
    look = site.watch(TRUST)
    assert look() == SECOND
    site.store.put(POINTER, old)
    for _ in range(2):
        with pytest.raises(ReleaseRefused, match=r"at move \d+ to 20250729-2130, and was at \d+ already"):
            look()
    site.promote(SECOND)
    site.promote(FIRST)
    site.promote(SECOND)
    assert look() == SECOND


def test_a_restart_remembers_where_there_is_a_disk(site: Site) -> None:
    old, local = site.store.get(POINTER).data, MemoryStore()
    site.promote(SECOND)
    assert site.watch(TRUST, local)() == SECOND
    site.store.put(POINTER, old)
    with pytest.raises(ReleaseRefused):
        site.watch(TRUST, local)()
    assert site.watch(TRUST)() == FIRST  # without one it cannot know


def test_a_signed_pointer_that_is_gone_is_no_reason_to_take_the_newest_release(site: Site) -> None:
    look = site.watch(TRUST)
    look()
    site.store.delete(POINTER)
    with pytest.raises(ReleaseRefused, match="the signed pointer is gone"):
        look()
    CLOCK.time += timedelta(minutes=1)
    site.promote(SECOND)  # begins beyond every earlier move
    assert look() == SECOND


def test_where_nobody_signs_a_pointer_may_be_made_anew() -> None:
    site = Site(None)
    look = site.watch()
    site.promote(SECOND)
    assert look() == SECOND
    site.store.delete(POINTER)
    assert look() == SECOND  # the newest
    site.promote(FIRST)
    assert look() == FIRST


def test_of_two_pointers_of_one_move_the_first_seen_counts(site: Site) -> None:
    other = Site(KEY)
    other.store.delete(POINTER)
    fork = other.promote(SECOND)
    look = site.watch(TRUST)
    assert look() == FIRST
    site.store.put(POINTER, fork)
    with pytest.raises(ReleaseRefused, match="at move"):
        look()


def test_a_pinned_release_is_looked_up_once() -> None:
    site = Site(None)
    asked: list[str] = []
    watch = Watch(ReleaseRegistry(WatchedStore(site.store, lambda method, key: asked.append(key))))
    for _ in range(3):
        assert str(watch.resolve("1d", "1d", SECOND)) == SECOND
    assert asked == [f"models/releases/{SECOND}/manifest.json"]


def test_a_pointer_to_a_release_that_is_not_there_is_looked_at_again() -> None:
    site = Site(None)
    look = site.watch()
    look()
    manifest = f"models/releases/{SECOND}/manifest.json"
    data = site.store.get(manifest).data
    site.promote(SECOND)
    site.store.delete(manifest)
    for _ in range(2):
        with pytest.raises(ReleaseRefused, match="not in the store"):
            look()
    site.store.put(manifest, data)
    assert look() == SECOND


@pytest.mark.parametrize("broken", [b"", b"{}", b"\xff"])
def test_a_pointer_on_disk_that_is_broken_is_as_good_as_none(site: Site, broken: bytes) -> None:
    local = MemoryStore()
    local.put(POINTER, broken)
    assert site.watch(TRUST, local)() == FIRST


def test_a_disk_that_fails_keeps_nobody_from_following(site: Site) -> None:
    def refuse(method: str, key: str) -> None:
        raise StorageUnavailable("no space left on device")

    look = site.watch(TRUST, WatchedStore(MemoryStore(), refuse))
    assert look() == FIRST
    site.promote(SECOND)
    assert look() == SECOND


def test_an_empty_store_has_nothing_to_follow() -> None:
    with pytest.raises(NoRelease):
        Watch(ReleaseRegistry(MemoryStore())).resolve("1d", "1d")
