import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

from cripto.domain.interval import Interval
from cripto.errors import ExchangeDenied, ExchangeUnavailable
from cripto.market.reaching import reach
from cripto.market.source import CandlePage, Pair
from tests.doubles.candles import START


class Toy:
    """A source that only tells the time, in its way."""

    def __init__(self, name: str, tell: Callable[[], Coroutine[Any, Any, datetime]]) -> None:
        self.name = name
        self.server_time = tell
        self.ended = False

    async def pairs(self, *, volumes: bool = False) -> list[Pair]:
        raise NotImplementedError

    async def candles(
        self, pair: Pair, interval: Interval, since: datetime, until: datetime | None = None
    ) -> CandlePage:
        raise NotImplementedError


async def answers() -> datetime:
    await asyncio.sleep(0)
    return START + timedelta(days=1)


def fails(error: Exception) -> Callable[[], Coroutine[Any, Any, datetime]]:
    async def tell() -> datetime:
        raise error

    return tell


def test_each_says_why_it_gave_no_answer() -> None:
    sources = [
        Toy("good", answers),
        Toy("down", fails(ExchangeUnavailable("down", "connection refused"))),
        Toy("denied", fails(ExchangeDenied("denied", "451"))),
    ]
    found = asyncio.run(reach(sources, 5))
    assert found == {"good": None, "down": "connection refused", "denied": "451"}


def test_one_that_never_answers_is_left_and_its_request_ended() -> None:
    ended = []

    async def hangs() -> datetime:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append(True)
            raise
        return START

    found = asyncio.run(reach([Toy("hole", hangs), Toy("good", answers)], 0.05))
    assert found == {"hole": "no answer within 0.05 s", "good": None}
    assert ended == [True]


def test_nobody_to_ask_is_no_answer() -> None:
    assert asyncio.run(reach([], 5)) == {}


def test_what_is_no_failure_of_an_exchange_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(reach([Toy("broken", fails(ZeroDivisionError()))], 5))
