"""Exchanges, over their public and keyless REST interfaces: the one file that imports ccxt.

ccxt is imported when a client is made, not before: it takes seconds. What ccxt gets wrong about failures is put
right here, by remedy; ``docs/adr/0016`` tells what that is.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import polars as pl

from cripto.domain.asset import parse_asset
from cripto.domain.clock import Clock
from cripto.domain.interval import Interval
from cripto.errors import (
    ExchangeDenied,
    ExchangeUnavailable,
    InvalidAsset,
    InvalidInput,
    OperatorError,
    UnknownPair,
)
from cripto.market._answers import Refused, holds_rows, names_rows, refused_by_body, refused_by_status, told_date
from cripto.market._rows import closed_candles, from_ms, to_ms
from cripto.market.patience import Patience
from cripto.market.source import CandlePage, Pair

__all__ = ["DEFAULT_PATIENCE", "Exchange"]

DEFAULT_PATIENCE = Patience()
"""How persistent an `Exchange` is unless it is told otherwise."""

_PAGES = {"binance": 1000, "bybit": 1000, "coinbase": 300, "coinbaseexchange": 300, "kraken": 720}
_PAGE = 100
# These answer with the first candles at or after a time, however far off. Others answer for a span of time, where
# an empty page says nothing of what comes after it.
_FROM_A_TIME = {"binance", "kraken"}
_SHOWN = 160
_NOT_SO = (400, 404)
_MEASURE_AGAIN = timedelta(minutes=10)
# Of each request for candles, what was heard: a client is shared by requests under way at the same time.
_heard: ContextVar["_Heard | None"] = ContextVar("_heard", default=None)
_Answer = TypeVar("_Answer")


@dataclass
class _Heard:
    """The last body, and how many rows of candles were found in it."""

    body: object = None
    rows: int = 0


class Exchange:
    """One exchange that ccxt knows, as a `CandleSource`; ``async with`` closes its connections.

    ``name`` is ccxt's id (binance, bybit, coinbaseexchange, kraken, mercado, ...) and the ``source`` of candles.
    ``url`` replaces scheme and host of every address, for mirrors and tests. ``rate`` is the least number of
    seconds between requests in place of ccxt's own. ``timeout`` is that of one request, in seconds. Raises
    `InvalidInput` for a name ccxt does not know and `OperatorError` where ccxt is not installed.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        patience: Patience = DEFAULT_PATIENCE,
        concurrency: int = 4,
        timeout: float = 15.0,
        url: str | None = None,
        rate: float | None = None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._patience = patience
        self._client = _client(name, clock, timeout=timeout, url=url, rate=rate)
        self._slots = asyncio.Semaphore(concurrency)
        self._listing = asyncio.Lock()
        self._measuring = asyncio.Lock()
        self._listed: dict[str, Pair] | None = None
        self._rest_until: datetime | None = None
        self._ahead: timedelta | None = None
        self._measured: datetime | None = None

    @property
    def name(self) -> str:
        """The id that ccxt gives the exchange, which is the ``source`` of its candles."""
        return self._name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; the exchange cannot be asked again."""
        await self._client.close()

    async def pairs(self, *, volumes: bool = False) -> list[Pair]:
        """Every spot pair listed now, sorted; names that are no asset symbols are left out."""
        listed = await self._pairs(fresh=True)
        traded: Mapping[str, Any] = {}
        if volumes and self._client.has.get("fetchTickers"):
            traded = await self._ask(self._client.fetch_tickers)
        return sorted(
            (
                Pair(pair.base, pair.quote, pair.active, _volume(traded.get(symbol)))
                for symbol, pair in listed.items()
            ),
            key=lambda pair: (pair.base, pair.quote),
        )

    async def server_time(self) -> datetime:
        """The exchange's time: what it says, or where it has no such question, the date of its last answer."""
        if self._client.has.get("fetchTime") is True:
            return from_ms(await self._ask(self._time))
        await self._pairs(fresh=True)
        if self._client.heard is None:
            raise ExchangeUnavailable(self._name, "it does not tell the time")
        return self._client.heard  # type: ignore[no-any-return]

    async def candles(
        self, pair: Pair, interval: Interval, since: datetime, until: datetime | None = None
    ) -> CandlePage:
        """One page, see `CandleSource`. A candle is closed once the exchange's clock says so, never ours."""
        if interval.name not in self._client.timeframes:
            raise InvalidInput(f"{self._name} has no candles of {interval}: {', '.join(self._client.timeframes)}")
        if str(pair) not in await self._pairs():
            await self._confirm(pair)
        now = await self._now()
        size = _PAGES.get(self._name, _PAGE)

        async def ask() -> tuple[list[list[float | None]], pl.DataFrame, bool]:
            return await self._rows(pair, interval, since, size, now)

        rows, candles, told_others = await self._ask(ask, pair)
        if not rows and told_others:
            # It answered for another time than was asked. Once may be an accident; twice is the end.
            rows, candles, told_others = await self._ask(ask, pair)
        if until is not None:
            candles = candles.filter(candles["time"] < until)
        following = self._following(rows, interval, since, size)
        if following is not None and (interval.close_of(following) > now or (until and following >= until)):
            following = None
        return CandlePage(candles, following, certain=bool(rows) or not told_others)

    def _following(
        self, rows: list[list[float | None]], interval: Interval, since: datetime, size: int
    ) -> datetime | None:
        if rows:
            return from_ms(max(int(row[0] or 0) for row in rows)) + interval.step
        return None if self._name in _FROM_A_TIME else since + interval.step * size

    async def _rows(
        self, pair: Pair, interval: Interval, since: datetime, size: int, now: datetime
    ) -> tuple[list[list[float | None]], pl.DataFrame, bool]:
        """Rows at or after ``since``, the candles of them closed at ``now``, and whether there were any rows."""
        heard = _Heard()
        token = _heard.set(heard)
        try:
            rows = await self._client.fetch_ohlcv(str(pair), interval.name, to_ms(since), size)
        finally:
            _heard.reset(token)
        if not heard.rows and (holds_rows(heard.body) or not names_rows(heard.body)):
            raise Refused("an answer that neither holds candles nor says there are none")
        # What is no row is refused here, where it can be asked for again.
        rows = [row for row in rows if int(row[0]) >= to_ms(since)]
        return rows, closed_candles(rows, pair, interval, self._name, now), heard.rows > 0

    async def _now(self) -> datetime:
        """The exchange's time now, at the earliest: an answer was under way, so it can only be later."""
        async with self._measuring:
            now = self._clock.now()
            if self._measured is None or not timedelta(0) <= now - self._measured < _MEASURE_AGAIN:
                told = await self.server_time()
                self._measured = self._clock.now()
                self._ahead = told - self._measured
        return self._clock.now() + (self._ahead or timedelta(0))

    async def _time(self) -> int:
        told = await self._client.fetch_time()
        if told is None:
            raise Refused("an answer without the time")
        return int(told)

    async def _pairs(self, *, fresh: bool = False) -> dict[str, Pair]:
        async with self._listing:
            if self._listed is None or fresh:
                self._listed = await self._ask(self._list)
            return self._listed

    async def _list(self) -> dict[str, Pair]:
        markets = await self._client.load_markets(True)
        listed = {}
        for symbol, market in markets.items():
            if not market.get("spot"):
                continue
            try:
                pair = Pair(
                    parse_asset(market["base"]), parse_asset(market["quote"]), market["active"] is not False
                )
            except InvalidAsset:
                continue
            if str(pair) == symbol:
                listed[symbol] = pair
        if not listed:
            raise Refused("a list without any pair")
        return listed

    async def _confirm(self, pair: Pair) -> None:
        """Raise `UnknownPair` if the exchange's list, asked for now, lacks it; one bad answer never decides."""
        if str(pair) not in await self._pairs(fresh=True):
            raise UnknownPair(self._name, str(pair))

    async def _ask(self, request: Callable[[], Awaitable[_Answer]], pair: Pair | None = None) -> _Answer:
        """Ask until there is an answer, patience ends, or asking again cannot help."""
        failures, waited, confirmed = 0, 0.0, pair is None
        refused = Refused("it asked for rest")
        while failures < self._patience.attempts:
            pause = self._rest_left() + (self._patience.wait(failures, self._chance()) if failures else 0.0)
            if waited + pause > self._patience.total:
                raise ExchangeUnavailable(self._name, refused.reason, pause) from refused
            if pause > 0:
                await self._sleep(pause)
                waited += pause
            try:
                async with self._slots:
                    if self._rest_left() <= 0:
                        return await request()
                continue  # another request was told to rest while this one stood in line
            except Exception as error:
                found = _refusal(error)
                if found is None:
                    raise
                refused, doubted = found
                refused.__cause__ = error
            if doubted and not confirmed and pair is not None:
                await self._confirm(pair)
                confirmed = True
            if refused.denied:
                raise ExchangeDenied(self._name, refused.reason) from refused
            failures += 1
            self._rest(refused.retry_after)
        raise ExchangeUnavailable(self._name, refused.reason, refused.retry_after) from refused

    def _rest(self, seconds: float | None) -> None:
        # What one request is told holds for all: those who ask on are banned.
        if seconds is not None:
            until = self._clock.now() + timedelta(seconds=seconds)
            self._rest_until = until if self._rest_until is None else max(until, self._rest_until)

    def _rest_left(self) -> float:
        if self._rest_until is None:
            return 0.0
        return max(0.0, (self._rest_until - self._clock.now()).total_seconds())


