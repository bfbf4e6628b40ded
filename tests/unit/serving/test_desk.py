import threading
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cripto.errors import Overloaded
from cripto.serving.desk import Desk
from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application, problem


def test_who_would_wait_too_long_is_told_at_once_and_who_waits_is_answered() -> None:
    async def main() -> None:
        desk, may_end, done = Desk(1, may_wait=2), threading.Event(), []

        async def ask(number: int) -> None:
            done.append(await desk.run(lambda: may_end.wait(120) and number))

        async with anyio.create_task_group() as tasks:
            for number in (1, 2, 3):
                tasks.start_soon(ask, number)
            for _ in range(10):
                await checkpoint()
            with pytest.raises(Overloaded):
                await desk.run(lambda: None)
            may_end.set()
        assert sorted(done) == [1, 2, 3]
        assert await desk.run(lambda: 7) == 7

    anyio.run(main)


def test_what_the_work_raises_is_raised() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await Desk(1).run(lambda: 1 // 0)

    anyio.run(main)


def test_an_overload_is_a_reason_to_come_back_and_leaves_answers_at_hand_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cripto.serving.desk.Desk.run", partial(_refuse))
    house = House("BTC")
    house.service.load()
    client = Client(application(house))
    problem(client.get("/symbol/NOPE"), 503, "sobrecarga")
    problem(client.get("/predictions?ativos=BTC,NOPE"), 503, "sobrecarga")
    assert client.get("/symbol/BTC").status_code == 200
    assert client.get("/predictions?ativos=BTC").status_code == 200


async def _refuse(*_: object) -> None:
    raise Overloaded
