"""A pointer that cannot be moved is told before a run reads or fits anything, and nothing is written."""

import pytest

from cripto.domain.clock import FixedClock
from cripto.errors import CriptoError, InvalidSettings, ReleaseRefused
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import TrainingPlan, train
from tests.doubles.candles import random_walk
from tests.doubles.keys import OURS
from tests.doubles.releases import fake_draft
from tests.unit.training.toys import NOW, QUICK, lake_of

CLOCK = FixedClock(NOW)
POINTER = "models/channels/production.json"


def refused(store: MemoryStore, why: type[CriptoError], message: str, *, promote: bool) -> None:
    """A run ends so, with no stage begun and the store as it was."""
    before = [(info.key, store.get(info.key).data) for info in store.list("")]
    stages: list[str] = []
    with pytest.raises(why, match=message):
        train(
            lake_of(random_walk(["BTC"], 20)),
            ReleaseRegistry(store),
            TrainingPlan(recipes=QUICK, promote=promote),
            CLOCK,
            lambda stage, *_: stages.append(stage),
        )
    assert stages == []
    assert [(info.key, store.get(info.key).data) for info in store.list("")] == before


@pytest.mark.parametrize("promote", [True, False])
@pytest.mark.parametrize("pointer", [b"{}", b'{"schema_version": 9}', b""])
def test_pointer_that_is_malformed_or_of_a_newer_schema(pointer: bytes, promote: bool) -> None:
    store = MemoryStore()
    store.put(POINTER, pointer)
    refused(store, ReleaseRefused, "delete it and promote", promote=promote)


def test_pointer_that_cannot_be_signed_here() -> None:
    store = MemoryStore()
    signed = ReleaseRegistry(store, signer=OURS)
    signed.promote(signed.publish(fake_draft()).release, "1d", CLOCK)
    refused(store, InvalidSettings, "is signed, and CRIPTO_SIGNING_KEY gives no key", promote=True)
