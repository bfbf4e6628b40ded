"""Following: what is new of every series just after each close, for as long as nobody stops it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cripto.domain.interval import Interval
from cripto.domain.universe import Universe
from cripto.errors import CriptoError
from cripto.market.collector import Collector, Since, Told
from cripto.market.fetch_report import FetchReport
from cripto.market.universe import Choice, Target

__all__ = ["Following"]

_LOG = logging.getLogger(__name__)
_AFTER_CLOSE = 2.0
_JITTER = 3.0
_LATE = (10.0, 15.0, 20.0)
_LISTS = timedelta(hours=1)
_OPTIMIZE = timedelta(days=1)
_SLICE = 30.0
_RETRY = timedelta(minutes=1)
# Of the history only this much is looked through at each close; all of it when lists are read.
_SHORT = 100


@dataclass
class Following:
    """Fetches once, then again after each close of the shortest interval, by the exchange's clock.

    ``passed`` hears each report. No failure of an exchange or the store ends it: it is logged, and the next close
    tries again. Lists of pairs are read, and the whole of ``since`` looked through, once an hour; the lake is
    optimized once a day. ``again`` holds for the first time only.
    """

    collector: Collector
    universe: Universe
    quotes: Sequence[str]
    intervals: Sequence[Interval]
    since: Since
    stop: asyncio.Event
    again: bool = False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    told: Told | None = None
    passed: Callable[[FetchReport], None] | None = None
    _choice: Choice | None = None
    _listed: datetime | None = None
    _optimized: datetime | None = None
    _fetched: dict[str, datetime] = field(default_factory=dict)
    _absent: set[tuple[str, str, str]] = field(default_factory=set)

    async def run(self) -> None:
        """Return once ``stop`` is set, with everything written that had arrived."""
        while not self.stop.is_set():
            try:
                await self._pass()
            except CriptoError as error:
                _LOG.warning("nothing could be fetched: %s", error)
            await self._optimize()
            await self._until_next()

    async def _pass(self) -> None:
        """Fetch every interval of which a candle has closed since it was fetched last."""
        now = self.collector.now()
        whole = self._listed is None or not timedelta(0) <= now - self._listed < _LISTS
        if whole:
            await self._choose()
            now = self.collector.now()
        if self._choice is None:
            return
        due = [item for item in self.intervals if whole or self._fetched.get(item.name) != item.floor(now)]
        if not due:
            return
        since = self.since if whole else self._recently(due, now)
        report = await self._fetch(self._choice.targets, due, since, again=self.again, brief=not whole)
        self.again = False
        self._fetched |= {interval.name: interval.floor(now) for interval in due}
        await self._late(due, report)

    async def _choose(self) -> None:
        try:
            self._choice = await self.collector.choose(self.universe, self.quotes)
        except CriptoError as error:
            if self._choice is None:
                raise
            _LOG.warning("no list could be read, those read before count: %s", error)
        for name, failure in self.collector.failures.items():
            _LOG.warning("the list of %s could not be read: %s", name, failure, extra={"exchange": name})
        if self._choice.unknown:
            _LOG.warning("no exchange lists %s", ", ".join(self._choice.unknown))
        self._listed = self.collector.now()

    def _recently(self, due: Sequence[Interval], now: datetime) -> Since:
        if isinstance(self.since, int):
            return min(self.since, _SHORT)
        return max(self.since, now - _SHORT * max(item.step for item in due))

    async def _fetch(
        self,
        targets: Sequence[Target],
        due: Sequence[Interval],
        since: Since,
        *,
        again: bool = False,
        brief: bool = True,
    ) -> FetchReport:
        report = await self.collector.fetch(
            targets, due, since, again=again, brief=brief, stop=self.stop, told=self.told
        )
        if self._choice is not None:
            report.unknown = self._choice.unknown
        if self.passed is not None:
            self.passed(report)
        now = self.collector.now()
        for interval in due:
            mine = [item for item in report.outcomes if item.interval == interval.name]
            _LOG.info(
                "candles fetched",
                extra={
                    "interval": interval.name,
                    "series": len(mine),
                    "candles": sum(item.inserted + item.updated for item in mine),
                    "seconds_after_close": round((now - interval.floor(now)).total_seconds(), 1),
                    "failures": sum(not item.complete for item in mine),
                },
            )
        if report.rules or report.total("held_back"):
            counts = {"quarantined": dict(report.rules), "held_back": report.total("held_back")}
            _LOG.warning("candles were kept out", extra=counts)
        for exchange, reason in {(name, str(error)) for item in report.failed for name, error in item.failures}:
            _LOG.warning("an exchange failed: %s", reason, extra={"exchange": exchange})
        return report

    async def _late(self, due: Sequence[Interval], report: FetchReport) -> None:
        """Ask again, within the minute, for the candles that have closed and were not told.

        What was not told the last time either is left to the next close: a pair nobody trades has no candles.
        """
        behind = self._behind(report, due)
        for pause in _LATE:
            wanted = behind - self._absent
            if not wanted or self._choice is None or await self._stopped_within(pause):
                break
            again = [interval for interval in due if any(key[2] == interval.name for key in wanted)]
            names = {key[:2] for key in wanted}
            targets = [item for item in self._choice.targets if (item.symbol, item.quote) in names]
            since = self._recently(again, self.collector.now())
            found = await self._fetch(targets, again, since)
            behind = (behind - wanted) | (wanted & self._behind(found, due))
        mine = {interval.name for interval in due}
        self._absent = {key for key in self._absent if key[2] not in mine} | behind
        if len(behind) == len(report.outcomes):
            self._listed = None  # nobody has the last candle: look at the exchange's clock, and its list, again

    def _behind(self, report: FetchReport, due: Sequence[Interval]) -> set[tuple[str, str, str]]:
        expected = {item.name: self._fetched[item.name] - item.step for item in due}
        return {item.key for item in report.outcomes if item.last is None or item.last < expected[item.interval]}

    async def _optimize(self) -> None:
        now = self.collector.now()
        if self.stop.is_set() or (self._optimized is not None and abs(now - self._optimized) < _OPTIMIZE):
            return
        self._optimized = now
        try:
            done = await asyncio.to_thread(self.collector.lake.optimize)
        except CriptoError as error:
            _LOG.warning("the lake could not be optimized: %s", error)
        else:
            _LOG.info("lake optimized", extra={"files_before": done.files_before, "files": done.files})

    async def _until_next(self) -> None:
        """Sleep until a little after the next close, in slices: clocks are set, and laptops closed."""
        shortest = min(self.intervals, key=lambda item: item.seconds)
        fetched = self._fetched.get(shortest.name)
        begun = self.collector.now()
        close = shortest.floor(begun) + shortest.step
        if fetched is None:  # nothing could be fetched yet
            close = min(close, begun + _RETRY)
        elif fetched < shortest.floor(begun):  # a candle closed while the others were fetched
            close = begun
        wake = close + timedelta(seconds=_AFTER_CLOSE + _JITTER * self.chance())
        while True:
            now = self.collector.now()
            left = (wake - now).total_seconds()
            # A clock that was set back is not waited for.
            if left <= 0 or left > shortest.seconds + _AFTER_CLOSE + _JITTER:
                return
            if await self._stopped_within(min(_SLICE, left)):
                return

    async def _stopped_within(self, seconds: float) -> bool:
        waiting = asyncio.ensure_future(self.sleep(seconds))
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
            return self.stop.is_set()
        finally:
            waiting.cancel()
            stopping.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)
