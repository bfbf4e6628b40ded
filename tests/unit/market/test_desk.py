import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from cripto.domain.clock import FixedClock
from cripto.errors import CriptoError, ExchangeDenied, ExchangeUnavailable, UnknownPair
from cripto.market._desk import Desk
from cripto.market.source import Pair
from tests.doubles.candle_sources import ToySource
from tests.doubles.candles import DAILY, START, random_walk

BTC = Pair("BTC", "USDT")
NOW = START + timedelta(days=20)


class Counter:
    """A desk before a toy exchange."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.source = ToySource("one", random_walk(["BTC"], 10), self.clock, ahead=90.0)
        self.desk = Desk(self.source, self.clock)

    def candles(self, pair: Pair = BTC) -> bool:
        """Whether candles were had; an exchange's failure is swallowed."""
        try:
            run(self.desk.candles(pair, DAILY, START, None))
        except (ExchangeUnavailable, ExchangeDenied):
            return False
        return True

    def rest(self) -> float:
        return self.desk.resting().total_seconds()


def run(question: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(question)


def test_it_knows_the_list_and_the_time_once_it_has_looked() -> None:
    at = Counter()
    assert at.desk.now() == NOW
    assert at.desk.listed is None
    assert run(at.desk.look(volumes=False)) == [BTC]
    assert at.desk.now() == NOW + timedelta(seconds=90)
    assert at.desk.listed == [BTC]


@pytest.mark.parametrize("error", [ExchangeUnavailable("one", "down"), ExchangeDenied("one", "no")])
def test_after_two_failures_in_a_row_nobody_asks_for_a_while_and_each_rest_is_longer(error: CriptoError) -> None:
    at = Counter()
    at.source.failing = error
    assert not at.candles()
    assert at.rest() == 0
    assert not at.candles()
    assert at.rest() == 30
    asked = at.source.asked.total()
    for _ in range(400):
        assert not at.candles()
    assert at.source.asked.total() == asked
    rests = []
    for _ in range(6):
        at.clock.time += timedelta(seconds=at.rest())
        assert not at.candles()
        rests.append(at.rest())
    assert rests == [60, 120, 240, 300, 300, 300]


def test_an_answer_ends_the_count() -> None:
    at = Counter()
    for _ in range(5):
        at.source.failing = ExchangeUnavailable("one", "down")
        assert not at.candles()
        at.source.failing = None
        assert at.candles()
    assert at.rest() == 0


def test_the_rest_that_is_asked_for_is_given_at_once() -> None:
    at = Counter()
    at.source.failing = ExchangeUnavailable("one", "banned", 7200.0)
    assert not at.candles()
    assert at.rest() == 7200


def test_a_list_that_fails_is_enough() -> None:
    at = Counter()
    at.source.unlisted = ExchangeUnavailable("one", "down")
    with pytest.raises(ExchangeUnavailable):
        run(at.desk.look(volumes=False))
    assert at.rest() == 30
    assert not at.candles()
    assert at.source.asked.total() == 0


def test_a_pair_it_does_not_know_is_no_failure_of_the_exchange() -> None:
    at = Counter()
    for _ in range(5):
        with pytest.raises(UnknownPair):
            at.candles(Pair("NADA", "USDT"))
    assert at.rest() == 0
    assert at.candles()


def test_a_clock_that_is_set_back_makes_no_rest_longer() -> None:
    at = Counter()
    at.source.failing = ExchangeUnavailable("one", "down")
    at.candles()
    at.candles()
    at.clock.time -= timedelta(days=300)
    assert at.rest() == 30
