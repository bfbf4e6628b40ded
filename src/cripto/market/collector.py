"""The collector: candles from exchanges into the lake, only what is missing, of many series at once."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from cripto.domain.candle import SAMPLE_SOURCE, Series
from cripto.domain.clock import Clock
from cripto.domain.interval import Interval
from cripto.domain.universe import Universe
from cripto.errors import CriptoError, ExchangeDenied, ExchangeUnavailable, OperatorError, RetryLater
from cripto.market._candle_writer import CandleWriter
from cripto.market._desk import Desk
from cripto.market._series_fetch import SeriesFetch
from cripto.market.asked import Asked, AskedBook
from cripto.market.fetch_report import FetchReport, Progress
from cripto.market.lake import CandleLake, Upsert
from cripto.market.listings import ListingBook
from cripto.market.planning import AGAIN, held_stretches
from cripto.market.source import CandleSource
from cripto.market.suspicion import Close
from cripto.market.universe import Choice, Target, choose
from cripto.storage import ObjectStore

__all__ = ["Collector", "Since"]

Since = datetime | int
"""A time (UTC), or a number of candles back from now."""

_LOG = logging.getLogger(__name__)
_AT_ONCE = 8
_REMEMBER_SECONDS = 60.0
Told = Callable[[Progress], None]


class Collector:
    """Fetches series from ``sources``, in order of preference, into ``lake``; ``store`` keeps what was learned.

    One event loop; the lake and the store are used in threads. ``at_once`` series are fetched at a time from each
    exchange. Safe to kill at any moment and beside others: each run asks for what the lake does not hold. Raises
    `OperatorError` without sources.
    """

    def __init__(
        self,
        sources: Sequence[CandleSource],
        lake: CandleLake,
        store: ObjectStore,
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        at_once: int = _AT_ONCE,
        batch_rows: int = 20_000,
        batch_seconds: float = 5.0,
    ) -> None:
        if not sources:
            raise OperatorError("no exchange is configured: CRIPTO_EXCHANGES, or --exchange, names some")
        self.lake = lake
        self._desks = {source.name: Desk(source, clock) for source in sources}
        self._listings = ListingBook(store)
        self._book = AskedBook(store)
        self._clock = clock
        self._sleep = sleep
        self._at_once = at_once
        self._batch = batch_rows, batch_seconds
        self.failures: dict[str, CriptoError] = {}
        self.unheard: list[str] = []
        """Exchanges whose lists are being waited for."""

    def now(self) -> datetime:
        """The time by the clock of the first exchange whose list was read; ours if there is none."""
        return next((desk.now() for desk in self._desks.values() if desk.listed is not None), self._clock.now())

    async def choose(self, universe: Universe, quotes: Sequence[str]) -> Choice:
        """Read every exchange's list, and choose; what could not be read is in ``failures``.

        Of an exchange that fails, the list that was read before counts. If there is no list at all, raises the
        failure of the only exchange, or all failures as one: `RetryLater` if one of them is, else `OperatorError`.
        """
        self.failures, self.unheard = {}, list(self._desks)
        await asyncio.gather(
            *(self._look(desk, volumes=universe.top is not None) for desk in self._desks.values())
        )
        lists = {name: desk.listed for name, desk in self._desks.items() if desk.listed is not None}
        if not lists:
            raise _all_failed(self.failures)
        return choose(lists, universe, quotes)

    async def _look(self, desk: Desk, *, volumes: bool) -> None:
        try:
            pairs = await desk.look(volumes=volumes)
        except (ExchangeDenied, ExchangeUnavailable) as error:
            self.failures[desk.name] = error
            return
        finally:
            self.unheard.remove(desk.name)
        try:
            await asyncio.to_thread(
                self._listings.update, lambda listings: listings.seen(desk.name, pairs, self._clock.now())
            )
        except CriptoError as error:
            # who is delisted is learned the next time; candles are more urgent
            _LOG.warning("what %s lists could not be kept: %s", desk.name, error)

    async def fetch(
        self,
        targets: Sequence[Target],
        intervals: Sequence[Interval],
        since: Since,
        *,
        again: bool = False,
        brief: bool = False,
        stop: asyncio.Event | None = None,
        told: Told | None = None,
    ) -> FetchReport:
        """Fetch what is missing of each target since a time; what was told is written before this returns.

        ``again``: also what exchanges are remembered not to have. ``brief``: each series from the first exchange
        that answers, with nothing remembered: for the last few candles of many series. ``stop`` ends it early,
        with what has arrived. Raises what the lake and the store do; what exchanges fail at is in the report.
        """
        began = time.monotonic()
        report = FetchReport(exchanges=dict(self.failures))
        asked = Asked() if again or brief else await asyncio.to_thread(self._book.read)
        jobs: list[SeriesFetch] = []
        pace = _Pace(told, self._desks)

        def written(upsert: Upsert) -> None:
            report.upserts += 1
            pace.written += upsert.inserted + upsert.updated + upsert.unchanged
            for key, (inserted, updated, unchanged) in upsert.series.items():
                outcome = by_key[key]
                outcome.inserted += inserted
                outcome.updated += updated
                outcome.unchanged += unchanged
            pace.tell()

        rows, seconds = self._batch
        writer = CandleWriter(self.lake, sleep=self._sleep, written=written, rows=rows, seconds=seconds)
        try:
            for interval in intervals:
                jobs += await self._jobs(targets, interval, since, asked, writer, pace, brief=brief)
            by_key = {job.outcome.key: job.outcome for job in jobs}
            pace.series = len(jobs)
            report.interrupted = not await self._run(jobs, stop, pace)
        finally:
            await writer.close()
            await self._remember(jobs)
        report.outcomes = [job.outcome for job in jobs]
        report.seconds = time.monotonic() - began
        return report

    async def _jobs(
        self,
        targets: Sequence[Target],
        interval: Interval,
        since: Since,
        asked: Asked,
        writer: CandleWriter,
        pace: "_Pace",
        *,
        brief: bool,
    ) -> list[SeriesFetch]:
        now = self.now()
        first = interval.floor(now) - since * interval.step if isinstance(since, int) else since
        spans, recent = await asyncio.to_thread(self._held, interval, first)
        return [
            SeriesFetch(
                target,
                interval,
                first,
                held_stretches(spans.get((target.symbol, target.quote), []), interval),
                recent.get((target.symbol, target.quote), []),
                lambda series: asked.believed(series, now),
                writer.put,
                pace.heard,
                brief,
            )
            for target in targets
        ]

    def _held(
        self, interval: Interval, since: datetime
    ) -> tuple[dict[tuple[str, str], list[Series]], dict[tuple[str, str], list[Close]]]:
        """The runs held of each series, and its last closes; sample candles do not count."""
        spans: dict[tuple[str, str], list[Series]] = {}
        for span in self.lake.spans(interval.name, since=since, leaving_out=[SAMPLE_SOURCE]):
            spans.setdefault((span.symbol, span.quote), []).append(span)
        closes: dict[tuple[str, str], list[Close]] = {}
        recent = self.lake.recent(interval.name, AGAIN + 2).filter(pl.col("source") != SAMPLE_SOURCE)
        for symbol, quote, *close in recent.select("symbol", "quote", "time", "close", "source").iter_rows():
            closes.setdefault((symbol, quote), []).append(Close(*close))
        return spans, closes

    async def _run(self, jobs: Sequence[SeriesFetch], stop: asyncio.Event | None, pace: "_Pace") -> bool:
        """Run all jobs, some at a time of each exchange; whether they ended before they were stopped."""
        lines: dict[str, deque[SeriesFetch]] = {}
        for job in jobs:
            lines.setdefault(job.target.offers[0].exchange, deque()).append(job)

        async def work(line: deque[SeriesFetch]) -> None:
            while line:
                await line.popleft().run(self._desks)
                pace.done += 1
                pace.tell()

        async def remember() -> None:
            while True:
                await asyncio.sleep(_REMEMBER_SECONDS)
                await self._remember(jobs)

        tasks = [asyncio.create_task(work(line)) for line in lines.values() for _ in range(self._at_once)]
        beside: list[asyncio.Future[Any]] = [asyncio.create_task(remember())]
        ends: list[asyncio.Future[Any]] = [asyncio.gather(*tasks)]
        if stop is not None:
            ends.append(asyncio.create_task(stop.wait()))
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if ends[0].done():
                await ends[0]
            return ends[0].done()
        finally:
            for task in (*tasks, *beside, *ends):
                task.cancel()
            await asyncio.gather(*tasks, *beside, *ends, return_exceptions=True)

    async def _remember(self, jobs: Sequence[SeriesFetch]) -> None:
        found = {
            series: list(stretches)
            for job in jobs
            for series, stretches in job.empty.items()
            if stretches and not job.brief
        }
        try:
            await asyncio.to_thread(self._book.add, found, self.now())
        except CriptoError as error:
            _LOG.warning("what exchanges have not could not be remembered: %s", error)


def _all_failed(failures: Mapping[str, CriptoError]) -> CriptoError:
    errors = [failures[name] for name in sorted(failures)]
    if len(errors) == 1:
        return errors[0]
    kind = RetryLater if any(isinstance(error, RetryLater) for error in errors) else OperatorError
    return kind("no exchange gave its list of pairs: " + "; ".join(str(error) for error in errors))


class _Pace:
    """Counts, and tells whoever wants to hear."""

    def __init__(self, told: Told | None, desks: dict[str, Desk]) -> None:
        self._told = told
        self._desks = desks
        self.done = self.series = self.candles = self.written = 0

    def heard(self, candles: int) -> None:
        self.candles += candles
        self.tell()

    def tell(self) -> None:
        if self._told is not None:
            resting = tuple(name for name, desk in self._desks.items() if desk.resting() > timedelta(0))
            self._told(Progress(self.done, self.series, self.candles, self.written, resting))
