import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidSettings, ReleaseRefused, StorageUnavailable, UnknownRelease, WriteConflict
from cripto.registry import ReleaseRegistry, Signature, SigningKey, Trust
from cripto.registry.channel import CHANNEL_PURPOSE
from cripto.registry.signature_file import LARGEST_SIGNATURE_FILE, MANIFEST_PURPOSE
from cripto.registry.signing import signatures_to_json
from cripto.storage import MemoryStore
from tests.doubles.keys import OURS, THEIRS, key
from tests.doubles.releases import fake_draft
from tests.doubles.stores import FailingStore, RepeatingStore, WatchedStore

A, B = map(ReleaseVersion.parse, ("20250729-2130", "20250730-2130"))
MANIFEST, SIGNATURES = (f"models/releases/{A}/manifest.{end}" for end in ("json", "sig"))
OBJECTS = 13  # five models in two forms, the model card, the signatures, the manifest
REQUIRED = Trust((OURS.public,), required=True)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def signed(store: MemoryStore) -> ReleaseRegistry:
    """A registry that signs, with release A in it."""
    registry = ReleaseRegistry(store, trust=REQUIRED, signer=OURS)
    registry.publish(fake_draft(str(A)))
    return registry


def reader(store: MemoryStore, *keys: SigningKey, required: bool = True) -> ReleaseRegistry:
    return ReleaseRegistry(store, trust=Trust(tuple(signer.public for signer in keys or (OURS,)), required))


def signature_file(*signatures: Signature, **changed: object) -> bytes:
    value = {"schema_version": 1, "signatures": signatures_to_json(signatures)}
    return json.dumps(value | changed).encode()


def refusal(registry: ReleaseRegistry, version: ReleaseVersion = A) -> str:
    """Why the release is refused, by each way that leads to it."""
    reasons = set()
    for act in (
        lambda: registry.manifest(version),
        lambda: registry.signed_manifest(version),
        lambda: registry.resolve("1d", "1d", pin=str(version)),
    ):
        with pytest.raises(ReleaseRefused) as caught:
            act()
        assert caught.value.release == str(version)
        reasons.add(caught.value.reason)
    assert len(reasons) == 1
    return reasons.pop()


def test_a_signed_release_is_read_where_its_key_is_trusted(store: MemoryStore, signed: ReleaseRegistry) -> None:
    manifest, signed_by = reader(store).signed_manifest(A)
    assert signed_by == OURS.public.key_id
    assert manifest == signed.manifest(A)
    assert reader(store).verify(manifest) == []
    assert reader(store).resolve("1d", "1d") == A


