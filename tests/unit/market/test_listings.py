import json
from datetime import UTC, datetime, timedelta

import pytest

from cripto.errors import InvalidInput, OperatorError
from cripto.market.listings import Listing, Listings, series_of_pairs
from cripto.market.source import Pair

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
NAMES = ("ADA", "BTC", "DOGE", "ETH", "LTC", "SOL", "XRP", "XMR", "DOT", "UNI", "TRX", "BCH")
PAIRS = [Pair(name, "USDT") for name in NAMES]


def known(*pairs: Pair, exchange: str = "binance") -> Listings:
    return Listings().seen(exchange, pairs, NOON)


def test_what_an_exchange_lists_is_known_by_series_and_exchange() -> None:
    listings = known(Pair("BTC", "USDT"), Pair("1000SATS", "USDT"), Pair("OLD", "BRL", active=False))
    assert listings.listing("SATS", "USDT", "binance") == Listing(
        "SATS", "USDT", "binance", "1000SATS/USDT", 1000, True, NOON
    )
    assert listings.factor("SATS", "USDT", "binance") == 1000
    assert listings.factor("BTC", "USDT", "binance") == listings.factor("SATS", "USDT", "kraken") == 1
    assert listings.aliases == {"1000SATS": "SATS"}
    assert listings.listing("BTC", "BRL", "binance") is None


def test_the_coin_itself_comes_before_its_multiples_and_what_is_traded_before_what_is_not() -> None:
    coin, multiple = Pair("CAT", "USDT"), Pair("1000CAT", "USDT")
    assert series_of_pairs([multiple, coin]) == series_of_pairs([coin, multiple]) == [("CAT", "USDT", coin, 1)]
    gone = Pair("CAT", "USDT", active=False)
    assert series_of_pairs([gone, multiple]) == [("CAT", "USDT", multiple, 1000)]
    both = [Pair("10000CAT", "USDT"), multiple, Pair("CAT", "BRL")]
    assert series_of_pairs(both) == [("CAT", "BRL", both[2], 1), ("CAT", "USDT", multiple, 1000)]


def test_an_asset_is_retired_once_no_exchange_that_knew_it_trades_it() -> None:
    listings = known(Pair("EOS", "USDT"), Pair("BTC", "USDT")).seen("kraken", [Pair("EOS", "USDT")], NOON)
    without = listings.seen("binance", [Pair("EOS", "USDT", active=False), Pair("BTC", "USDT")], LATER)
    assert not without.retired("EOS", "USDT")
    gone = without.seen("kraken", [Pair("EOS", "USDT", active=False)], LATER)
    assert gone.retired("EOS", "USDT")
    assert not gone.retired("EOS", "BRL")
    assert not gone.retired("NEVERSEEN", "USDT")
    assert gone.seen("kraken", [Pair("EOS", "USDT")], LATER).retired("EOS", "USDT") is False


def test_a_pair_that_is_not_in_the_list_any_more_is_not_traded() -> None:
    listings = known(*PAIRS).seen("binance", PAIRS[1:], LATER)
    assert listings.retired("ADA", "USDT")
    assert listings.listing("ADA", "USDT", "binance") == Listing(
        "ADA", "USDT", "binance", "ADA/USDT", 1, False, LATER
    )


@pytest.mark.parametrize("vanished", [True, False])
def test_a_collective_loss_is_maintenance_and_what_else_is_told_counts(vanished: bool) -> None:
    rest = PAIRS[4:] if vanished else [*(Pair(name, "USDT", active=False) for name in NAMES[:4]), *PAIRS[4:]]
    listings = known(*PAIRS).seen("binance", [*rest, Pair("NEW", "USDT")], LATER)
    assert not listings.retired_series
    assert listings.listing("NEW", "USDT", "binance") is not None
    lost = listings.listing("ADA", "USDT", "binance")
    assert lost is not None
    assert (lost.active, lost.checked) == (True, NOON)


def test_three_at_once_and_a_quarter_of_many_are_believed() -> None:
    assert len(known(*PAIRS[:3]).seen("mercado", [Pair("X1", "BRL")], NOON).retired_series) == 0
    three = known(*PAIRS[:3], exchange="mercado").seen("mercado", [Pair("X1", "BRL")], LATER)
    assert len(three.retired_series) == 3
    many = [Pair(f"C{number}", "USDT") for number in range(16)]
    assert len(known(*many).seen("binance", many[4:], LATER).retired_series) == 4
    assert len(known(*many).seen("binance", many[5:], LATER).retired_series) == 0


def test_what_was_inactive_before_does_not_count_as_lost_again() -> None:
    gone = known(*PAIRS).seen("binance", PAIRS[2:], LATER)
    further = gone.seen("binance", PAIRS[4:], LATER)
    assert len(further.retired_series) == 4


def test_an_empty_list_says_nothing() -> None:
    listings = known(Pair("BTC", "USDT"))
    assert listings.seen("binance", [], LATER) is listings


