import asyncio
import threading
from collections.abc import Callable

from anyio import CapacityLimiter, sleep
from fastapi import FastAPI

from cripto.forecasting import PredictionService, Snapshot
from cripto.serving.lifespan import background
from tests.unit.forecasting.toys import House, draft


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await sleep(0.005)


def test_the_background_finds_a_release_that_is_published_later() -> None:
    house = House("BTC", publish=False)

    async def run() -> None:
        async with background(house.service, 0.01, CapacityLimiter(1))(FastAPI()):
            await until(lambda: house.service.status().refreshes >= 2)
            assert not house.service.ready
            house.registry.publish(draft())
            await until(lambda: house.service.ready)
            seen = house.service.status().refreshes
            await until(lambda: house.service.status().refreshes > seen)

    asyncio.run(run())
    assert house.service.answer("BTC").body


def test_starting_and_stopping_wait_for_nothing() -> None:
    house = House("BTC")

    class Hanging(PredictionService):
        entered = threading.Event()
        let_go = threading.Event()

        def refresh(self) -> Snapshot:
            self.entered.set()
            assert self.let_go.wait(30)
            return super().refresh()

    service = Hanging(house.registry, house.lake, clock=house.clock, interval="1d")

    async def run() -> None:
        async with background(service, 60.0, CapacityLimiter(1))(FastAPI()):
            await until(service.entered.is_set)
        # leaving did not wait for the thread, which still hangs
        assert not service.ready
        service.let_go.set()

    asyncio.run(run())


def test_an_error_in_the_application_is_not_swallowed() -> None:
    house = House("BTC")

    async def run() -> str:
        try:
            async with background(house.service, 60.0, CapacityLimiter(1))(FastAPI()):
                raise KeyboardInterrupt
        except BaseExceptionGroup as group:
            return repr(group.exceptions[0])
        except KeyboardInterrupt as error:
            return repr(error)

    assert asyncio.run(run()) == "KeyboardInterrupt()"