def test_the_file_is_the_form_that_is_documented_over_the_very_bytes(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    value = json.loads(store.get(SIGNATURES).data)
    assert value == {
        "schema_version": 1,
        "signatures": signatures_to_json([OURS.sign("cripto manifest", store.get(MANIFEST).data)]),
    }
    assert json.dumps(value, indent=2, sort_keys=True) + "\n" == store.get(SIGNATURES).data.decode()


def test_where_no_key_is_trusted_signatures_are_not_even_read(store: MemoryStore, signed: ReleaseRegistry) -> None:
    store.put(SIGNATURES, b"rubbish")
    asked: list[str] = []
    plain = ReleaseRegistry(WatchedStore(store, lambda method, key: asked.append(key)))
    assert plain.signed_manifest(A)[1] is None
    assert asked == [MANIFEST]


def test_an_unsigned_release_is_refused_where_a_signature_is_required(store: MemoryStore) -> None:
    ReleaseRegistry(store).publish(fake_draft(str(A)))
    assert refusal(reader(store)) == "it is not signed"
    assert reader(store, required=False).signed_manifest(A)[1] is None


def test_a_release_signed_by_another_key_is_refused_where_a_signature_is_required(store: MemoryStore) -> None:
    ReleaseRegistry(store, signer=THEIRS).publish(fake_draft(str(A)))
    assert refusal(reader(store)) == f"it is signed by {THEIRS.public.key_id}, none of which is trusted here"
    assert reader(store, required=False).signed_manifest(A)[1] is None


def test_signatures_that_are_gone_are_missed(store: MemoryStore, signed: ReleaseRegistry) -> None:
    store.delete(SIGNATURES)
    assert refusal(reader(store)) == "it is not signed"


def other_model(data: bytes) -> bytes:
    return data.replace(b'"estimator": "Toy"', b'"estimator": "Bad"', 1)


def more_space(data: bytes) -> bytes:
    return data + b" "


def own_trust(data: bytes) -> bytes:
    """What a thief of the bucket would like to be asked: whom the manifest trusts."""
    value = json.loads(data) | {"public_key": THEIRS.public.to_pem(), "trusted_keys": [THEIRS.public.key_id]}
    return json.dumps(value | {"require_signature": False}).encode()


@pytest.mark.parametrize("change", [other_model, more_space, own_trust])
@pytest.mark.parametrize("required", [True, False])
def test_a_manifest_that_was_changed_after_it_was_signed_is_refused(
    store: MemoryStore, signed: ReleaseRegistry, change: Callable[[bytes], bytes], required: bool
) -> None:
    store.put(MANIFEST, change(store.get(MANIFEST).data))
    assert refusal(reader(store, required=required)) == f"its signature by {OURS.public.key_id} is not valid"


def test_a_manifest_is_not_asked_whom_to_trust(store: MemoryStore, signed: ReleaseRegistry) -> None:
    changed = own_trust(store.get(MANIFEST).data)
    store.put(MANIFEST, changed)
    store.put(SIGNATURES, signature_file(THEIRS.sign(MANIFEST_PURPOSE, changed)))
    assert "none of which is trusted here" in refusal(reader(store))


def test_a_signature_of_another_release_is_refused(store: MemoryStore, signed: ReleaseRegistry) -> None:
    signed.publish(fake_draft(str(B)))
    store.put(SIGNATURES, store.get(f"models/releases/{B}/manifest.sig").data)
    assert refusal(reader(store)) == f"its signature by {OURS.public.key_id} is not valid"


def test_a_signed_release_put_in_the_place_of_another_is_refused(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    for end in ("json", "sig"):
        store.put(f"models/releases/{B}/manifest.{end}", store.get(f"models/releases/{A}/manifest.{end}").data)
    assert refusal(reader(store), B) == f"its manifest is that of {A}"


def test_a_signature_made_for_a_pointer_is_none_of_a_manifest(store: MemoryStore, signed: ReleaseRegistry) -> None:
    store.put(SIGNATURES, signature_file(OURS.sign(CHANNEL_PURPOSE, store.get(MANIFEST).data)))
    assert refusal(reader(store)) == f"its signature by {OURS.public.key_id} is not valid"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 50_000,
        signature_file(schema_version=2),
        signature_file(signatures=None),
        signature_file(signatures=[{}]),
        b" " * (LARGEST_SIGNATURE_FILE + 1),
    ],
    ids=["empty", "no text", "a list", "no fields", "deep", "from the future", "none", "no entry", "huge"],
)
@pytest.mark.parametrize("required", [True, False])
def test_malformed_signatures_are_refused_and_never_written_over(
    store: MemoryStore, signed: ReleaseRegistry, data: bytes, required: bool
) -> None:
    store.put(SIGNATURES, data)
    assert "signature" in refusal(reader(store, required=required))
    with pytest.raises(ReleaseRefused, match="signature"):
        signed.sign(A)
    assert store.get(SIGNATURES).data == data


