"""A doubted bar is compared with the same candle of another exchange before it enters."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from cripto.domain.interval import Interval
from cripto.errors import CallerError, OperatorError, RetryLater
from cripto.market._desk import Desk
from cripto.market.fetch_report import Doubted
from cripto.market.identity import normalised
from cripto.market.planning import Stretch
from cripto.market.suspicion import Bar, Close, agree, doubt, doubted, is_possible
from cripto.market.universe import Offer, Target

__all__ = ["CrossCheck"]

_ALWAYS = datetime.max.replace(tzinfo=UTC)


@dataclass
class _Known:
    """Candles of a witness, and the times it was asked for."""

    asked: list[Stretch] = field(default_factory=list)
    bars: dict[datetime, Bar] = field(default_factory=dict)


class CrossCheck:
    """Checks the candles of one series; what witnesses told is kept, so each page of theirs is asked for once."""

    def __init__(self, target: Target, interval: Interval, desks: dict[str, Desk]) -> None:
        self._target = target
        self._interval = interval
        self._desks = desks
        self._known: dict[Offer, _Known] = {}

    async def settle(
        self, candles: pl.DataFrame, before: Close | None, exchange: str
    ) -> tuple[pl.DataFrame, list[Doubted]]:
        """The candles that may enter (zeros nobody replaced among them, for validation to refuse), and doubts.

        ``candles`` are sorted by time, told by ``exchange``; ``before`` is the candle before the first of them.

        A doubted bar enters if another exchange agrees with it. Else, if that one tells a bar that is not doubted,
        its bar enters instead, with its source, where the quotes are the same. Else, if others should know better
        but could not be asked or tell a third thing, no bar enters. If nobody else has that candle, a jump enters,
        unless it is from one exchange's candle to another's: then they are of two coins, or one is wrong.
        """
        if not await asyncio.to_thread(doubted, candles, before, self._interval):
            return candles, []
        kept: list[Bar] = []
        remarks: list[Doubted] = []
        for bar in candles.iter_rows(named=True):
            why = doubt(bar, before, self._interval)
            entering: Bar | None = bar
            if why is not None:
                entering, outcome, detail = await self._verdict(bar, before, exchange, zero=why.zero)
                if outcome is not None:
                    remarks.append(Doubted(bar["time"], outcome, f"{exchange}: {why.detail}; {detail}"))
            if entering is None:
                continue
            kept.append(entering)
            if is_possible(entering):
                before = Close(entering["time"], entering["close"], entering["source"])
        return pl.DataFrame(kept, schema=candles.schema, orient="row"), remarks

    async def _verdict(
        self, bar: Bar, before: Close | None, exchange: str, *, zero: bool
    ) -> tuple[Bar | None, str | None, str]:
        """What enters, the outcome, and who said what."""
        unsure = ""
        for offer in (*self._target.offers, *self._target.witnesses):
            if offer.exchange == exchange:
                continue
            try:
                other = await self._told(offer, bar["time"])
            except (RetryLater, OperatorError) as error:
                unsure = str(error)
                continue
            except CallerError:
                continue  # it does not list the pair any more, or has no such candles
            if other is None:
                continue
            said = f"{offer.exchange} {offer.pair}: open={other['open']} close={other['close']}"
            if not zero and agree(bar, other):
                return bar, "confirmed", said
            if is_possible(other) and doubt(other, before, self._interval) is None:
                if offer.pair.quote == self._target.quote:
                    return other, "replaced", said
                return None, "held_back", said
            unsure = said
        if unsure:
            return None, "held_back", unsure
        if not zero and before is not None and before.source not in ("", exchange):
            return (
                None,
                "held_back",
                f"no other exchange has this candle, and {before.source} has the one before",
            )
        # a zero is refused by validation, which counts it; a jump nobody can deny may be true
        return (bar, None, "") if zero else (bar, "unconfirmed", "no other exchange has this candle")

    async def _told(self, offer: Offer, time: datetime) -> Bar | None:
        known = self._known.setdefault(offer, _Known())
        if not any(stretch.start <= time < stretch.end for stretch in known.asked):
            page = await self._desks[offer.exchange].candles(offer.pair, self._interval, time, None)
            candles = normalised(page.candles, self._target.symbol, offer.factor)
            known.bars |= {bar["time"]: bar for bar in candles.iter_rows(named=True)}
            known.asked.append(Stretch(time, page.next or _ALWAYS))
        return known.bars.get(time)
