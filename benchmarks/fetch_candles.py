"""What a large fetch costs: ``python -m benchmarks.fetch_candles [--assets N] [--candles N]``.

Daily candles of 400 assets from a local server that speaks Binance's REST, in a process of its own, by the real
client at the rate that ccxt allows itself at Binance. Prints how much of the time somebody waited for that rate,
which is the least the fetch could take; whatever is above it is ours. The candles are invented.
"""

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import polars as pl

from cripto.domain.clock import SystemClock
from cripto.domain.universe import Universe
from cripto.market.collector import Collector
from cripto.market.exchange import Exchange
from cripto.market.fetch_report import FetchReport
from cripto.market.lake import open_lake
from cripto.storage import open_store
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.exchange_server import Book, exchange_server

__all__ = ["main"]


class _Indexed(Book):
    """A book that looks each series up once: the server must not be what is measured."""

    def index(self) -> None:
        self._listed = super().pairs()
        self._series = {
            key: frame.sort("time") for key, frame in self.candles.group_by("symbol", "quote", "interval")
        }

    def pairs(self) -> list[tuple[str, str]]:
        return self._listed

    def series(self, base: str, quote: str, interval: str) -> pl.DataFrame:
        return self._series[base, quote, interval]


class _Throttle:
    """Stands before the client's rate limit and measures how long it holds requests back."""

    def __init__(self, client: Any) -> None:
        self.waited = self.least = 0.0
        self.requests = self._now = 0
        self._since = 0.0
        self._wrapped = client.throttle
        self._rate = client.rateLimit / 1000
        client.throttle = self

    async def __call__(self, cost: float | None = None) -> None:
        self.requests += 1
        self.least += self._rate * (1.0 if cost is None else cost)
        if self._now == 0:
            self._since = time.perf_counter()
        self._now += 1
        try:
            await self._wrapped(cost)
        finally:
            self._now -= 1
            if self._now == 0:
                self.waited += time.perf_counter() - self._since


def _serve(assets: int, candles: int, pipe: Connection) -> None:
    book = _Indexed(
        random_walk([f"A{number:04}" for number in range(assets)], candles + 1),
        START + timedelta(days=candles, hours=1),
    )
    book.index()
    with exchange_server("binance", book) as server:
        pipe.send(server.url)
        pipe.recv()


async def _fetch(url: str, folder: str) -> tuple[FetchReport, _Throttle, float, float]:
    async with Exchange("binance", clock=SystemClock(), url=url, concurrency=8) as exchange:
        throttle = _Throttle(exchange._client)
        collector = Collector([exchange], open_lake(folder), open_store(folder), clock=SystemClock())
        choice = await collector.choose(Universe(), ["USDT"])
        throttle.requests, throttle.least, throttle.waited = 0, 0.0, 0.0
        began, worked = time.perf_counter(), time.process_time()
        report = await collector.fetch(choice.targets, [DAILY], START)
        return report, throttle, time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    """Print the figures of a first fetch, and of a second one that finds nothing new."""
    parser = argparse.ArgumentParser(description="Measure a fetch of many assets at the exchange's own rate.")
    parser.add_argument("--assets", type=int, default=400)
    parser.add_argument("--candles", type=int, default=1000)
    asked = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(asked.assets, asked.candles, theirs), daemon=True
    )
    server.start()
    url = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first fetch", "again"):
            report, throttle, seconds, worked = asyncio.run(_fetch(url, Path(folder).as_uri()))
            version = open_lake(Path(folder).as_uri()).version() or 0
            told = report.total("inserted") + report.total("unchanged")
            print(
                f"{name}: {seconds:.1f} s for {report.total('inserted'):,} new candles of {len(report.outcomes)} "
                f"assets, {len(report.failed)} failed\n"
                f"  {throttle.requests} requests; the rate limit allows them in {throttle.least:.1f} s, "
                f"{throttle.least / seconds:.0%} of the time taken\n"
                f"  requests waited for the rate limit during {throttle.waited / seconds:.0%} of the time\n"
                f"  {worked:.1f} s of processor time, all threads, writing included\n"
                f"  {told / seconds:,.0f} candles/s, {report.upserts} upserts, {version + 1} commits in all",
                flush=True,
            )
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    ours.send("enough")
    server.join()


if __name__ == "__main__":
    main()
