"""Commands about another interval than the default one: its channel, its candles, its copies on disk."""

import json
from pathlib import Path

import pytest

from cripto.cli.wiring import installation
from cripto.errors import UnknownInterval
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import HOURLY, random_walk
from tests.unit.cli.conftest import Command
from tests.unit.forecasting.toys import draft

EARLIER, LATER = "20250730-0000", "20250730-0100"


@pytest.fixture
def both(filled: str) -> str:
    """The store, with hours and two releases of them, none promoted, besides the days; its URL."""
    open_lake(filled).upsert(random_walk(["BTC"], 80, HOURLY))
    registry = ReleaseRegistry(open_store(filled))
    for version in (EARLIER, LATER):
        registry.publish(draft(version, interval="1h"))
    return filled


def pointers(url: str) -> dict[str, str]:
    store = open_store(url)
    return {
        info.key.rpartition("/")[2]: json.loads(store.get(info.key).data)["release"]
        for info in store.list("models/channels/")
    }


def test_releases_move_the_channel_of_their_own_interval(cripto: Command, both: str) -> None:
    daily = {"production.json": "20250729-2130"}
    assert pointers(both) == daily
    for version in (EARLIER, LATER):
        assert cripto("models", "promote", version).code == 0
        assert pointers(both) == daily | {"production-1h.json": version}
    assert cripto("models", "rollback", "--interval", "1h").code == 0
    assert pointers(both) == daily | {"production-1h.json": EARLIER}
    listed = json.loads(cripto("models", "list", "--json").out)["releases"]
    assert [item["release"] for item in listed if item["promoted"]] == ["20250729-2130", EARLIER]


def test_predictions_are_those_of_the_interval(cripto: Command, both: str) -> None:
    told = json.loads(cripto("predict", "BTC", "--interval", "1h", "--json").out)["predictions"][0]
    assert (told["intervalo"], told["release"]) == ("1h", LATER)
    assert json.loads(cripto("predict", "BTC", "--json").out)["predictions"][0]["intervalo"] == "1d"
    refused = cripto("predict", "BTC", "--interval", "3h")
    assert refused.code == 2
    assert "unknown interval '3h'" in refused.err


def test_a_pinned_release_is_of_the_default_interval_and_pins_no_other(
    cripto: Command, both: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_RELEASE", "20250729-2130")
    for interval, release in (("1d", "20250729-2130"), ("1h", LATER)):
        told = json.loads(cripto("predict", "BTC", "--interval", interval, "--json").out)
        assert told["predictions"][0]["release"] == release


def test_the_doctor_looks_at_the_interval_that_it_is_asked_about(cripto: Command, both: str) -> None:
    checks = {
        item["name"]: item for item in json.loads(cripto("doctor", "--interval", "1h", "--json").out)["checks"]
    }
    assert LATER in checks["models"]["detail"]
    assert checks["predictions"]["detail"] == "1 of 1 assets can be predicted"


def test_installations_of_two_intervals_share_all_but_what_they_serve_and_keep(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_CACHE_DIR", str(tmp_path / "cache"))
    daily = installation()
    hourly = daily.at("1h")
    assert daily.at(None) is daily.at("1d") is daily
    assert (hourly.lake, hourly.store, hourly.registry) == (daily.lake, daily.store, daily.registry)
    assert hourly.service.interval.name == "1h"
    assert daily.disk is not None
    assert hourly.disk is not None
    assert daily.disk.url != hourly.disk.url
    assert daily.bare is not None
    assert hourly.bare is None, "a joblib does not say its interval"
    with pytest.raises(UnknownInterval):
        daily.at("1w")
