"""Publications that die after every single object, as a server sees them: the release before, or none."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import StorageUnavailable
from cripto.forecasting import PredictionService
from cripto.forecasting.bare import BareModels
from cripto.market.lake import MemoryLake
from cripto.registry import ReleaseRegistry, Watch
from cripto.storage import LocalStore, ObjectStore, open_store
from tests.doubles.bare import put_bare, two_joblibs
from tests.doubles.stores import FailingStore
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, VERSION, candles, draft

LATER = "20250801-0000"
CLOCK = FixedClock(LAST_CLOSE + timedelta(hours=1))
WRITES = 11
"""Five graphs, five joblibs, the manifest."""

Opener = Callable[[], ObjectStore]


@pytest.fixture(
    params=["folder", pytest.param("s3", marks=pytest.mark.slow), pytest.param("radosgw", marks=pytest.mark.slow)]
)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same empty store, each time anew, as another process would."""
    if request.param == "folder":
        return lambda: LocalStore(tmp_path / "store")
    bucket = request.getfixturevalue("s3_bucket" if request.param == "s3" else "radosgw_bucket")
    return lambda: open_store(f"s3://{bucket}/criptos")


def reader(opened: Opener) -> PredictionService:
    lake = MemoryLake()
    lake.upsert(candles("BTC"))
    store = opened()
    bare = BareModels(store, DAILY)
    return PredictionService(Watch(ReleaseRegistry(store)), lake, clock=CLOCK, interval="1d", bare=bare)


def interrupted(opened: Opener, writes: int) -> None:
    """Publish `LATER`, and die after ``writes`` objects of it."""
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(opened(), writes)).publish(draft(LATER))


def versions(service: PredictionService) -> set[str]:
    """Every version that an answer names."""
    answer = json.loads(service.answer("BTC").body)
    return {answer["release"], *(model["versao"] for model in answer["modelos"].values())}


def test_next_to_a_promoted_release(opened: Opener) -> None:
    registry = ReleaseRegistry(opened())
    registry.promote(registry.publish(draft()).release, "1d", CLOCK)
    service = reader(opened)
    for writes in range(WRITES):
        interrupted(opened, writes)
        service.refresh()
        assert versions(service) == {VERSION}
        assert service.status().refused == ()
    registry.promote(registry.publish(draft(LATER)).release, "1d", CLOCK)
    service.refresh()
    assert versions(service) == {LATER}


def test_in_an_empty_store(opened: Opener) -> None:
    service = reader(opened)
    for writes in range(WRITES):
        interrupted(opened, writes)
        service.refresh()
        assert not service.ready
    ReleaseRegistry(opened()).publish(draft(LATER))
    service.refresh()
    assert versions(service) == {LATER}


def test_next_to_joblibs_without_a_release(opened: Opener) -> None:
    put_bare(opened(), VERSION, two_joblibs())
    service = reader(opened)
    service.refresh()
    before = versions(service)
    assert VERSION in before
    for writes in range(WRITES):
        interrupted(opened, writes)
        service.refresh()
        assert versions(service) == before
    ReleaseRegistry(opened()).publish(draft(LATER))
    service.refresh()
    assert versions(service) == {LATER}


def test_a_promotion_that_dies_has_moved_the_pointer_or_has_not(opened: Opener) -> None:
    registry = ReleaseRegistry(opened())
    registry.promote(registry.publish(draft()).release, "1d", CLOCK)
    registry.publish(draft(LATER))
    service = reader(opened)
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(opened(), 0)).promote(ReleaseVersion.parse(LATER), "1d", CLOCK)
    service.refresh()
    assert versions(service) == {VERSION}
