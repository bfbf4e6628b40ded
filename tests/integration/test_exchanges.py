"""The real client against a local exchange: what is read when all is well, and when pages and clocks are not."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.domain.interval import INTERVALS
from cripto.errors import InvalidInput, UnknownPair
from cripto.market.schema import CANDLE_SCHEMA
from cripto.market.source import Pair
from tests.doubles.candles import START
from tests.doubles.exchange_server.book import STALE_ROWS
from tests.integration.exchanges import COUNT, NAMES, NOON, Desk, desk

TEN_MINUTES = timedelta(minutes=10)
MIDNIGHT = START + timedelta(days=COUNT - 1)


@pytest.fixture(params=NAMES)
def at(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with desk(request.param) as open_desk:
        yield open_desk


def test_the_whole_series_is_read_once_and_without_the_candle_under_way(at: Desk) -> None:
    found = at.read()
    assert found.schema == CANDLE_SCHEMA
    assert_frame_equal(found, at.expected())


def test_a_series_that_begins_later_than_asked_for_is_found(at: Desk) -> None:
    assert_frame_equal(at.read(since=START - timedelta(days=1500)), at.expected())


def test_a_series_is_read_from_one_time_to_another(at: Desk) -> None:
    since, until = START + timedelta(days=250), START + timedelta(days=611)
    found = at.read(since=since, until=until)
    assert_frame_equal(found, at.expected().filter((pl.col("time") >= since) & (pl.col("time") < until)))


def test_a_hole_longer_than_a_page_does_not_end_a_series(at: Desk) -> None:
    days = pl.col("time") - START
    kept = (days < timedelta(days=100)) | (days >= timedelta(days=500))
    at.book.candles = at.book.candles.filter(kept)
    assert_frame_equal(at.read(), at.expected(count=299))


def test_nothing_new_is_no_candle_and_no_loop(at: Desk) -> None:
    found = at.read(since=MIDNIGHT)
    assert found.is_empty()
    assert found.schema == CANDLE_SCHEMA
    assert len(at.server.seen) <= 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skew", [-TEN_MINUTES, TEN_MINUTES], ids=["exchange behind", "exchange ahead"])
@pytest.mark.parametrize("second", [-1, 0], ids=["open", "closed"])
def test_a_candle_is_closed_when_the_exchanges_clock_says_so(name: str, skew: timedelta, second: int) -> None:
    now = MIDNIGHT + timedelta(seconds=second)
    with desk(name, skew=skew, now=now) as at:
        assert_frame_equal(at.read(), at.expected(count=COUNT - 1 if second == 0 else COUNT - 2))


def test_a_clock_put_right_while_reading_lets_no_open_candle_in(at: Desk) -> None:
    async def read_twice() -> list[int]:
        async with at.client() as exchange:
            first = await exchange.candles(at.btc, INTERVALS["1d"], MIDNIGHT - timedelta(days=1))
            at.clock.time += timedelta(days=1)
            second = await exchange.candles(at.btc, INTERVALS["1d"], MIDNIGHT - timedelta(days=1))
        return [first.candles.height, second.candles.height]

    assert asyncio.run(read_twice()) == [1, 1]


def test_the_exchange_tells_its_time(at: Desk) -> None:
    async def ask() -> timedelta:
        async with at.client() as exchange:
            return await exchange.server_time() - NOON

    assert asyncio.run(ask()) == timedelta(0)


@pytest.mark.parametrize("overlap", [1, 7, 150])
def test_pages_that_overlap_are_merged(at: Desk, overlap: int) -> None:
    at.book.overlap = overlap
    assert_frame_equal(at.read(), at.expected())


def test_rows_given_twice_are_one_candle(at: Desk) -> None:
    at.book.doubled = True
    assert_frame_equal(at.read(), at.expected())


def test_a_page_given_again_by_accident_loses_nothing(at: Desk) -> None:
    at.book.stale = 1
    assert_frame_equal(at.read(since=START + timedelta(days=100)), at.expected()[100:])
    assert at.book.stale == 0


def test_pages_that_never_advance_end_the_series(at: Desk) -> None:
    at.book.stale = 1_000
    assert at.read(since=START + timedelta(days=STALE_ROWS)).is_empty()
    # two looks at each page there may be: Coinbase's are spans of 300 days
    assert at.book.stale >= 1_000 - 2 * 3


def test_pairs_are_listed_with_what_is_traded_no_more(at: Desk) -> None:
    at.book.delisted.add(f"LTC/{at.quote}")

    async def ask() -> list[Pair]:
        async with at.client() as exchange:
            return await exchange.pairs()

    assert asyncio.run(ask()) == [
        Pair("BTC", at.quote),
        Pair("ETH", at.quote),
        Pair("LTC", at.quote, active=False),
    ]


def test_pairs_whose_names_are_no_asset_symbols_are_left_out() -> None:
    with desk("binance") as at:
        odd = at.expected("ETH").with_columns(symbol=pl.lit("币安人生"))
        at.book.candles = pl.concat([at.book.candles.filter(symbol="BTC"), odd])

        async def ask() -> list[Pair]:
            async with at.client() as exchange:
                return await exchange.pairs()

        assert asyncio.run(ask()) == [at.btc]


def test_the_candles_of_a_delisted_pair_are_still_told(at: Desk) -> None:
    at.book.delisted.add(f"LTC/{at.quote}")
    assert_frame_equal(at.read(Pair("LTC", at.quote)), at.expected("LTC"))


@pytest.mark.parametrize(("name", "volumes"), [("binance", [2500.5] * 3), ("coinbaseexchange", [None] * 3)])
def test_volumes_are_told_where_the_exchange_tells_them(name: str, volumes: list[float | None]) -> None:
    async def ask(at: Desk) -> list[float | None]:
        async with at.client() as exchange:
            return [pair.quote_volume for pair in await exchange.pairs(volumes=True)]

    with desk(name) as at:
        assert asyncio.run(ask(at)) == volumes


def test_a_pair_that_was_never_listed_is_the_callers_fault(at: Desk) -> None:
    with pytest.raises(UnknownPair, match=f"{at.name} does not list NADA/{at.quote}"):
        at.read(Pair("NADA", at.quote))
    assert at.waits.slept == []


@pytest.mark.parametrize("name", ["coinbaseexchange"])
def test_a_pair_that_vanishes_while_it_is_read_keeps_what_was_read(name: str) -> None:
    with desk(name) as at:
        at.book.vanish_after[str(at.btc)] = 2
        pages: list[pl.DataFrame] = []

        async def read() -> None:
            async with at.client() as exchange:
                start = START
                while True:
                    page = await exchange.candles(at.btc, INTERVALS["1d"], start)
                    pages.append(page.candles)
                    assert page.next is not None
                    start = page.next

        with pytest.raises(UnknownPair):
            asyncio.run(read())
        assert_frame_equal(pl.concat(pages), at.expected(count=600))


def test_a_pair_that_vanished_since_it_was_listed_is_unknown_and_others_are_read_on(at: Desk) -> None:
    at.book.vanish_after[str(at.btc)] = 1

    async def read() -> int:
        async with at.client() as exchange:
            await exchange.candles(at.btc, INTERVALS["1d"], START)
            with pytest.raises(UnknownPair):
                await exchange.candles(at.btc, INTERVALS["1d"], START)
            return (await exchange.candles(Pair("ETH", at.quote), INTERVALS["1d"], START)).candles.height

    assert asyncio.run(read()) > 200


def test_an_interval_the_exchange_lacks_is_the_callers_fault() -> None:
    with desk("coinbaseexchange") as at, pytest.raises(InvalidInput, match="no candles of 4h"):
        at.read(interval=INTERVALS["4h"])


def test_many_series_are_read_at_once_within_the_bound(at: Desk) -> None:
    async def read() -> list[int]:
        async with at.client(concurrency=2) as exchange:
            since = MIDNIGHT - timedelta(days=200)
            pages = await asyncio.gather(
                *(
                    exchange.candles(Pair(base, at.quote), INTERVALS["1d"], since)
                    for base in ["BTC", "ETH", "LTC"] * 6
                )
            )
        return [page.candles.height for page in pages]

    assert asyncio.run(read()) == [200] * 18
    assert at.server.most_at_once <= 2


def test_an_exchange_nobody_knows_is_the_callers_fault() -> None:
    with desk("binance") as at:
        at.name = "bolsa_de_ninguem"
        with pytest.raises(InvalidInput, match="no exchange that ccxt knows"):
            at.client()