def test_a_newer_release_that_nobody_signed_does_not_hide_a_signed_one(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    ReleaseRegistry(store).publish(fake_draft(str(B)))
    assert reader(store).resolve("1d", "1d") == A


def test_publishing_again_changes_nothing(store: MemoryStore, signed: ReleaseRegistry) -> None:
    before = {info.key: store.get(info.key) for info in store.list("")}
    assert len(before) == OBJECTS
    signed.publish(fake_draft(str(A)))
    ReleaseRegistry(store).publish(fake_draft(str(A)))
    assert {info.key: store.get(info.key) for info in store.list("")} == before


def test_the_signatures_are_written_just_before_the_manifest() -> None:
    written: list[str] = []
    store = WatchedStore(MemoryStore(), lambda method, key: written.append(key) if method == "create" else None)
    ReleaseRegistry(store, signer=OURS).publish(fake_draft(str(A)))
    assert written[-2:] == [SIGNATURES, MANIFEST]


@pytest.mark.parametrize("answered", [True, False], ids=["died before the write", "died before the answer"])
@pytest.mark.parametrize("writes", range(OBJECTS))
def test_a_publication_that_dies_anywhere_shows_no_release_or_a_signed_one(
    store: MemoryStore, writes: int, answered: bool
) -> None:
    failing = FailingStore(store, writes, after=not answered)
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(failing, signer=OURS).publish(fake_draft(str(A)))
    for version in reader(store).versions():
        assert reader(store).signed_manifest(version)[1] == OURS.public.key_id
    ReleaseRegistry(store, signer=OURS).publish(fake_draft(str(A)))
    assert reader(store).verify(reader(store).manifest(A)) == []


def test_a_reader_never_meets_an_unsigned_moment(store: MemoryStore) -> None:
    def look(method: str, name: str) -> None:
        for version in reader(store).versions():
            reader(store).manifest(version)

    ReleaseRegistry(WatchedStore(store, look), trust=REQUIRED, signer=OURS).publish(fake_draft(str(A)))
    look("", "")


def test_a_write_that_is_repeated_after_its_answer_was_lost_is_no_conflict(store: MemoryStore) -> None:
    registry = ReleaseRegistry(RepeatingStore(store), signer=OURS)
    registry.publish(fake_draft(str(A)))
    assert len(ReleaseRegistry(RepeatingStore(store), signer=THEIRS).sign(A)) == 2
    assert reader(store).signed_manifest(A)[1] == OURS.public.key_id


@pytest.mark.parametrize("first", [None, OURS, THEIRS], ids=["unsigned", "same key", "another key"])
def test_a_version_taken_by_another_publisher_keeps_its_own_signatures(
    store: MemoryStore, first: SigningKey | None
) -> None:
    """Equal files, as two runs on the same candles make, and another time: only the manifests differ."""
    ReleaseRegistry(store, signer=first).publish(fake_draft(str(A)))
    before = {info.key: store.get(info.key) for info in store.list("")}
    late = replace(fake_draft(str(A)), created=datetime(2025, 7, 30, tzinfo=UTC))
    with pytest.raises(WriteConflict):
        ReleaseRegistry(store, signer=OURS).publish(late)
    assert {info.key: store.get(info.key) for info in store.list("")} == before


def test_signatures_that_a_dead_publisher_left_keep_the_version_to_it(store: MemoryStore) -> None:
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(store, OBJECTS - 1), signer=THEIRS).publish(fake_draft(str(A)))
    with pytest.raises(WriteConflict, match=r"manifest\.sig"):
        ReleaseRegistry(store, signer=OURS).publish(fake_draft(str(A)))
    assert reader(store).versions() == []


@pytest.mark.parametrize("signer", [None, THEIRS], ids=["no key", "a key nobody here trusts"])
def test_what_would_be_refused_here_is_not_published_here(store: MemoryStore, signer: SigningKey | None) -> None:
    registry = ReleaseRegistry(store, trust=REQUIRED, signer=signer)
    for act in (registry.check_signer, lambda: registry.publish(fake_draft(str(A)))):
        with pytest.raises(InvalidSettings, match="CRIPTO_SIGNING_KEY"):
            act()
    assert list(store.list("")) == []


def test_an_unsigned_release_is_signed_afterwards(store: MemoryStore) -> None:
    ReleaseRegistry(store).publish(fake_draft(str(A)))
    registry = ReleaseRegistry(store, trust=REQUIRED, signer=OURS)
    assert [signature.key_id for signature in registry.sign(A)] == [OURS.public.key_id]
    assert reader(store).signed_manifest(A)[1] == OURS.public.key_id
    before = store.get(SIGNATURES)
    registry.sign(A)
    assert store.get(SIGNATURES) == before


