import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from cripto.forecasting import PredictionService, Snapshot
from cripto.serving.lifespan import background
from cripto.serving.services import Services
from cripto.storage import MemoryStore
from tests.unit.forecasting.disks import kept, service
from tests.unit.forecasting.toys import House, candles, draft


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def test_the_background_finds_a_release_that_is_published_later() -> None:
    house = House("BTC", publish=False)

    async def run() -> None:
        async with background(Services(house.service), 0.01)(FastAPI()):
            await until(lambda: house.service.status().refreshes >= 2)
            assert not house.service.ready
            house.registry.publish(draft())
            await until(lambda: house.service.ready)
            seen = house.service.status().refreshes
            await until(lambda: house.service.status().refreshes > seen)

    asyncio.run(run())
    assert house.service.answer("BTC").body


class Hanging(PredictionService):
    """Looks at a store that does not answer before it is let go."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def refresh(self) -> Snapshot:
        self.entered.set()
        assert self.let_go.wait(120)
        return super().refresh()


def test_starting_and_stopping_wait_for_nothing() -> None:
    house = House("BTC")
    hanging = Hanging(house.registry, house.lake, clock=house.clock, interval="1d")

    async def run() -> None:
        async with background(Services(hanging), 60.0)(FastAPI()):
            await until(hanging.entered.is_set)
        # leaving did not wait for the thread, which still hangs
        assert not hanging.ready
        hanging.let_go.set()

    asyncio.run(run())


def test_an_error_in_the_application_is_not_swallowed() -> None:
    house = House("BTC")

    async def run() -> str:
        try:
            async with background(Services(house.service), 60.0)(FastAPI()):
                raise KeyboardInterrupt
        except BaseExceptionGroup as group:
            return repr(group.exceptions[0])
        except KeyboardInterrupt as error:
            return repr(error)

    assert asyncio.run(run()) == "KeyboardInterrupt()"


def test_a_store_that_hangs_at_the_start_is_waited_for_only_a_moment() -> None:
    house = House("BTC")
    local = MemoryStore()
    service(house, local).load()
    hanging = Hanging(house.registry, house.lake, clock=house.clock, interval="1d", last_good=kept(house, local))

    async def run() -> None:
        async with background(Services(hanging), 60.0, store_may_take=0.05)(FastAPI()):
            await until(lambda: hanging.ready)
            assert not hanging.let_go.is_set()
            assert [problem.part for problem in hanging.status().problems] == ["release"]
            hanging.let_go.set()
            await until(lambda: hanging.status().problems == ())

    asyncio.run(run())
    assert hanging.answer("BTC").body


def test_a_store_that_answers_in_time_is_preferred_to_the_disk() -> None:
    house = House("BTC")
    local = MemoryStore()
    service(house, local).load()
    house.registry.publish(draft("20250801-0000"))
    fresh = service(house, local)

    async def run() -> None:
        async with background(Services(fresh), 60.0, store_may_take=5.0)(FastAPI()):
            await until(lambda: fresh.ready)

    asyncio.run(run())
    assert fresh.status().release == "20250801-0000"


def test_candles_are_looked_for_between_two_looks_for_a_release() -> None:
    house = House("BTC")

    async def run() -> None:
        async with background(Services(house.service), 3600.0, candle_seconds=0.01)(FastAPI()):
            await until(lambda: house.service.snapshot.board is not None)
            before = house.service.snapshot
            house.lake.upsert(candles("ETH"))
            await until(lambda: house.service.snapshot is not before)

    asyncio.run(run())
    assert house.service.answer("ETH").body
    assert house.service.status().refreshes == 1


class Stumbling(PredictionService):
    """Each kind of background work meets an error nobody foresaw, once."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stumbled: set[str] = set()
        self.told = 0

    def _stumble(self, name: str) -> None:
        if name not in self.stumbled:
            self.stumbled.add(name)
            raise RuntimeError("can't start new thread")

    def refresh(self) -> Snapshot:
        self._stumble("refresh")
        return super().refresh()

    def follow(self) -> None:
        self._stumble("follow")
        super().follow()

    def keep_told(self) -> float:
        self._stumble("keep_told")
        self.told += 1
        return super().keep_told()


def test_an_error_nobody_foresaw_ends_no_background_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cripto.serving.lifespan._LONGEST_UNTOLD", 0.02)
    house = House("BTC")
    stumbling = Stumbling(house.registry, house.lake, clock=house.clock, interval="1d")
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 1:
            raise OSError("no space left on device")

    async def run() -> None:
        start = background(Services(stumbling), 0.05, candle_seconds=0.01, beat=beat)
        async with start(FastAPI()):
            await until(lambda: stumbling.stumbled == {"refresh", "follow", "keep_told"} and beats != [])
            seen, told = stumbling.status().refreshes, stumbling.told
            await until(lambda: stumbling.status().refreshes > seen and stumbling.told > told)
            await until(lambda: len(beats) > 1)

    asyncio.run(run())
    assert stumbling.answer("BTC").body
