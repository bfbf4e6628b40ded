"""Mercado Bitcoin, which has no question for the time and tells of its maintenance with status 200."""

import asyncio
from datetime import datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

from cripto.errors import ExchangeUnavailable, UnknownPair
from cripto.market.source import Pair
from tests.doubles.candles import START
from tests.doubles.exchange_server import Fault, cut_short, disguised, failing, nothing_said, spoilt
from tests.integration.exchanges import COUNT, NOON, desk

MAINTENANCE = disguised({"status": 503, "message": "Maintenancing, try again later", "result": None})
MIDNIGHT = START + timedelta(days=COUNT - 1)


@pytest.mark.parametrize("days", [0, 450])
def test_a_series_is_read_once_wherever_it_begins(days: int) -> None:
    with desk("mercado") as at:
        assert_frame_equal(at.read(since=START - timedelta(days=days)), at.expected())


def test_the_time_is_the_date_of_its_answers() -> None:
    async def ask() -> datetime:
        async with at.client() as exchange:
            return await exchange.server_time()

    with desk("mercado", skew=timedelta(minutes=10)) as at:
        assert asyncio.run(ask()) == NOON


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("second", [-1, 0])
def test_a_candle_is_closed_by_that_time(minutes: int, second: int) -> None:
    now = MIDNIGHT + timedelta(seconds=second)
    with desk("mercado", skew=timedelta(minutes=minutes), now=now) as at:
        assert at.read().height == (COUNT - 1 if second == 0 else COUNT - 2)


@pytest.mark.parametrize("about", ["candles", "pairs"])
@pytest.mark.parametrize("change", [MAINTENANCE, cut_short, failing(503), nothing_said])
def test_what_passes_loses_nothing_and_what_stays_is_told(about: str, change: object) -> None:
    assert callable(change)
    with desk("mercado") as at:
        at.server.faults.append(Fault(change, about, times=2))
        assert_frame_equal(at.read(), at.expected())
        at.server.faults.append(Fault(change, about, times=1_000))
        with pytest.raises(ExchangeUnavailable):
            at.read()


def test_columns_that_lack_values_are_asked_for_again() -> None:
    with desk("mercado") as at:
        at.server.faults.append(Fault(spoilt, times=2))
        assert_frame_equal(at.read(), at.expected())


def test_an_unknown_pair_is_the_callers_fault() -> None:
    with desk("mercado") as at, pytest.raises(UnknownPair):
        at.read(Pair("NADA", "BRL"))
