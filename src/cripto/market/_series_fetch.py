"""One series, fetched: page by page from the first exchange that can, what that one lacks from the next."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from cripto.domain.interval import Interval
from cripto.errors import ExchangeDenied, ExchangeUnavailable, InvalidInput, UnknownPair
from cripto.market._crosschecking import CrossCheck
from cripto.market._desk import Desk
from cripto.market.asked import AskedSeries
from cripto.market.fetch_report import SeriesOutcome
from cripto.market.identity import normalised
from cripto.market.planning import AGAIN, Stretch, joined, missing, settled_before, told_stretches, without
from cripto.market.suspicion import Close, close_to
from cripto.market.universe import Offer, Target
from cripto.market.validation import validate

__all__ = ["SeriesFetch"]

_LENIENCY = timedelta(seconds=30)


@dataclass
class SeriesFetch:
    """What is known of a series before it is fetched, and, in ``outcome`` and ``empty``, after.

    ``since`` and ``held`` bound what is asked for; ``closes`` are the last ones held; ``believed`` says what an
    exchange is known not to have; ``brief`` leaves it at the first exchange that answers. ``put`` takes candles
    that may enter, ``heard`` counts what was told.
    """

    target: Target
    interval: Interval
    since: datetime
    held: list[Stretch]
    closes: list[Close]
    believed: Callable[[AskedSeries], Sequence[Stretch]]
    put: Callable[[pl.DataFrame], Awaitable[None]]
    heard: Callable[[int], None]
    brief: bool = False
    outcome: SeriesOutcome = field(init=False)
    empty: dict[AskedSeries, list[Stretch]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outcome = SeriesOutcome(self.target.symbol, self.target.quote, self.interval.name)

    async def run(self, desks: dict[str, Desk]) -> None:
        """Ask the exchanges in order; errors of theirs are kept, errors of the writer raised."""
        check = CrossCheck(self.target, self.interval, desks)
        for offer in self.target.offers:
            if self.brief and self.outcome.complete:
                break
            desk = desks[offer.exchange]
            try:
                await self._ask(desk, offer, check)
            except (ExchangeDenied, ExchangeUnavailable, InvalidInput, UnknownPair) as error:
                # once one has told all it has, what the others could add is asked for again next time
                if not self.outcome.complete:
                    self.outcome.failures.append((desk.name, error))
        self.held = joined(self.held)
        self._forget_what_entered()
        self.outcome.last = max((item.end for item in self.held), default=None)
        if self.outcome.last is not None:
            self.outcome.last -= self.interval.step

    async def _ask(self, desk: Desk, offer: Offer, check: CrossCheck) -> None:
        self.held = joined(self.held)
        series = desk.name, self.target.symbol, self.target.quote, self.interval.name
        until = self.interval.floor(desk.now())
        settled = settled_before(until, self.interval)
        # Of the next exchange only what the one before has not, and will not have: its last candles may be late.
        first = not self.outcome.complete
        believed = self.believed(series)
        wanted = missing(
            self.held,
            believed,
            self.since,
            until if first else settled,
            self.interval,
            AGAIN if first else 0,
        )
        if wanted and not first and not await self._same_coin(desk, offer):
            self.empty[series] = list(wanted)
            return
        for stretch in wanted:
            async for asked, candles, certain in self._pages(desk, offer, stretch):
                await self._take(candles, check, desk)
                if certain and asked.start < settled:
                    told = told_stretches(candles["time"], self.interval)
                    nothing = without([Stretch(asked.start, min(asked.end, settled))], [*told, *believed])
                    self.empty.setdefault(series, []).extend(nothing)
        self.outcome.complete = True

    async def _same_coin(self, desk: Desk, offer: Offer) -> bool:
        """Whether an exchange's candle agrees with the last one held, which another told."""
        last = max(self.closes, key=lambda close: close.time, default=None)
        if last is None:
            return True
        page = await desk.candles(offer.pair, self.interval, last.time, last.time + self.interval.step)
        candles = normalised(page.candles, self.target.symbol, offer.factor)
        return candles.height == 1 and close_to(candles["close"][0], last.price)

    def _forget_what_entered(self) -> None:
        """Of bars held back, keep each once, and none that another exchange told better."""
        seen: set[datetime] = set()
        kept = []
        for item in self.outcome.doubted:
            if item.outcome == "held_back":
                if item.time in seen or any(run.start <= item.time < run.end for run in self.held):
                    continue
                seen.add(item.time)
            kept.append(item)
        self.outcome.doubted = kept

    async def _pages(
        self, desk: Desk, offer: Offer, stretch: Stretch
    ) -> AsyncIterator[tuple[Stretch, pl.DataFrame, bool]]:
        """Each page with the times it answers for, and whether to believe that there is no more in them."""
        start: datetime | None = stretch.start
        while start is not None and start < stretch.end:
            page = await desk.candles(offer.pair, self.interval, start, stretch.end)
            following = page.next if page.next is not None and page.next > start else None
            answered = Stretch(start, min(following or stretch.end, stretch.end))
            candles = normalised(page.candles, self.target.symbol, offer.factor)
            self.heard(candles.height)
            yield answered, candles, page.certain and (following is not None or page.next is None)
            start = following

    async def _take(self, candles: pl.DataFrame, check: CrossCheck, desk: Desk) -> None:
        if candles.is_empty():
            return
        entering, remarks = await check.settle(candles, self._close_before(candles["time"][0]), desk.name)
        # that they are closed is what the source vouches for, by the exchange's clock of that moment
        validation = await asyncio.to_thread(validate, entering, self.interval, desk.now() + _LENIENCY)
        accepted = validation.accepted
        self.outcome.doubted += remarks
        self.outcome.rules.update(validation.rules)
        self.outcome.sources.update(dict(accepted["source"].value_counts().iter_rows()))
        await self.put(accepted)
        self.held += told_stretches(accepted["time"], self.interval)
        if accepted.height:
            self.closes.append(Close(*accepted.select("time", "close", "source").row(-1)))

    def _close_before(self, time: datetime) -> Close | None:
        """The last close known before a time."""
        earlier = (close for close in self.closes if close.time < time)
        return max(earlier, key=lambda close: close.time, default=None)
