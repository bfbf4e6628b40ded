"""Looks for candles alone, between those for a release."""

import json
from datetime import timedelta

import polars as pl

from cripto.errors import StorageUnavailable
from tests.unit.forecasting.toys import LAST_CLOSE, VERSION, House, candles, draft

LATER = "20250801-0000"
GROWN = candles("BTC", count=81).with_columns(pl.col("time").dt.offset_by("1d"))


def told(house: House) -> tuple[str, str]:
    answer = json.loads(house.service.answer("BTC").body)
    return answer["timestamp"], answer["release"]


def test_candles_are_taken_up_and_the_release_stays() -> None:
    house = House("BTC")
    house.service.load()
    house.registry.publish(draft(LATER))
    house.lake.upsert(GROWN)
    house.service.follow()
    assert told(house) == (f"{LAST_CLOSE + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", VERSION)
    house.service.refresh()
    assert told(house)[1] == LATER


def test_nothing_new_changes_nothing() -> None:
    house = House("BTC")
    house.service.load()
    before = house.service.snapshot
    house.service.follow()
    assert house.service.snapshot is before
    assert house.service.status().refreshes == 0


def test_a_lake_that_fails_is_told_and_followed_again() -> None:
    house = House("BTC")
    house.service.load()
    for fault in (StorageUnavailable("no"), RuntimeError("a bug")):
        house.lake.fault = fault
        house.service.follow()
        assert [problem.part for problem in house.service.status().problems] == ["candles"]
        assert told(house)
    house.lake.fault = None
    house.service.follow()
    assert house.service.status().problems == ()


def test_before_anything_is_loaded_there_is_nothing_to_follow() -> None:
    house = House("BTC")
    house.service.follow()
    assert not house.service.ready
