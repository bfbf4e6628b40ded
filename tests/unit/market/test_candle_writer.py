import asyncio
from collections.abc import Awaitable, Callable

import polars as pl
import pytest

from cripto.errors import CriptoError, StorageDenied, StorageUnavailable
from cripto.market._candle_writer import CandleWriter
from cripto.market.lake import MemoryLake, Upsert
from tests.doubles.candles import random_walk

WALK = random_walk(["BTC"], 100)


class Lake(MemoryLake):
    """Fails as often as ``errors`` has something to raise."""

    def __init__(self, *errors: CriptoError) -> None:
        super().__init__()
        self.errors = list(errors)
        self.sizes: list[int] = []

    def upsert(self, candles: pl.DataFrame) -> Upsert:
        if self.errors:
            raise self.errors.pop(0)
        self.sizes.append(candles.height)
        return super().upsert(candles)


def write(
    lake: Lake, work: Callable[[CandleWriter], Awaitable[None]], *, rows: int = 50, seconds: float = 30.0
) -> tuple[int, list[float]]:
    """Candles written, and how long was waited for the lake."""
    written: list[Upsert] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run() -> None:
        writer = CandleWriter(lake, sleep=sleep, written=written.append, rows=rows, seconds=seconds)
        try:
            await work(writer)
        finally:
            await writer.close()

    asyncio.run(run())
    return sum(item.inserted for item in written), slept


async def ten_each(writer: CandleWriter) -> None:
    for part in WALK.iter_slices(10):
        await writer.put(part)


def test_candles_are_written_in_batches_and_what_is_left_at_the_end() -> None:
    lake = Lake()
    assert write(lake, ten_each, rows=40) == (100, [])
    assert lake.sizes == [40, 40, 20]
    assert lake.read("1d").equals(WALK)


def test_what_has_waited_long_enough_is_written() -> None:
    lake = Lake()

    async def work(writer: CandleWriter) -> None:
        await writer.put(WALK.head(10))
        await asyncio.sleep(0.2)
        assert lake.sizes == [10]
        await writer.put(WALK.head(0))

    write(lake, work, seconds=0.02)
    assert lake.sizes == [10]


def test_a_lake_that_is_down_for_a_while_is_tried_again() -> None:
    lake = Lake(StorageUnavailable("down"), StorageUnavailable("down"))
    assert write(lake, ten_each, rows=100) == (100, [1.0, 4.0])


@pytest.mark.parametrize("errors", [[StorageUnavailable("down")] * 4, [StorageDenied("no")]])
def test_what_cannot_be_written_is_told_and_nothing_after_it_is_written(errors: list[CriptoError]) -> None:
    lake = Lake(*errors)

    async def work(writer: CandleWriter) -> None:
        for _ in range(1000):
            await writer.put(WALK)

    with pytest.raises(type(errors[0])):
        write(lake, work)
    assert lake.sizes == []
