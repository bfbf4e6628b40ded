from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from cripto.domain.clock import FixedClock, rfc3339
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput
from cripto.market.lake import CandleLake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training.retraining import MOST_READ, new_candles
from tests.doubles.candles import DAILY, HOURLY, START, random_walk
from tests.doubles.releases import fake_draft
from tests.unit.training.toys import NOW, lake_of

LAST = START + timedelta(days=99)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> ReleaseRegistry:
    return ReleaseRegistry(store)


def release(
    registry: ReleaseRegistry,
    last: datetime = LAST,
    version: str = "20260101-0000",
    interval: str = "1d",
    training: Mapping[str, Any] | None = None,
) -> None:
    told = {"candles": {"last": rfc3339(last)}} if training is None else training
    registry.publish(replace(fake_draft(version, interval=interval), training=told))


def lake(days: int = 107) -> CandleLake:
    return lake_of(random_walk(["BTC", "ETH"], days))


def test_without_a_release_nothing_keeps_from_training(registry: ReleaseRegistry) -> None:
    found = new_candles(lake(), registry, DAILY, "1d", ("USDT",), 5, NOW)
    assert found.enough
    assert found.to_json() == {
        "needed": 5,
        "new": None,
        "newest": None,
        "since": None,
        "not_closed": {"candles": 0, "assets": []},
    }
    assert "no release" in str(found)


@pytest.mark.parametrize(("needed", "enough"), [(1, True), (7, True), (8, False)])
def test_candle_times_after_those_of_the_newest_release_count_once(
    registry: ReleaseRegistry, needed: int, enough: bool
) -> None:
    release(registry)
    found = new_candles(lake(), registry, DAILY, "1d", ("USDT",), needed, NOW)
    assert found.new == 7
    assert found.enough is enough
    assert "7 candle times closed since those of release 20260101-0000" in str(found)
    assert rfc3339(LAST) in str(found)


def test_no_new_candle_is_none(registry: ReleaseRegistry) -> None:
    release(registry)
    assert new_candles(lake(100), registry, DAILY, "1d", ("USDT",), 1, NOW).new == 0
    assert new_candles(lake(50), registry, DAILY, "1d", ("USDT",), 1, NOW).new == 0


def test_a_whole_past_of_a_new_coin_is_nothing_new(registry: ReleaseRegistry) -> None:
    release(registry)
    candles = pl.concat([random_walk(["BTC"], 101), random_walk(["NEW"], 100)])
    assert new_candles(lake_of(candles), registry, DAILY, "1d", ("USDT",), 1, NOW).new == 1


def test_the_newest_release_counts_promoted_or_not_and_of_that_interval(registry: ReleaseRegistry) -> None:
    release(registry)
    release(registry, LAST + timedelta(days=4), "20260102-0000")
    release(registry, LAST + timedelta(days=7), "20260103-0000", "1h")
    found = new_candles(lake(), registry, DAILY, "1d", ("USDT",), 5, NOW)
    assert (str(found.newest), found.new, found.enough) == ("20260102-0000", 3, False)
    hourly = new_candles(
        lake_of(random_walk(["BTC"], 24 * 107, HOURLY)), registry, HOURLY, "1d", ("USDT",), 5, NOW
    )
    assert (str(hourly.newest), hourly.new) == ("20260103-0000", 23)


def test_a_release_that_cannot_be_read_is_passed_over(store: MemoryStore, registry: ReleaseRegistry) -> None:
    release(registry)
    store.put("models/releases/20260105-0000/manifest.json", b"{}")
    assert str(new_candles(lake(), registry, DAILY, "1d", ("USDT",), 1, NOW).newest) == "20260101-0000"


@pytest.mark.parametrize("training", [{}, {"candles": 3}, {"candles": {"last": "never"}}])
def test_a_release_that_does_not_tell_its_candles_keeps_from_nothing(
    registry: ReleaseRegistry, training: Mapping[str, Any]
) -> None:
    release(registry, training=training)
    assert new_candles(lake(), registry, DAILY, "1d", ("USDT",), 9, NOW).enough


def test_less_than_one_new_candle_is_no_rule(registry: ReleaseRegistry) -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        new_candles(lake(), registry, DAILY, "1d", ("USDT",), 0, NOW)


def test_a_release_of_a_clock_that_was_ahead_is_not_the_newest_for_ever(registry: ReleaseRegistry) -> None:
    release(registry, LAST, "20990101-0000")
    release(registry, LAST + timedelta(days=7), "20260102-0000")
    found = new_candles(lake(), registry, DAILY, "1d", ("USDT",), 1, NOW)
    assert (str(found.newest), found.new) == ("20260102-0000", 0)


def test_a_release_that_does_not_tell_its_candles_hides_none_that_does(registry: ReleaseRegistry) -> None:
    release(registry)
    release(registry, version="20260102-0000", training={})
    assert new_candles(lake(), registry, DAILY, "1d", ("USDT",), 1, NOW).new == 7


def test_candles_that_have_not_closed_are_not_counted_and_are_named(registry: ReleaseRegistry) -> None:
    release(registry)
    candles = [
        random_walk(["BTC", "ETH"], 107),
        random_walk(["ETH", "SOL"], 2, start=START + timedelta(days=9999)),
    ]
    midday = LAST + timedelta(days=7, hours=12)
    found = new_candles(lake_of(pl.concat(candles)), registry, DAILY, "1d", ("USDT",), 1, midday)
    assert found.new == 6, "the seventh opened half a day ago"
    assert found.to_json()["not_closed"] == {"candles": 6, "assets": ["BTC", "ETH", "SOL"]}
    assert "not closed yet: 6 candles of BTC, ETH, SOL" in str(found)
    assert "closed yet" not in str(new_candles(lake(), registry, DAILY, "1d", ("USDT",), 1, NOW))


def test_a_release_trained_on_candles_that_have_not_closed_keeps_from_nothing(registry: ReleaseRegistry) -> None:
    release(registry, NOW + timedelta(days=9999))
    assert new_candles(lake(), registry, DAILY, "1d", ("USDT",), 9, NOW).enough
    release(registry, version="20250101-0000")
    found = new_candles(lake(), registry, DAILY, "1d", ("USDT",), 9, NOW)
    assert (str(found.newest), found.new) == ("20250101-0000", 7)


class Counted(ReleaseRegistry):
    """A registry that counts how many manifests are asked for."""

    asked = 0

    def manifest(self, version: ReleaseVersion) -> Manifest:
        self.asked += 1
        return super().manifest(version)


def test_a_long_history_is_not_read_and_the_promoted_release_is(store: MemoryStore) -> None:
    registry = Counted(store)
    for day in range(1, 29):
        release(registry, LAST, f"202602{day:02}-0000")
    release(registry, LAST + timedelta(days=3), "20260101-0000")
    registry.promote(ReleaseVersion.parse("20260101-0000"), "1d", FixedClock(START))
    registry.asked = 0
    found = new_candles(lake(), registry, DAILY, "1d", ("USDT",), 1, NOW)
    assert (str(found.newest), found.new) == ("20260101-0000", 4)
    assert registry.asked == MOST_READ + 1


def test_releases_of_another_interval_hide_none_however_many(registry: ReleaseRegistry) -> None:
    release(registry)
    for day in range(1, 29):
        release(registry, LAST, f"202602{day:02}-0000", "1h")
    assert new_candles(lake(), registry, DAILY, "1d", ("USDT",), 1, NOW).new == 7
