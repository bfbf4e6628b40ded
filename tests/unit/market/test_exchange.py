"""What an exchange's client is made of, without asking anything."""

import asyncio
from typing import Any

import pytest

from cripto.domain.clock import SystemClock
from cripto.market.exchange import Exchange


def addresses(value: Any) -> list[str]:
    return [text for item in value.values() for text in addresses(item)] if isinstance(value, dict) else [value]


async def client(name: str, **options: Any) -> Any:
    async with Exchange(name, clock=SystemClock(), **options) as exchange:
        return exchange._client


@pytest.mark.parametrize("name", ["binance", "bybit", "coinbase", "coinbaseexchange", "kraken", "mercado"])
def test_every_address_can_be_led_elsewhere(name: str) -> None:
    found = addresses(asyncio.run(client(name, url="http://127.0.0.1:1/")).urls["api"])
    assert found
    assert all(text.startswith("http://127.0.0.1:1") and "{hostname}" not in text for text in found)


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_only_spot_pairs_are_listed(name: str) -> None:
    assert asyncio.run(client(name)).options["fetchMarkets"]["types"] == ["spot"]


def test_how_an_exchange_lists_its_pairs_is_left_alone_where_it_is_no_choice_of_kinds() -> None:
    assert asyncio.run(client("coinbase")).options["fetchMarkets"] == "fetchMarketsV3"


def test_limits_are_the_exchanges_own_unless_told_otherwise() -> None:
    assert asyncio.run(client("kraken")).rateLimit == 1000
    assert asyncio.run(client("kraken", rate=0.25, timeout=3.0)).rateLimit == 250
    assert asyncio.run(client("kraken", timeout=3.0)).timeout == 3000
    assert asyncio.run(client("kraken")).enableRateLimit
