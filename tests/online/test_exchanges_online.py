"""The contract of the local exchanges, held to the real ones. Run by hand: ``pytest -m online tests/online``."""

import asyncio
from datetime import timedelta

import polars as pl
import pytest

from cripto.domain.clock import SystemClock
from cripto.domain.interval import INTERVALS
from cripto.errors import UnknownPair
from cripto.market.exchange import Exchange
from cripto.market.schema import CANDLE_SCHEMA, empty_candles
from cripto.market.source import Pair, history
from cripto.market.validation import validate

pytestmark = [pytest.mark.online, pytest.mark.timeout(180)]

CLOCK = SystemClock()
DAY = INTERVALS["1d"]
PAIRS = {
    "binance": Pair("BTC", "USDT"),
    "bybit": Pair("BTC", "USDT"),
    "coinbase": Pair("BTC", "USD"),
    "coinbaseexchange": Pair("BTC", "USD"),
    "kraken": Pair("BTC", "USD"),
    "mercado": Pair("BTC", "BRL"),
}


async def read(name: str, days: int) -> pl.DataFrame:
    async with Exchange(name, clock=CLOCK) as exchange:
        since = DAY.floor(CLOCK.now()) - timedelta(days=days)
        pages = [page async for page in history(exchange, PAIRS[name], DAY, since)]
    return pl.concat([empty_candles(), *pages])


@pytest.mark.parametrize("name", PAIRS)
def test_a_series_longer_than_a_page_is_whole_sorted_and_closed(name: str) -> None:
    found = asyncio.run(read(name, 650))
    assert found.schema == CANDLE_SCHEMA
    assert found["source"].unique().to_list() == [name]
    # One candle may close, or not yet be told, while this runs.
    assert 648 <= found.height <= 651
    checked = validate(found, DAY, CLOCK.now() + timedelta(minutes=1))
    assert checked.quarantined == 0
    assert checked.gaps.is_empty()
    assert checked.accepted.height == found.height


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_listed_and_the_time_is_about_ours(name: str) -> None:
    async def ask() -> tuple[list[Pair], timedelta]:
        async with Exchange(name, clock=CLOCK) as exchange:
            return await exchange.pairs(), await exchange.server_time() - CLOCK.now()

    pairs, ahead = asyncio.run(ask())
    assert PAIRS[name] in pairs
    assert len(pairs) > 100
    assert abs(ahead) < timedelta(minutes=1)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_nobody_lists_is_unknown(name: str) -> None:
    async def ask() -> None:
        async with Exchange(name, clock=CLOCK) as exchange:
            await exchange.candles(Pair("NAOEXISTE", "USD"), DAY, CLOCK.now() - timedelta(days=3))

    with pytest.raises(UnknownPair):
        asyncio.run(ask())
