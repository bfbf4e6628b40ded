"""Whole fetches with the real client: whatever an exchange does, nothing is lost or doubled in the lake."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import polars as pl
import pytest

from cripto.errors import UnknownPair
from tests.doubles.candles import START
from tests.doubles.exchange_server import (
    Fault,
    cut_short,
    denied,
    disguised,
    dropped,
    failing,
    no_json,
    slow_down,
    spoilt,
)
from tests.integration.collecting import Station, candle_requests, same_rows
from tests.integration.exchanges import NAMES, NOON, Desk, desk

DIALECTS = (*NAMES, "mercado")
ALWAYS = 1_000_000
PASSING = {
    "429": slow_down(429, None),
    "429 with Retry-After": slow_down(429, "7"),
    "418 with Retry-After": slow_down(418, "30"),
    "500": failing(500),
    "503": failing(503),
    "truncated JSON": cut_short,
    "connection dropped": dropped,
    "200 with HTML": no_json,
    "200 with an error": disguised({"success": False, "message": "Too many requests"}),
    "200 with an error text": disguised({"error": "rate limit exceeded"}),
    "rows nobody can read": spoilt,
}
SAME_FOR_ALL = ("429 with Retry-After", "418 with Retry-After", "503", "truncated JSON", "200 with an error")
"""The client's own suite has every fault with every exchange."""


@pytest.fixture(params=NAMES)
def at(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with desk(request.param) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *(("binance", fault) for fault in PASSING),
        *((name, fault) for name in NAMES[1:] for fault in SAME_FOR_ALL),
    ],
)
def test_what_passes_loses_and_doubles_nothing(name: str, fault: str) -> None:
    with desk(name) as at:
        # the first answers of all, and some about candles
        at.server.faults += [Fault(PASSING[fault], None, times=1), Fault(PASSING[fault], "candles", times=2)]
        station = Station(at)
        report = station.fetch()
        assert [fault.times for fault in at.server.faults] == [0, 0]
        assert (report.failed, list(report.remedies())) == ([], [])
        same_rows(station.lake, station.expected())
        assert report.total("inserted") == station.lake.read("1d").height


@pytest.mark.parametrize("fault", ["503", "200 with an error"])
def test_what_stays_is_told_as_try_again_and_the_next_run_completes_it(at: Desk, fault: str) -> None:
    station = Station(at)
    outage = Fault(PASSING[fault], "candles", ALWAYS)
    report = station.fetch(between=lambda: at.server.faults.append(outage))
    assert {item.remedy for item in report.outcomes} == {"retry"}
    assert all("no usable answer" in str(error) for item in report.failed for _, error in item.failures)
    outage.times = 0
    assert station.fetch().failed == []
    same_rows(station.lake, station.expected())


def test_a_ban_is_kept_to_by_all_series_and_costs_one_refused_request(at: Desk) -> None:
    station = Station(at)
    date = format_datetime(at.clock.time + timedelta(hours=2), usegmt=True)
    ban = Fault(slow_down(418, date), "candles", ALWAYS)
    report = station.fetch(between=lambda: at.server.faults.append(ban))
    assert len(report.failed) == 3
    assert candle_requests(at) <= 3
    assert at.waits.slept == []


def test_who_is_refused_by_place_is_told_so(at: Desk) -> None:
    station = Station(at)
    report = station.fetch(between=lambda: at.server.faults.append(Fault(denied(451), "candles", ALWAYS)))
    assert {item.remedy for item in report.outcomes} == {"operator"}


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("after_close", [1, 59])
def test_a_clock_ten_minutes_wrong_loses_no_closed_candle_and_lets_no_open_one_in(
    name_of_each: str, minutes: int, after_close: int
) -> None:
    """A candle closes at midnight: a second, or a minute, later it is there; before it is not."""
    midnight = START + timedelta(days=400)
    for moment, closed in (
        (midnight - timedelta(seconds=2), 399),
        (midnight + timedelta(seconds=after_close), 400),
    ):
        with desk(name_of_each, skew=timedelta(minutes=minutes), now=moment) as at:
            station = Station(at)
            report = station.fetch("BTC")
            assert (report.failed, dict(report.rules)) == ([], {})
            same_rows(station.lake, at.expected(count=closed))


@pytest.fixture(params=NAMES)
def name_of_each(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("fault", ["overlap", "doubled", "stale once", "stale"])
@pytest.mark.parametrize("name", NAMES)
def test_pages_that_overlap_repeat_or_are_others_lose_and_double_nothing(name: str, fault: str) -> None:
    with desk(name) as at:
        _pages(at, fault)


def _pages(at: Desk, fault: str) -> None:
    at.book.overlap = 40 if fault == "overlap" else 0
    at.book.doubled = fault == "doubled"
    station = Station(at)
    station.fetch("BTC", since=START + timedelta(days=100))
    at.book.stale = {"stale once": 1, "stale": 4}.get(fault, 0)
    station.fetch()
    # what another time's page hid is not taken for empty: it comes when pages are right again
    at.book.stale = 0
    report = station.fetch()
    assert report.failed == []
    same_rows(station.lake, station.expected())


def test_the_candle_under_way_never_enters_and_arrives_once_it_has_closed(at: Desk) -> None:
    station = Station(at)
    station.fetch()
    assert station.lake.read("1d")["time"].max() == START + timedelta(days=698)
    at.book.now = at.clock.time = NOON + timedelta(hours=13)
    assert station.fetch().total("inserted") == 3
    same_rows(station.lake, station.expected())


def test_a_delisted_pair_is_known_as_such_and_its_candles_are_kept(at: Desk) -> None:
    station = Station(at)
    station.fetch()
    at.book.delisted.add(f"LTC/{at.quote}")
    at.book.candles = at.book.candles.filter(
        (pl.col("symbol") != "LTC") | (pl.col("time") < START + timedelta(days=690))
    )
    held = station.lake.read("1d").height
    report = station.fetch()
    assert [item.symbol for item in report.outcomes] == ["BTC", "ETH"]
    from cripto.market.listings import ListingBook

    listings = ListingBook(station.store).read()
    assert listings.retired("LTC", at.quote)
    assert not listings.retired("BTC", at.quote)
    assert station.lake.read("1d").height == held
    named = station.fetch("LTC,NADA")
    assert [item.symbol for item in named.outcomes] == ["LTC"]
    assert named.failed == []
    assert named.unknown == ("NADA",)
    assert list(named.remedies()) == ["caller"]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_pair_that_vanishes_mid_run_is_reported_and_the_others_go_on(name: str) -> None:
    with desk(name) as at:
        _vanishing(at)


def _vanishing(at: Desk) -> None:
    station = Station(at)

    def vanish() -> None:
        at.book.vanish_after[f"ETH/{at.quote}"] = 1 if at.name in ("coinbaseexchange", "mercado") else 0

    report = station.fetch(between=vanish)
    gone = next(item for item in report.outcomes if item.symbol == "ETH")
    assert [type(error) for _, error in gone.failures] == [UnknownPair]
    assert gone.remedy == "caller"
    assert [item.symbol for item in report.failed] == ["ETH"]
    held = station.lake.read("1d")
    same_rows(
        station.lake, station.expected().join(held.select("symbol", "time"), on=["symbol", "time"], how="semi")
    )
    assert held.filter(pl.col("symbol") != "ETH").height == station.expected("BTC", "LTC").height
    # What was told before it vanished is whole from the first candle on.
    times = held.filter(symbol="ETH")["time"]
    assert times.is_empty() == (at.name not in ("coinbaseexchange", "mercado"))
    assert times.is_empty() or times[-1] == START + timedelta(days=times.len() - 1)
