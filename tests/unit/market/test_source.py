import asyncio
from datetime import datetime, timedelta

import polars as pl
import pytest

from cripto.domain.interval import Interval
from cripto.market.source import CandlePage, CandleSource, Pair, history
from tests.doubles.candles import DAILY, START, random_walk

BTC = Pair("BTC", "USDT")
CANDLES = random_walk(["BTC"], 10)


class Pages:
    """A source with pages of four days; ``stuck`` ones lead to where they began."""

    name = "toy"

    def __init__(self, *, stuck: bool = False) -> None:
        self.stuck = stuck
        self.asked: list[datetime] = []

    async def pairs(self, *, volumes: bool = False) -> list[Pair]:
        return [BTC]

    async def server_time(self) -> datetime:
        return START + timedelta(days=10)

    async def candles(
        self, pair: Pair, interval: Interval, since: datetime, until: datetime | None = None
    ) -> CandlePage:
        self.asked.append(since)
        end = since + timedelta(days=4)
        page = CANDLES.filter((pl.col("time") >= since) & (pl.col("time") < end))
        following = since if self.stuck else end
        return CandlePage(page, following if end < START + timedelta(days=10) else None)


def read(source: CandleSource, until: datetime | None = None) -> list[int]:
    async def collect() -> list[int]:
        return [page.height async for page in history(source, BTC, DAILY, START - timedelta(days=8), until)]

    return asyncio.run(collect())


def test_pages_are_asked_for_until_there_are_no_more_and_empty_ones_are_not_given() -> None:
    source = Pages()
    assert read(source) == [4, 4, 2]
    assert len(source.asked) == 5


def test_a_page_that_leads_nowhere_ends_the_series() -> None:
    source = Pages(stuck=True)
    assert read(source) == []
    assert len(source.asked) == 1


@pytest.mark.parametrize(("days", "pages"), [(0, []), (1, [4]), (4, [4]), (5, [4, 4])])
def test_nothing_is_asked_for_at_or_after_the_end(days: int, pages: list[int]) -> None:
    assert read(Pages(), START + timedelta(days=days)) == pages


def test_a_pair_is_written_as_base_and_quote() -> None:
    assert str(BTC) == "BTC/USDT"
