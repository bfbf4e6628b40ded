"""One writer for all series: candles are upserted in batches, so that 400 series do not make 400 commits."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import polars as pl

from cripto.errors import RetryLater
from cripto.market.lake import CandleLake, Upsert

__all__ = ["CandleWriter"]

_WAITING = 64
_PAUSES = (1.0, 4.0, 10.0)


class CandleWriter:
    """Writes what is put into it, in that order, when there are ``rows`` of them or ``seconds`` have passed.

    The lake is used in a thread. A lake that is unavailable is tried again three times; after that, and after any
    other error, nothing more is written and `put` and `close` raise the error.
    """

    def __init__(
        self,
        lake: CandleLake,
        *,
        sleep: Callable[[float], Awaitable[None]],
        written: Callable[[Upsert], None],
        rows: int = 20_000,
        seconds: float = 5.0,
    ) -> None:
        self._lake = lake
        self._sleep = sleep
        self._written = written
        self._rows = rows
        self._seconds = seconds
        self._frames: asyncio.Queue[pl.DataFrame | None] = asyncio.Queue(_WAITING)
        self._error: BaseException | None = None
        self._task = asyncio.create_task(self._run())

    async def put(self, candles: pl.DataFrame) -> None:
        """Hand candles over; waits while too many are waiting."""
        if self._error is not None:
            raise self._error
        if candles.height:
            await self._frames.put(candles)

    async def close(self) -> None:
        """Write what is left, and end."""
        await self._frames.put(None)
        await self._task
        if self._error is not None:
            raise self._error

    async def _run(self) -> None:
        ended = False
        while not ended:
            batch: list[pl.DataFrame] = []
            rows, until = 0, 0.0
            while rows < self._rows:
                try:
                    left = max(0.0, until - time.monotonic()) if batch else None
                    frame = await asyncio.wait_for(self._frames.get(), left)
                except TimeoutError:
                    break
                if frame is None:
                    ended = True
                    break
                if not batch:
                    until = time.monotonic() + self._seconds
                batch.append(frame)
                rows += frame.height
            # after an error, what comes is taken and dropped, so that nobody waits for room
            if batch and self._error is None:
                try:
                    self._written(await self._upsert(pl.concat(batch)))
                except Exception as error:  # raised again by put and close
                    self._error = error

    async def _upsert(self, candles: pl.DataFrame) -> Upsert:
        for pause in _PAUSES:
            try:
                return await asyncio.to_thread(self._lake.upsert, candles)
            except RetryLater:
                await self._sleep(pause)
        return await asyncio.to_thread(self._lake.upsert, candles)
