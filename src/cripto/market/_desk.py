"""One exchange as the collector meets it: what it lists, what its clock says, and when it is left alone."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from cripto.domain.clock import Clock
from cripto.domain.interval import Interval
from cripto.errors import ExchangeDenied, ExchangeUnavailable
from cripto.market.source import CandlePage, CandleSource, Pair

__all__ = ["Desk"]

_FAILURES = 2
_FIRST_REST = timedelta(seconds=30)
_LONGEST_REST = timedelta(minutes=5)
_Answer = TypeVar("_Answer")


class Desk:
    """A source that is left alone for a while, by all series, once it has failed for good.

    A source has patience of its own; what it raises has been tried again already. After two failures in a row (one
    may be the fault of one pair), or one that says how long to wait, every question is refused at once until the
    rest is over: 30 s, twice as long each time, 5 minutes at most, or what the exchange asks for.
    """

    def __init__(self, source: CandleSource, clock: Clock) -> None:
        self.name = source.name
        self.listed: Sequence[Pair] | None = None
        self.failure: ExchangeUnavailable | ExchangeDenied | None = None
        self._source = source
        self._clock = clock
        self._ahead = timedelta(0)
        self._failures = 0
        self._rests_until: datetime | None = None
        self._rest = _FIRST_REST

    def now(self) -> datetime:
        """The exchange's time, as far as it is known."""
        return self._clock.now() + self._ahead

    async def look(self, *, volumes: bool) -> Sequence[Pair]:
        """Read its list and its time anew; raise what `CandleSource` does."""
        told = await self._ask(self._source.server_time, last=True)
        self._ahead = told - self._clock.now()
        self.listed = await self._ask(lambda: self._source.pairs(volumes=volumes), last=True)
        return self.listed

    async def candles(self, pair: Pair, interval: Interval, since: datetime, until: datetime | None) -> CandlePage:
        """See `CandleSource.candles`."""
        return await self._ask(lambda: self._source.candles(pair, interval, since, until))

    def resting(self) -> timedelta:
        """For how much longer it is left alone."""
        if self._rests_until is None:
            return timedelta(0)
        # a clock that was set back makes no rest longer than it was meant to be
        return min(max(timedelta(0), self._rests_until - self._clock.now()), self._rest)

    async def _ask(self, request: Callable[[], Awaitable[_Answer]], *, last: bool = False) -> _Answer:
        """Ask; ``last``: one failure is enough, since it concerns all that would be asked next."""
        if self.failure is not None and self.resting():
            raise self.failure
        try:
            answer = await request()
        except (ExchangeUnavailable, ExchangeDenied) as error:
            self._failed(error, last=last)
            raise
        self.failure, self._failures, self._rest, self._rests_until = None, 0, _FIRST_REST, None
        return answer

    def _failed(self, error: ExchangeUnavailable | ExchangeDenied, *, last: bool) -> None:
        if self.resting():
            return  # one of several under way when the rest began
        self._failures += 1
        asked = getattr(error, "retry_after", None)
        if not (last or asked or self._failures >= _FAILURES):
            return
        again = self._rests_until is not None
        self._rest = min(_LONGEST_REST, 2 * self._rest) if again else _FIRST_REST
        self._rest = max(self._rest, timedelta(seconds=asked or 0))
        self.failure = error
        self._rests_until = self._clock.now() + self._rest
