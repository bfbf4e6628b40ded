"""Releases swapped under load: no request fails, none is answered by two releases, memory stays."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cripto.cli.serve import application
from cripto.cli.wiring import Installation
from cripto.domain.clock import FixedClock, SystemClock
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.forecasting import Answer, Board, PredictionService
from cripto.market.lake import open_lake
from cripto.registry import ReleaseDraft, ReleaseRegistry
from cripto.serving import create_app
from cripto.settings import Settings
from cripto.storage import open_store
from tests.doubles.load import constant, constant_load, is_whole
from tests.doubles.processes import resident_kib, serving
from tests.integration.live import live, until
from tests.unit.forecasting.toys import LAST_CLOSE, House, candles, constant_onnx, draft


def version_of(number: int) -> str:
    return f"20250801-{number // 60:02}{number % 60:02}00"


def release_of(number: int) -> ReleaseDraft:
    """Release ``number``, whose five models all give a number of its own."""
    version = version_of(number)
    share = constant(version)
    graphs: Mapping[str, bytes] = {
        name: constant_onnx(name, math.log1p(share) if name.startswith("regressor") else share)
        for name in MODEL_NAMES
    }
    return draft(version, models=graphs)


@pytest.mark.parametrize("swaps", [16, pytest.param(100, marks=pytest.mark.slow)])
def test_swaps_lose_no_request_tear_no_answer_and_keep_no_memory(swaps: int, tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    registry = ReleaseRegistry(open_store(url))
    open_lake(url).upsert(candles("BTC", "ETH", "ADA"))
    for number in range(swaps + 1):
        registry.publish(release_of(number))
    registry.promote(ReleaseVersion.parse(version_of(0)), "1d", SystemClock())
    env = {"CRIPTO_STORE": url, "CRIPTO_REFRESH_SECONDS": "0.1", "CRIPTO_CACHE_DIR": str(tmp_path / "cache")}
    memory: dict[int, int] = {}
    with serving("serve", env=env, cwd=tmp_path) as client:
        with constant_load(str(client.base_url), "/symbol/BTC") as load:
            until(lambda: load.answers > 0)
            for number in range(1, swaps + 1):
                version = version_of(number)
                registry.promote(ReleaseVersion.parse(version), "1d", SystemClock())
                until(lambda version=version: client.get("/health").json()["release"] == version)  # type: ignore[misc]
                until(lambda met=number + 1: len(load.bodies) >= met)  # type: ignore[misc]
                if number in (10, swaps):
                    memory[number] = resident_kib(client.pid)
        health = client.get("/health").json()
    assert set(load.statuses) == {200}
    assert load.answers > swaps
    assert load.torn == []
    assert len(load.bodies) == swaps + 1, "the load met every release"
    assert health["degraded"] == [] or {item["part"] for item in health["degraded"]} == {"candles"}
    assert memory[swaps] <= memory[10] * 1.10, memory


class TornService(PredictionService):
    """Swaps a model at a time, as a service would whose models are entries of one shared dictionary."""

    def swap(self, number: int, pause: Callable[[], None]) -> None:
        release, candles_ = release_of(number), self.snapshot.candles
        assert candles_ is not None
        loaded = self._finder._load(release.version)
        served = self.snapshot.release
        assert served is not None
        models = list(served.models)
        for place, model in enumerate(loaded.models):
            models[place] = model
            mixed = replace(loaded, models=tuple(models))
            self._snapshot = replace(self.snapshot, release=mixed, board=None)
            pause()

    def held(self, asset: str, now: datetime | None = None) -> Answer | None:
        return None

    def answer(self, asset: str) -> Answer:
        snapshot = self.snapshot
        assert snapshot.release is not None
        assert snapshot.candles is not None
        return Board(snapshot.release, snapshot.candles.windows).answer(asset, self._clock.now())


def test_the_same_check_catches_a_swap_of_one_model_after_another() -> None:
    house = House("BTC", publish=False)
    for number in range(4):
        house.registry.publish(release_of(number))
    house.registry.promote(ReleaseVersion.parse(version_of(0)), "1d", house.clock)
    service = TornService(house.registry, house.lake, clock=house.clock, interval="1d")
    service.load()
    app = create_app(service, version="1.2.3", clock=house.clock, refresh_seconds=3600)
    with live(app) as url, constant_load(url, "/symbol/BTC") as load:

        def asked_on() -> None:
            seen = load.answers
            until(lambda: load.answers >= seen + 8)  # twice what was under way

        for number in range(1, 4):
            service.swap(number, asked_on)
    assert load.torn


@pytest.mark.parametrize("fault", ["a version", "a number"])
def test_an_answer_of_two_releases_is_not_whole(fault: str) -> None:
    house = House("BTC", publish=False)
    house.registry.publish(release_of(7))
    house.clock.time += timedelta(hours=1)
    house.service.load()
    body = house.service.answer("BTC").body
    assert is_whole(body)
    answer = json.loads(body)
    if fault == "a version":
        answer["modelos"]["classifier_rf"]["versao"] = version_of(8)
    else:
        answer["modelos"]["classifier_rf"]["probabilidade"] += 0.0001
    assert not is_whole(json.dumps(answer).encode())


def test_a_rollback_reaches_every_replica_and_all_give_the_same_bytes(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    registry = ReleaseRegistry(open_store(url))
    open_lake(url).upsert(candles("BTC"))
    for number in (1, 2):
        registry.promote(registry.publish(release_of(number)).release, "1d", SystemClock())
    clock = FixedClock(LAST_CLOSE)
    with ExitStack() as replicas:
        urls = [
            replicas.enter_context(
                live(application(Installation(Settings(store=url, refresh_seconds=0.1), clock)))
            )
            for _ in range(2)
        ]

        def answers() -> list[bytes]:
            return [httpx.get(f"{each}/symbol/BTC").content for each in urls]

        def release() -> set[str]:
            return {str(json.loads(body).get("release")) for body in answers()}

        until(lambda: release() == {version_of(2)})
        registry.rollback("1d", "1d", SystemClock())
        until(lambda: release() == {version_of(1)})
        assert len(set(answers())) == 1
