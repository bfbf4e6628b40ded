import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, InvalidSettings, ReleaseRefused, WriteConflict
from cripto.registry import Channel, ReleaseRegistry, SigningKey, Trust
from cripto.registry.channel import LARGEST_SEQUENCE
from cripto.registry.signature_file import MANIFEST_PURPOSE
from cripto.registry.signing import signatures_to_json
from cripto.storage import MemoryStore
from tests.doubles.keys import OURS, THEIRS
from tests.doubles.releases import fake_draft
from tests.doubles.stores import RepeatingStore, WatchedStore

NOW = datetime(2025, 8, 1, 12, tzinfo=UTC)
CLOCK = FixedClock(NOW)
A, B, C = map(ReleaseVersion.parse, ("20250729-2130", "20250730-2130", "20250731-2130"))
KEY, HOURLY = "models/channels/production.json", "models/channels/production-1h.json"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def signed(store: MemoryStore) -> ReleaseRegistry:
    """A registry that signs, with three releases in it and no pointer."""
    registry = ReleaseRegistry(store, trust=Trust((OURS.public,), required=True), signer=OURS)
    for version in (A, B, C):
        registry.publish(fake_draft(str(version)))
    return registry


def reader(store: MemoryStore, *keys: SigningKey, required: bool = True) -> ReleaseRegistry:
    return ReleaseRegistry(store, trust=Trust(tuple(signer.public for signer in keys or (OURS,)), required))


def current(registry: ReleaseRegistry) -> Channel:
    channel = registry.channel("1d", "1d")
    assert channel is not None
    return channel


def refusal(registry: ReleaseRegistry) -> str:
    reasons = set()
    for act in (
        lambda: registry.channel("1d", "1d"),
        lambda: registry.channel_since("1d", "1d", None),
        lambda: registry.resolve("1d", "1d"),
    ):
        with pytest.raises(ReleaseRefused) as caught:
            act()
        assert caught.value.release == KEY
        reasons.add(caught.value.reason)
    assert len(reasons) == 1
    return reasons.pop()


BEGINNING = int(NOW.timestamp())
"""Where a signed pointer begins: beyond every move of one that was there before and has been deleted."""


def unsigned(release: ReleaseVersion, sequence: int = 1, *history: ReleaseVersion) -> bytes:
    return Channel(release, sequence, NOW, history).to_bytes()