def test_keys_change_without_a_moment_in_which_either_is_missed(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    new = ReleaseRegistry(store, trust=Trust((OURS.public, THEIRS.public), required=True), signer=THEIRS)
    assert [signature.key_id for signature in new.sign(A)] == [OURS.public.key_id, THEIRS.public.key_id]
    for keys, signed_by in (((OURS,), OURS), ((OURS, THEIRS), OURS), ((THEIRS,), THEIRS)):
        assert reader(store, *keys).signed_manifest(A)[1] == signed_by.public.key_id
    signed.publish(fake_draft(str(A)))  # still equal, although its signatures have grown


@pytest.mark.parametrize("required", [True, False])
def test_a_release_whose_trusted_signature_is_wrong_is_not_signed_over(
    store: MemoryStore, signed: ReleaseRegistry, required: bool
) -> None:
    store.put(MANIFEST, other_model(store.get(MANIFEST).data))
    before = store.get(SIGNATURES)
    for signer in (OURS, THEIRS):
        registry = ReleaseRegistry(store, trust=Trust((OURS.public,), required), signer=signer)
        with pytest.raises(ReleaseRefused, match=f"signature by {OURS.public.key_id} is not valid"):
            registry.sign(A)
    assert store.get(SIGNATURES) == before


def test_a_false_signature_in_our_own_name_is_refused_even_where_no_key_is_trusted(
    store: MemoryStore, signed: ReleaseRegistry
) -> None:
    store.put(MANIFEST, other_model(store.get(MANIFEST).data))
    with pytest.raises(ReleaseRefused, match="is not valid"):
        ReleaseRegistry(store, signer=OURS).sign(A)


def test_a_damaged_or_missing_release_is_not_signed(store: MemoryStore) -> None:
    registry = ReleaseRegistry(store, signer=OURS)
    with pytest.raises(UnknownRelease):
        registry.sign(A)
    ReleaseRegistry(store).publish(fake_draft(str(A)))
    store.put(f"models/releases/{A}/regressor_rf.onnx", b"swapped")
    with pytest.raises(ReleaseRefused, match=r"regressor_rf\.onnx is 7 bytes"):
        registry.sign(A)
    assert "manifest.sig" not in {info.key.rpartition("/")[2] for info in store.list("models/releases/")}


def test_without_a_key_nothing_is_signed(store: MemoryStore, signed: ReleaseRegistry) -> None:
    with pytest.raises(InvalidSettings, match="CRIPTO_SIGNING_KEY"):
        reader(store).sign(A)


def test_of_two_who_sign_at_once_both_signatures_stay(store: MemoryStore) -> None:
    ReleaseRegistry(store).publish(fake_draft(str(A)))
    pending = [THEIRS, key(3)]

    def other_first(method: str, name: str) -> None:
        if method in {"create", "replace"} and pending:
            ReleaseRegistry(store, signer=pending.pop()).sign(A)

    ReleaseRegistry(WatchedStore(store, other_first), signer=OURS).sign(A)
    for signer in (OURS, THEIRS, key(3)):
        assert reader(store, signer).signed_manifest(A)[1] == signer.public.key_id


def test_a_store_that_never_lets_us_write_ends_in_a_conflict(store: MemoryStore) -> None:
    ReleaseRegistry(store).publish(fake_draft(str(A)))

    def always_first(method: str, name: str) -> None:
        if method in {"create", "replace"}:
            raise WriteConflict(name)

    with pytest.raises(WriteConflict):
        ReleaseRegistry(WatchedStore(store, always_first), signer=OURS).sign(A)


def test_more_signatures_than_are_read_are_not_added(store: MemoryStore, signed: ReleaseRegistry) -> None:
    for number in range(3, 18):
        ReleaseRegistry(store, signer=key(number)).sign(A)
    with pytest.raises(ReleaseRefused, match="more than 16"):
        ReleaseRegistry(store, signer=key(18)).sign(A)
    assert reader(store).signed_manifest(A)[1] == OURS.public.key_id