def _volume(ticker: Any) -> float | None:
    volume = None if ticker is None else ticker.get("quoteVolume")
    return None if volume is None else float(volume)


def _refusal(error: Exception) -> tuple[Refused, bool] | None:
    """What an error means, and whether it may mean that the pair is not there; ``None``: a fault of our own."""
    import ccxt

    if isinstance(error, Refused):
        return error, False
    kind = f"{type(error).__name__}, {' '.join(str(error).split())[:_SHOWN]!r}"
    if isinstance(error, ccxt.AuthenticationError | ccxt.RestrictedLocation):
        # Coinbase's "Trading pair not available" is one of these to ccxt.
        return Refused(kind, denied=True), True
    if isinstance(error, ccxt.OperationFailed):
        return Refused(kind), False
    if isinstance(error, ccxt.BaseError):
        # Several exchanges tell of an unknown pair by an error that ccxt has no or another name for.
        return Refused(kind), True
    if isinstance(error, ArithmeticError | AttributeError | LookupError | TypeError | ValueError | OSError):
        # ccxt's parsers fail so on an answer of another shape than they know.
        return Refused(f"an answer of an unknown shape ({kind})"), False
    return None


def _client(name: str, clock: Clock, *, timeout: float, url: str | None, rate: float | None) -> Any:
    try:
        import ccxt.async_support as ccxt
    except ImportError as error:
        raise OperatorError("ccxt is not installed: it comes with cripto[collect]") from error
    if name not in ccxt.exchanges:
        near = get_close_matches(name, ccxt.exchanges, n=3)
        hint = f": is it {' or '.join(near)}?" if near else ""
        raise InvalidInput(f"{name!r} is no exchange that ccxt knows{hint}")

    class Watched(getattr(ccxt, name)):  # type: ignore[misc]
        """The client, with each answer looked at before and after ccxt's own rules."""

        heard: datetime | None = None

        def handle_errors(self, code: int, reason: str, *rest: Any) -> Any:
            headers, response = rest[2], rest[4]
            self.heard = told_date(headers)
            if refused := refused_by_status(code, headers, clock.now(), is_json=response is not None):
                raise refused
            outcome = super().handle_errors(code, reason, *rest)
            if code < 400 and (refused := refused_by_body(response)):
                raise refused
            if code in _NOT_SO:
                # where it has no rule of the exchange's own, ccxt takes these for an outage
                raise ccxt.BadRequest(f"{name}: status {code}")
            if (heard := _heard.get()) is not None:
                heard.body = response
            return outcome

        def parse_ohlcv(self, ohlcv: Any, market: Any = None) -> Any:
            row = super().parse_ohlcv(ohlcv, market)
            if row[0] is None:
                raise Refused("a candle without a time")  # ccxt leaves it out
            if (heard := _heard.get()) is not None:
                heard.rows += 1
            return row

    config = {
        "enableRateLimit": True,
        "timeout": int(timeout * 1000),
        "options": {"defaultType": "spot"},
    }
    if rate is not None:
        config["rateLimit"] = rate * 1000
    client = Watched(config)
    kinds = client.options.get("fetchMarkets")
    if isinstance(kinds, dict) and "types" in kinds:
        kinds["types"] = ["spot"]  # one request for the list instead of one for each kind of contract
    # Names of currencies come with the markets; the list of them is one more request, often refused without a key.
    client.has["fetchCurrencies"] = False
    if url is not None:
        client.urls["api"] = _elsewhere(client.urls["api"], url.rstrip("/"))
        if url.startswith("http://"):
            client.timeout_on_exit = 0  # what ccxt waits for when it closes is the end of TLS
    return client


def _elsewhere(address: Any, url: str) -> Any:
    if isinstance(address, dict):
        return {key: _elsewhere(value, url) for key, value in address.items()}
    return url + urlsplit(address).path if isinstance(address, str) else address