def test_every_move_is_signed_and_read_where_the_key_is_trusted(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    moves: list[Callable[[], Channel | None]] = [
        lambda: signed.promote_first(A, "1d", CLOCK),
        lambda: signed.promote(B, "1d", CLOCK),
        lambda: signed.rollback("1d", "1d", CLOCK),
    ]
    for sequence, move in enumerate(moves, start=BEGINNING):
        moved = move()
        assert moved == current(reader(store))
        assert moved is not None
        assert (moved.sequence, moved.interval, moved.signed_by) == (sequence, "1d", OURS.public.key_id)
        assert current(reader(store)).signed_by == OURS.public.key_id
    assert reader(store).resolve("1d", "1d") == A


def test_the_signature_is_over_the_pointer_without_it(store: MemoryStore, signed: ReleaseRegistry) -> None:
    signed.promote(A, "1d", CLOCK)
    value = json.loads(store.get(KEY).data)
    signatures = value.pop("signatures")
    data = (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
    assert signatures == signatures_to_json([OURS.sign("cripto channel", data)])
    assert value == {
        "schema_version": 2,
        "interval": "1d",
        "release": str(A),
        "sequence": BEGINNING,
        "promoted_at": "2025-08-01T12:00:00Z",
        "history": [],
    }


def test_without_a_key_a_pointer_is_written_as_ever(store: MemoryStore) -> None:
    registry = ReleaseRegistry(store)
    registry.publish(fake_draft(str(A)))
    registry.promote(A, "1d", CLOCK)
    assert json.loads(store.get(KEY).data)["schema_version"] == 1
    assert store.get(KEY).data == unsigned(A)


def test_an_unsigned_pointer_is_refused_where_a_signature_is_required(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    store.put(KEY, unsigned(A))
    assert refusal(reader(store)) == "it is not signed"
    assert current(reader(store, required=False)).signed_by is None


def test_a_pointer_signed_by_another_key_is_refused(store: MemoryStore, signed: ReleaseRegistry) -> None:
    store.put(KEY, Channel(A, 1, NOW).signed("1d", THEIRS).to_bytes())
    assert refusal(reader(store)) == f"it is signed by {THEIRS.public.key_id}, none of which is trusted here"
    assert current(reader(store, required=False)).signed_by is None
    assert current(ReleaseRegistry(store)).signed_by is None


@pytest.mark.parametrize(
    "changed",
    [
        {"release": str(B)},
        {"sequence": 2},
        {"sequence": 1.0},
        {"promoted_at": "2026-08-01T12:00:00Z"},
        {"history": [str(C)]},
        {"invented": True},
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_a_pointer_that_was_changed_after_it_was_signed_is_refused(
    store: MemoryStore, signed: ReleaseRegistry, changed: dict[str, object], required: bool
) -> None:
    signed.promote(A, "1d", CLOCK)
    store.put(KEY, json.dumps(json.loads(store.get(KEY).data) | changed).encode())
    assert refusal(reader(store, required=required)) in {
        f"its signature by {OURS.public.key_id} is not valid",
        "malformed channel: the sequence is 1.0",
    }


def test_the_layout_of_a_pointer_is_no_part_of_what_is_signed(store: MemoryStore, signed: ReleaseRegistry) -> None:
    signed.promote(A, "1d", CLOCK)
    store.put(KEY, json.dumps(dict(reversed(json.loads(store.get(KEY).data).items()))).encode())
    assert current(reader(store)).signed_by == OURS.public.key_id


def test_fields_of_a_later_writer_are_signed_too(store: MemoryStore, signed: ReleaseRegistry) -> None:
    value = json.loads(Channel(A, 1, NOW).signed("1d", OURS).to_bytes()) | {"reason": "better"}
    del value["signatures"]
    data = (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
    value["signatures"] = signatures_to_json([OURS.sign("cripto channel", data)])
    store.put(KEY, json.dumps(value).encode())
    assert current(reader(store)).signed_by == OURS.public.key_id


def test_a_pointer_signed_as_a_manifest_is_refused(store: MemoryStore, signed: ReleaseRegistry) -> None:
    value = json.loads(Channel(A, 1, NOW).signed("1d", OURS).to_bytes())
    del value["signatures"]
    data = (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
    value["signatures"] = signatures_to_json([OURS.sign(MANIFEST_PURPOSE, data)])
    store.put(KEY, json.dumps(value).encode())
    assert "is not valid" in refusal(reader(store))


@pytest.mark.parametrize("trusting", [True, False], ids=["keys trusted", "no key trusted"])
def test_a_pointer_signed_for_another_interval_is_refused(
    store: MemoryStore, signed: ReleaseRegistry, trusting: bool
) -> None:
    hourly = signed.publish(fake_draft("20250801-0000", interval="1h")).release
    signed.promote(hourly, "1d", CLOCK)
    store.put(KEY, store.get(HOURLY).data)
    registry = reader(store) if trusting else ReleaseRegistry(store)
    assert refusal(registry) == "it is the pointer of interval 1h, not 1d"
    assert signed.promote(A, "1d", CLOCK).sequence == BEGINNING + 1  # and whoever has the key can put it right


@pytest.mark.parametrize("field", ["interval", "signatures"])
def test_a_signed_pointer_that_lacks_a_field_is_malformed(
    store: MemoryStore, signed: ReleaseRegistry, field: str
) -> None:
    value = json.loads(Channel(A, 1, NOW).signed("1d", OURS).to_bytes())
    del value[field]
    store.put(KEY, json.dumps(value).encode())
    assert "malformed" in refusal(ReleaseRegistry(store))


@pytest.mark.parametrize("interval", ["7m", None, ["1d"]])
def test_a_signed_pointer_of_no_interval_is_malformed(
    store: MemoryStore, signed: ReleaseRegistry, interval: object
) -> None:
    value = json.loads(Channel(A, 1, NOW).signed("1d", OURS).to_bytes()) | {"interval": interval}
    store.put(KEY, json.dumps(value).encode())
    assert refusal(ReleaseRegistry(store))


def test_promoting_what_is_promoted_and_signed_writes_nothing(store: MemoryStore, signed: ReleaseRegistry) -> None:
    first = signed.promote(A, "1d", CLOCK)
    assert signed.promote(A, "1d", FixedClock(datetime(2026, 1, 1, tzinfo=UTC))) == first
    assert store.get(KEY).etag == first.etag


def test_keys_change_by_promoting_again(store: MemoryStore, signed: ReleaseRegistry) -> None:
    signed.promote(A, "1d", CLOCK)
    signed.promote(B, "1d", CLOCK)
    new = ReleaseRegistry(store, trust=Trust((OURS.public, THEIRS.public), required=True), signer=THEIRS)
    new.sign(B)
    again = new.promote(B, "1d", CLOCK)
    assert (again.release, again.sequence, again.history) == (B, BEGINNING + 2, (A,))
    assert current(reader(store, THEIRS)).signed_by == THEIRS.public.key_id
    assert new.promote(B, "1d", CLOCK) == again


def test_whoever_signs_moves_a_pointer_that_nobody_signed(store: MemoryStore, signed: ReleaseRegistry) -> None:
    store.put(KEY, unsigned(A, 7))
    with pytest.raises(ReleaseRefused):
        signed.channel("1d", "1d")
    assert signed.promote_first(B, "1d", CLOCK) is None
    moved = signed.promote(A, "1d", CLOCK)
    assert (moved.sequence, moved.history, moved.signed_by) == (8, (), OURS.public.key_id)
    assert signed.promote(B, "1d", CLOCK).sequence == 9
    assert signed.rollback("1d", "1d", CLOCK).release == A


def test_a_planted_pointer_is_moved_on_from_and_never_below_it(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    store.put(KEY, unsigned(B, 10**18, C, C))
    moved = signed.promote(A, "1d", CLOCK)
    assert (moved.sequence, moved.history) == (10**18 + 1, (C, C, B))
    assert current(reader(store)) == moved


def test_a_sequence_without_a_next_is_not_moved_and_a_higher_one_is_malformed(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    store.put(KEY, unsigned(B, LARGEST_SEQUENCE, C))
    moves: list[Callable[[], Channel]] = [
        lambda: signed.promote(A, "1d", CLOCK),
        lambda: signed.rollback("1d", "1d", CLOCK),
    ]
    for move in moves:
        with pytest.raises(InvalidInput, match="cannot be moved"):
            move()
    store.put(KEY, unsigned(B, LARGEST_SEQUENCE + 1))
    with pytest.raises(ReleaseRefused, match="malformed"):
        signed.promote(A, "1d", CLOCK)
    store.delete(KEY)
    assert signed.promote(A, "1d", CLOCK).sequence == BEGINNING


def test_a_rollback_goes_to_no_release_that_no_trusted_key_signed(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    unsigned_release = ReleaseRegistry(store).publish(fake_draft("20250601-0000")).release
    store.put(KEY, unsigned(B, 5, unsigned_release))
    before = store.get(KEY)
    with pytest.raises(ReleaseRefused, match="it is not signed"):
        signed.rollback("1d", "1d", CLOCK)
    assert store.get(KEY) == before


def test_a_rollback_goes_to_no_release_of_another_interval(store: MemoryStore, signed: ReleaseRegistry) -> None:
    hourly = signed.publish(fake_draft("20250801-0000", interval="1h")).release
    store.put(KEY, unsigned(B, 5, hourly))
    with pytest.raises(ReleaseRefused, match="of interval 1h, not 1d"):
        signed.rollback("1d", "1d", CLOCK)


@pytest.mark.parametrize("signer", [None, THEIRS], ids=["no key", "a key nobody here trusts"])
def test_a_pointer_that_would_be_refused_here_is_never_written(
    store: MemoryStore, signed: ReleaseRegistry, signer: SigningKey | None
) -> None:
    signed.promote(A, "1d", CLOCK)
    signed.promote(B, "1d", CLOCK)
    registry = ReleaseRegistry(store, trust=Trust((OURS.public,), required=True), signer=signer)
    before = store.get(KEY)
    moves: list[Callable[[], Channel | None]] = [
        lambda: registry.promote(C, "1d", CLOCK),
        lambda: registry.promote_first(C, "1d", CLOCK),
        lambda: registry.rollback("1d", "1d", CLOCK),
    ]
    for move in moves:
        with pytest.raises(InvalidSettings, match="CRIPTO_SIGNING_KEY"):
            move()
    assert store.get(KEY) == before


def test_a_signed_pointer_is_never_replaced_by_an_unsigned_one(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    """Whoever has no key does not know of the readers that demand one."""
    signed.promote(A, "1d", CLOCK)
    before = store.get(KEY)
    with pytest.raises(InvalidSettings, match=r"production\.json is signed"):
        ReleaseRegistry(store).promote(B, "1d", CLOCK)
    assert store.get(KEY) == before
    assert ReleaseRegistry(store).promote(A, "1d", CLOCK).signatures


@pytest.mark.parametrize("signer", [None, OURS])
def test_a_move_whose_answer_was_lost_is_no_conflict(store: MemoryStore, signer: SigningKey | None) -> None:
    registry = ReleaseRegistry(RepeatingStore(store), signer=signer)
    for version in (A, B):
        registry.publish(fake_draft(str(version)))
    moves: list[Callable[[], Channel | None]] = [
        lambda: registry.promote_first(A, "1d", CLOCK),
        lambda: registry.promote(B, "1d", CLOCK),
        lambda: registry.rollback("1d", "1d", CLOCK),
    ]
    for sequence, move in enumerate(moves, start=1 if signer is None else BEGINNING):
        moved = move()
        assert moved is not None
        assert moved == current(registry)
        assert moved.sequence == sequence


@pytest.mark.parametrize("meanwhile", ["moved", "deleted"])
def test_a_move_that_somebody_else_came_before_is_a_conflict(
    store: MemoryStore, signed: ReleaseRegistry, meanwhile: str
) -> None:
    signed.promote(A, "1d", CLOCK)

    def first(method: str, key: str) -> None:
        if method == "replace":
            if meanwhile == "deleted":
                store.delete(KEY)
            else:
                signed.promote(C, "1d", CLOCK)

    with pytest.raises(WriteConflict):
        ReleaseRegistry(WatchedStore(store, first), signer=OURS).promote(B, "1d", CLOCK)


def test_a_watcher_asks_for_what_changed_and_reads_no_more(store: MemoryStore, signed: ReleaseRegistry) -> None:
    asked: list[str] = []
    trust = Trust((OURS.public,), required=True)
    watcher = ReleaseRegistry(WatchedStore(store, lambda method, key: asked.append(method)), trust=trust)
    assert watcher.channel_since("1d", "1d", None) is None
    signed.promote(A, "1d", CLOCK)
    known = watcher.channel_since("1d", "1d", None)
    assert known == current(reader(store))
    asked.clear()
    assert watcher.channel_since("1d", "1d", known) is known
    assert asked == ["get_if_changed"]
    signed.promote(B, "1d", CLOCK)
    found = watcher.channel_since("1d", "1d", known)
    assert found is not None
    assert (found.release, found.signed_by) == (B, OURS.public.key_id)
    store.put(KEY, unsigned(C, 9))
    with pytest.raises(ReleaseRefused, match="it is not signed"):
        watcher.channel_since("1d", "1d", found)
    store.delete(KEY)
    assert watcher.channel_since("1d", "1d", found) is None


def test_a_pointer_made_by_hand_has_no_tag_to_ask_with(store: MemoryStore, signed: ReleaseRegistry) -> None:
    signed.promote(A, "1d", CLOCK)
    assert reader(store).channel_since("1d", "1d", Channel(A, 1, NOW)) == current(reader(store))
