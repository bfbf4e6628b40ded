"""What is refused of the releases that a service finds, and until when it says so."""

import json

import pytest

from cripto.domain.release_version import ReleaseVersion
from cripto.errors import NoRelease, ReleaseRefused, StorageUnavailable
from tests.unit.forecasting.toys import VERSION, House, constant_onnx, draft

LATER = "20250801-0000"


def release_of(body: bytes) -> str:
    return str(json.loads(body)["release"])


def test_a_refused_release_leaves_the_old_one_and_is_not_fetched_again() -> None:
    house = House("BTC")
    house.service.load()
    house.registry.publish(draft(LATER, models={"regressor_rf": constant_onnx("regressor_rf", float("nan"))}))
    house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == VERSION
    status = house.service.status()
    assert [refusal.release for refusal in status.refused] == [LATER]
    assert "regressor_rf" in status.refused[0].reason
    for entry in house.store.list(f"models/releases/{LATER}/"):
        if entry.key.endswith(".onnx"):
            house.store.delete(entry.key)
    house.service.refresh()
    # had it been read again, the reason would be a missing file
    assert "not finite" in house.service.status().refused[0].reason
    with pytest.raises(ReleaseRefused, match="missing"):
        house.service.load()
    assert release_of(house.service.answer("BTC").body) == VERSION


def test_a_refusal_is_forgotten_when_the_release_is_taken_up_after_all() -> None:
    house = House("BTC")
    house.registry.fault = ReleaseRefused(VERSION, "a moment's weakness")
    house.service.refresh()
    house.registry.fault = None
    assert house.service.status().refused
    house.service.load()
    assert house.service.status().refused == ()


def test_a_refused_release_is_looked_at_again_now_and_then_and_at_once_where_none_is_served() -> None:
    house = House("BTC")
    house.registry.fault = ReleaseRefused(VERSION, "a read that ended early")
    house.service.refresh()
    house.registry.fault = None
    assert house.service.refresh().release is not None

    later = house.registry.publish(draft(LATER))
    path = next(entry.onnx.path for entry in later.models)
    whole = house.store.get(path).data
    house.store.put(path, whole[:-1])
    house.service.refresh()
    house.store.put(path, whole)
    assert release_of(house.service.answer("BTC").body) == VERSION
    for _ in range(10):
        house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == LATER


def test_a_refused_pointer_is_forgotten_once_it_can_be_followed_again() -> None:
    house = House("BTC")
    house.service.load()
    house.registry.fault = ReleaseRefused("models/channels/production.json", "it is not signed")
    house.service.refresh()
    assert [item.release for item in house.service.status().refused] == ["models/channels/production.json"]
    house.registry.fault = None
    house.service.refresh()
    assert house.service.status().refused == ()


def test_a_refused_release_is_history_once_the_channel_points_elsewhere_or_at_nothing() -> None:
    house = House("BTC")
    house.registry.promote(ReleaseVersion.parse(VERSION), "1d", house.clock)
    house.service.load()
    bad = draft(LATER, models={"regressor_rf": constant_onnx("regressor_rf", float("nan"))})
    house.registry.promote(house.registry.publish(bad).release, "1d", house.clock)
    for _ in range(3):
        house.service.refresh()
        assert [item.release for item in house.service.status().refused] == [LATER]
    house.registry.promote(ReleaseVersion.parse(VERSION), "1d", house.clock)
    house.service.refresh()
    status = house.service.status()
    assert (status.refused, status.problems, status.release_failures) == ((), (), 3)
    house.registry.promote(ReleaseVersion.parse(LATER), "1d", house.clock)
    house.service.refresh()
    house.registry.fault = NoRelease("all is gone")
    house.service.refresh()
    assert house.service.status().refused == ()


def test_while_the_store_does_not_answer_a_refused_release_stays_refused() -> None:
    house = House("BTC")
    house.service.load()
    for fault in (ReleaseRefused(LATER, "of a wrong digest"), StorageUnavailable("down")):
        house.registry.fault = fault
        house.service.refresh()
    assert [item.release for item in house.service.status().refused] == [LATER]


def test_a_release_that_fails_on_an_asset_which_the_one_before_it_answers_is_refused() -> None:
    house = House("BTC", "ETH")
    house.service.load()
    price = constant_onnx("regressor_rf", 800.0)  # finite, and no price comes of it
    house.registry.publish(draft(LATER, models={"regressor_rf": price}))
    house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == VERSION
    (refusal,) = house.service.status().refused
    assert (refusal.release, "not a price" in refusal.reason) == (LATER, True)
