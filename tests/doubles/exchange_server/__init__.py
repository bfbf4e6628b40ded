"""A local exchange that speaks the public REST of Binance, Kraken and Coinbase, and fails as they do."""

from tests.doubles.exchange_server.book import Book
from tests.doubles.exchange_server.faults import (
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
from tests.doubles.exchange_server.server import ExchangeServer, exchange_server

__all__ = [
    "Book",
    "ExchangeServer",
    "Fault",
    "cut_short",
    "denied",
    "disguised",
    "dropped",
    "exchange_server",
    "failing",
    "no_json",
    "nothing_said",
    "slow_down",
    "spoilt",
]
