"""Each way an exchange fails, with each exchange: what passes costs no candle, what stays is told by remedy."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import pytest
from polars.testing import assert_frame_equal

from cripto.domain.interval import INTERVALS
from cripto.errors import ExchangeDenied, ExchangeUnavailable, UnknownPair
from cripto.market.exchange import DEFAULT_PATIENCE
from cripto.market.patience import Patience
from cripto.market.source import Pair
from tests.doubles.candles import START
from tests.doubles.exchange_server import (
    Fault,
    cut_short,
    denied,
    disguised,
    dropped,
    failing,
    no_json,
    nothing_said,
    slow_down,
    spoilt,
)
from tests.doubles.exchange_server.dialects import Reply
from tests.integration.exchanges import NAMES, desk

Change = Callable[[Reply], Reply]

ANYWHERE: dict[str, Change] = {
    "429": slow_down(429, None),
    "429 with Retry-After": slow_down(429, "7"),
    "418 with Retry-After": slow_down(418, "40"),
    "500": failing(500),
    "502": failing(502),
    "503": failing(503),
    "504": failing(504),
    "530": failing(530),
    "408": failing(408),
    "truncated JSON": cut_short,
    "connection dropped within the body": dropped,
    "200 with HTML": no_json,
    "200 with nothing": nothing_said,
    "200 without success": disguised({"success": False, "message": "Too many requests"}),
    "200 with a status of its own": disguised(
        {"status": 503, "message": "Maintenancing, try again later", "result": None}
    ),
    "200 with an error text": disguised({"error": "rate limit exceeded"}),
    "200 with a list of errors": disguised({"errors": [{"id": "internal", "message": "try again"}]}),
    "200 with a number": disguised(42),
    "200 with a string": disguised("busy"),
    "200 with null": disguised(None),
    "200 with a list of something else": disguised([["a"], {"b": 1}]),
}
OWN: dict[str, dict[str, Change]] = {
    "binance": {
        "200 with a rate limit": disguised({"code": -1003, "msg": "Too much request weight used; try later."}),
        "200 with an internal error": disguised({"code": -1001, "msg": "Internal error; unable to process."}),
        "200 with an error nobody knows": disguised({"code": -99999, "msg": "novel"}),
        "200 with a message alone": disguised({"msg": "We are busy."}),
        "200 that denies the coin": disguised({"code": -1121, "msg": "Invalid symbol."}),
    },
    "kraken": {
        "200 with a rate limit": disguised({"error": ["EAPI:Rate limit exceeded"]}),
        "200 with too many requests": disguised({"error": ["EGeneral:Too many requests"]}),
        "200 with unavailable": disguised({"error": ["EService:Unavailable"]}),
        "200 with an error nobody knows": disguised({"error": ["ENovel:thing"]}),
        "200 that denies the coin": disguised({"error": ["EQuery:Unknown asset pair"]}),
        "200 with no result": disguised({"error": [], "result": {}}),
    },
    "coinbaseexchange": {
        "200 with a rate limit": disguised({"message": "Public rate limit exceeded"}),
        "200 that denies the coin": disguised({"message": "NotFound"}),
    },
}
CASES = [
    pytest.param(name, change, id=f"{name}-{fault}")
    for name in NAMES
    for fault, change in {**ANYWHERE, **OWN[name]}.items()
]
ALWAYS = 1_000_000


@pytest.mark.parametrize(("name", "change"), CASES)
def test_what_passes_loses_and_doubles_nothing_whatever_was_asked_for(name: str, change: Change) -> None:
    with desk(name) as at:
        faults = {about: Fault(change, about, times=2) for about in ("candles", "pairs", "time")}
        at.server.faults.extend(faults.values())
        assert_frame_equal(at.read(), at.expected())
        assert {about: fault.times for about, fault in faults.items()} == dict.fromkeys(faults, 0)
        assert len(at.waits.slept) == 2 * len(faults)


@pytest.mark.parametrize(("name", "change"), CASES)
def test_what_stays_is_told_as_try_again_later_never_as_an_unknown_coin_or_no_candles(
    name: str, change: Change
) -> None:
    with desk(name) as at:
        at.server.faults.append(Fault(change, "candles", ALWAYS))
        with pytest.raises(ExchangeUnavailable) as raised:
            at.read()
        assert raised.value.exchange == name
        assert ALWAYS - at.server.faults[0].times <= DEFAULT_PATIENCE.attempts
        assert sum(at.waits.slept) <= DEFAULT_PATIENCE.total


@pytest.mark.parametrize("name", NAMES)
def test_a_page_with_rows_nobody_can_read_is_asked_for_again_whole(name: str) -> None:
    with desk(name) as at:
        at.server.faults.append(Fault(spoilt, times=2))
        assert_frame_equal(at.read(), at.expected())
        at.server.faults.append(Fault(spoilt, times=ALWAYS))
        with pytest.raises(ExchangeUnavailable, match=r"unknown shape|without a time"):
            at.read()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("about", ["candles", "pairs", "time"])
@pytest.mark.parametrize("status", [401, 403, 407, 451])
def test_a_refusal_by_place_or_address_is_the_operators_and_not_asked_again(
    name: str, about: str, status: int
) -> None:
    with desk(name) as at:
        fault = Fault(denied(status), about, ALWAYS)
        at.server.faults.append(fault)
        with pytest.raises(ExchangeDenied, match=f"{name} refuses us: status {status}"):
            at.read()
        assert fault.times == ALWAYS - 1
        assert at.waits.slept == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [418, 429, 503])
def test_the_rest_that_is_asked_for_is_given_as_seconds_or_as_a_date(name: str, status: int) -> None:
    with desk(name) as at:
        at.server.faults.append(Fault(slow_down(status, "41"), times=1))
        at.read()
        assert 41 < at.waits.slept[0] < 42
    with desk(name) as at:
        date = format_datetime(at.clock.time + timedelta(seconds=41), usegmt=True)
        at.server.faults.append(Fault(slow_down(status, date), times=1))
        at.read()
        assert 41 < at.waits.slept[0] < 42


@pytest.mark.parametrize("name", NAMES)
def test_a_ban_longer_than_our_patience_is_told_at_once_with_its_length(name: str) -> None:
    with desk(name) as at:
        at.server.faults.append(Fault(slow_down(418, "7200"), times=ALWAYS))
        with pytest.raises(ExchangeUnavailable) as raised:
            at.read()
        assert raised.value.retry_after is not None
        assert 7200 <= raised.value.retry_after < 7201
        assert at.waits.slept == []
        assert at.server.faults[0].times == ALWAYS - 1


@pytest.mark.parametrize("name", NAMES)
def test_the_rest_holds_for_every_request_to_the_exchange(name: str) -> None:
    with desk(name) as at:

        async def ask() -> None:
            async with at.client(patience=Patience(attempts=1)) as exchange:
                day = INTERVALS["1d"]
                await exchange.candles(at.btc, day, START)
                at.server.faults.append(Fault(slow_down(429, "30"), times=1))
                with pytest.raises(ExchangeUnavailable):
                    await exchange.candles(at.btc, day, START)
                await exchange.candles(Pair("ETH", at.quote), day, START)

        asyncio.run(ask())
        assert at.waits.slept == [30]


@pytest.mark.parametrize("name", NAMES)
def test_requests_that_stand_in_line_rest_too_and_one_of_them_asks_for_the_time(name: str) -> None:
    with desk(name) as at:
        at.waits.real = 0.1
        at.server.faults.append(Fault(slow_down(429, "30"), times=1))

        async def ask() -> None:
            async with at.client(concurrency=1) as exchange:
                pairs = [Pair(base, at.quote) for base in ("BTC", "ETH", "LTC")]
                await asyncio.gather(*(exchange.candles(pair, INTERVALS["1d"], START) for pair in pairs))

        asyncio.run(ask())
        asked = [
            time
            for target, time in zip(at.server.seen, at.server.times, strict=True)
            if any(word in target for word in ("klines", "OHLC", "candles"))
        ]
        assert len(asked) == 4
        assert all(time - asked[0] >= timedelta(seconds=30) for time in asked[1:])
        assert sum(target.partition("?")[0].lower().endswith("time") for target in at.server.seen) == 1


def test_a_pair_said_to_be_not_available_is_looked_up_before_anybody_is_called() -> None:
    gone = Fault(lambda reply: replace(disguised({"message": "Trading pair not available"})(reply), status=400))
    with desk("coinbaseexchange") as at:
        at.server.faults.append(gone)
        with pytest.raises(ExchangeDenied):
            at.read()
        assert at.server.requests("/products") == 3

    with desk("coinbaseexchange") as at:
        at.book.vanish_after[str(at.btc)] = 1
        at.server.faults.append(Fault(gone.change))
        with pytest.raises(UnknownPair):
            at.read()


@pytest.mark.parametrize("name", NAMES)
def test_waits_double_and_differ_by_chance(name: str) -> None:
    def slept(chance: float) -> list[float]:
        with desk(name) as at:
            at.server.faults.append(Fault(failing(502), times=ALWAYS))
            with pytest.raises(ExchangeUnavailable):
                at.read(chance=lambda: chance, patience=Patience(attempts=5, first=1.0, longest=4.0))
            return at.waits.slept

    assert slept(0.0) == [0.5, 1.0, 2.0, 2.0]
    assert slept(0.5) == [0.75, 1.5, 3.0, 3.0]


@pytest.mark.parametrize("name", NAMES)
def test_a_coin_the_exchange_denies_once_is_looked_up_and_read_on(name: str) -> None:
    with desk(name) as at:
        at.server.faults.append(Fault(OWN[name]["200 that denies the coin"], times=1))
        assert_frame_equal(at.read(), at.expected())


@pytest.mark.parametrize("name", NAMES)
def test_a_list_that_cannot_be_had_makes_no_coin_unknown(name: str) -> None:
    with desk(name) as at:
        at.server.faults.append(Fault(failing(503), "pairs", ALWAYS))
        with pytest.raises(ExchangeUnavailable):
            at.read(Pair("NADA", at.quote))
    with desk(name) as at:
        at.book.candles = at.book.candles.clear()
        with pytest.raises(ExchangeUnavailable, match="a list without any pair"):
            at.read()


@pytest.mark.parametrize("name", NAMES)
def test_a_coin_that_vanishes_during_an_outage_is_unknown_once_that_is_over(name: str) -> None:
    with desk(name) as at:
        at.book.vanish_after[str(at.btc)] = 1

        async def read() -> None:
            async with at.client() as exchange:
                await exchange.candles(at.btc, INTERVALS["1d"], START)
                at.server.faults += [Fault(failing(502), "candles", 1), Fault(failing(502), "pairs", 1)]
                await exchange.candles(at.btc, INTERVALS["1d"], START)

        with pytest.raises(UnknownPair):
            asyncio.run(read())
        assert [fault.times for fault in at.server.faults] == [0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_an_exchange_that_is_not_there_is_unavailable(name: str) -> None:
    with desk(name) as at:
        pass
    with pytest.raises(ExchangeUnavailable):
        at.read()
    assert len(at.waits.slept) == DEFAULT_PATIENCE.attempts - 1


@pytest.mark.parametrize("name", NAMES)
def test_an_exchange_that_never_answers_is_given_up(name: str) -> None:
    with desk(name) as at:
        at.server.hang = 1.0
        with pytest.raises(ExchangeUnavailable, match="RequestTimeout"):
            at.read(timeout=0.05, patience=Patience(attempts=2))