def test_the_same_said_again_within_an_hour_is_nothing_new() -> None:
    listings = known(*PAIRS)
    assert listings.seen("binance", PAIRS, NOON + timedelta(minutes=59)) == listings
    again = listings.seen("binance", PAIRS, NOON + timedelta(minutes=60))
    assert {item.checked for item in again.every} == {LATER}
    # a clock that was ahead is put right
    assert {item.checked for item in again.seen("binance", PAIRS, NOON).every} == {NOON}
    soon = NOON + timedelta(minutes=5)
    changed = listings.seen("binance", PAIRS[1:], soon)
    assert {item.symbol: item.checked for item in changed.every if item.checked != NOON} == {"ADA": soon}


def test_an_exchange_speaks_for_itself_alone() -> None:
    listings = known(*PAIRS[:2]).seen("kraken", [Pair("ETH", "USD")], LATER)
    assert [item.exchange for item in listings.of("BTC", "USDT")] == ["binance"]
    assert not listings.retired_series


def test_the_name_of_an_exchange_is_checked() -> None:
    with pytest.raises(InvalidInput):
        Listings().seen("../binance", PAIRS, NOON)


def test_listings_are_read_back_as_they_were_and_say_only_what_does_not_go_without_saying() -> None:
    listings = known(Pair("BTC", "USDT"), Pair("1000SATS", "USDT"), Pair("EOS", "USDT"))
    listings = listings.seen("kraken", [Pair("BTC", "USD")], LATER)
    listings = listings.seen("binance", [Pair("BTC", "USDT"), Pair("1000SATS", "USDT")], LATER)
    assert Listings.from_bytes(listings.to_bytes()) == listings
    assert json.loads(listings.to_bytes()) == {
        "format": 1,
        "exchanges": {
            "binance": {
                "checked": "2026-01-02T13:00:00Z",
                "pairs": [
                    {"symbol": "BTC", "quote": "USDT"},
                    {"symbol": "EOS", "quote": "USDT", "active": False},
                    {"symbol": "SATS", "quote": "USDT", "pair": "1000SATS/USDT", "factor": 1000},
                ],
            },
            "kraken": {"checked": "2026-01-02T13:00:00Z", "pairs": [{"symbol": "BTC", "quote": "USD"}]},
        },
    }


def test_a_pair_that_was_checked_at_another_time_keeps_its_own() -> None:
    listings = known(*PAIRS).seen("binance", PAIRS[4:], LATER)
    assert Listings.from_bytes(listings.to_bytes()) == listings


def test_listings_of_the_same_meaning_differ_in_their_times_alone() -> None:
    assert known(*PAIRS).meaning == Listings().seen("binance", PAIRS, LATER).meaning
    assert known(*PAIRS).meaning != known(*PAIRS[1:]).meaning


BROKEN = {
    "no JSON": b"{",
    "empty": b"",
    "another thing": b"[]",
    "no format": b"{}",
    "no exchanges": b'{"format": 1}',
    "nested without end": b"[" * 100_000,
    "no UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_understood_is_for_an_operator(data: bytes) -> None:
    with pytest.raises(OperatorError, match=r"candles/_listings\.json"):
        Listings.from_bytes(data)


@pytest.mark.parametrize(
    "item",
    [
        {"symbol": "btc", "quote": "USDT"},
        {"symbol": "B/C", "quote": "USDT"},
        {"symbol": "BTC"},
        {"symbol": 7, "quote": "USDT"},
        {"symbol": "BTC", "quote": "USDT", "factor": 0},
        {"symbol": "BTC", "quote": "USDT", "factor": 1.5},
        {"symbol": "BTC", "quote": "USDT", "factor": True},
        {"symbol": "BTC", "quote": "USDT", "factor": 10**400},
        {"symbol": "BTC", "quote": "USDT", "active": "no"},
        {"symbol": "BTC", "quote": "USDT", "pair": "BTC/USDT\n"},
        {"symbol": "BTC", "quote": "USDT", "checked": "yesterday"},
        {"symbol": "BTC", "quote": "USDT", "checked": "2026-01-01T00:00:00"},
        {"symbol": "BTC", "quote": "USDT", "checked": "0001-01-01T00:00:00+10:00"},
        ["BTC", "USDT"],
    ],
)
def test_one_item_that_makes_no_sense_spoils_the_file(item: object) -> None:
    value = {"format": 1, "exchanges": {"binance": {"checked": "2026-01-02T13:00:00Z", "pairs": [item]}}}
    with pytest.raises(OperatorError, match="malformed"):
        Listings.from_bytes(json.dumps(value).encode())


def test_a_series_told_twice_and_a_nameless_exchange_spoil_it_too() -> None:
    pair = {"symbol": "BTC", "quote": "USDT"}
    for exchanges in (
        {"binance": {"checked": "2026-01-02T13:00:00Z", "pairs": [pair, pair]}},
        {"Bin ance": {"checked": "2026-01-02T13:00:00Z", "pairs": [pair]}},
    ):
        with pytest.raises(OperatorError, match="malformed"):
            Listings.from_bytes(json.dumps({"format": 1, "exchanges": exchanges}).encode())


def test_a_newer_format_is_told_as_such() -> None:
    with pytest.raises(OperatorError, match="format 2 and only 1 is known"):
        Listings.from_bytes(b'{"format": 2, "exchanges": {}}')
