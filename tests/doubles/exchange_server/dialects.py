"""Binance's, Kraken's, Coinbase's and Mercado Bitcoin's public REST, as far as the client asks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from tests.doubles.exchange_server.book import Book, Row

__all__ = ["DIALECTS", "Reply"]


@dataclass(frozen=True)
class Reply:
    """An answer, and what it is about: ``candles``, ``pairs``, ``time`` or ``tickers``."""

    about: str
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False

    @classmethod
    def of(cls, about: str, value: object, status: int = 200) -> "Reply":
        return cls(about, json.dumps(value).encode(), status, {"Content-Type": "application/json"})


Dialect = Callable[[Book, str, Mapping[str, str]], Reply | None]
FAR = 10**15


def binance(book: Book, path: str, query: Mapping[str, str]) -> Reply | None:
    pairs = {base + quote: (base, quote) for base, quote in book.pairs()}
    if path == "/api/v3/time":
        return Reply.of("time", {"serverTime": int(book.now.timestamp() * 1000)})
    if path == "/api/v3/exchangeInfo":
        symbols = [
            {
                "symbol": symbol,
                "status": "TRADING" if book.is_active(base, quote) else "BREAK",
                "baseAsset": base,
                "quoteAsset": quote,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "orderTypes": ["LIMIT", "MARKET"],
                "permissions": [],
                "permissionSets": [["SPOT"]],
                "filters": [],
            }
            for symbol, (base, quote) in pairs.items()
        ]
        return Reply.of("pairs", {"timezone": "UTC", "rateLimits": [], "symbols": symbols})
    if path == "/api/v3/ticker/24hr":
        return Reply.of(
            "tickers",
            [
                {"symbol": symbol, "lastPrice": "1", "volume": str(book.volume(*pair)), "quoteVolume": "2500.5"}
                for symbol, pair in pairs.items()
            ],
        )
    if path == "/api/v3/klines":
        if query["symbol"] not in pairs:
            return Reply.of("candles", {"code": -1121, "msg": "Invalid symbol."}, 400)
        seconds = _SECONDS[query["interval"]]
        size = min(int(query.get("limit", 500)), 1000)
        start, end = int(query.get("startTime", 0)), int(query.get("endTime", FAR))
        rows = book.page(*pairs[query["symbol"]], seconds, start, end, size, last="startTime" not in query)
        return Reply.of(
            "candles",
            [
                [time, *map(str, values), time + seconds * 1000 - 1, "0", 1, "0", "0", "0"]
                for time, *values in rows
            ],
        )
    return None


def kraken(book: Book, path: str, query: Mapping[str, str]) -> Reply | None:
    names = {_old_name(base, quote): (base, quote) for base, quote in book.pairs()}
    if path == "/0/public/Time":
        return _result("time", {"unixtime": int(book.now.timestamp()), "rfc1123": format_datetime(book.now)})
    if path == "/0/public/AssetPairs":
        return _result(
            "pairs",
            {
                name: {
                    "altname": _short(base) + _short(quote),
                    "wsname": f"{_short(base)}/{_short(quote)}",
                    "base": _asset(base),
                    "quote": _asset(quote),
                    "pair_decimals": 1,
                    "cost_decimals": 5,
                    "lot_decimals": 8,
                    "leverage_buy": [],
                    "fees": [[0, 0.4]],
                    "fees_maker": [[0, 0.25]],
                    "ordermin": "0.0001",
                    "costmin": "0.5",
                    "tick_size": "0.1",
                    "status": "online" if book.is_active(base, quote) else "cancel_only",
                }
                for name, (base, quote) in names.items()
            },
        )
    if path == "/0/public/Ticker":
        return _result(
            "tickers",
            {
                name: {"v": ["1", str(book.volume(*pair))], "p": ["1", "2"], "c": ["2", "1"], "o": "2"}
                for name, pair in names.items()
            },
        )
    if path == "/0/public/OHLC":
        if query["pair"] not in names:
            return Reply.of("candles", {"error": ["EQuery:Unknown asset pair"]})
        # The last 720 of those after ``since``, however far back that lies.
        after = int(query.get("since", 0)) * 1000 + 1
        seconds = int(query["interval"]) * 60
        rows = book.page(*names[query["pair"]], seconds, after, FAR, 720, last=True)
        listed = [[time // 1000, *map(str, values[:4]), "0", str(values[4]), 1] for time, *values in rows]
        return _result("candles", {query["pair"]: listed, "last": after // 1000})
    return None


def coinbase(book: Book, path: str, query: Mapping[str, str]) -> Reply | None:
    pairs = {f"{base}-{quote}": (base, quote) for base, quote in book.pairs()}
    if path == "/time":
        return Reply.of("time", {"iso": book.now.isoformat(), "epoch": book.now.timestamp()})
    if path == "/products":
        return Reply.of(
            "pairs",
            [
                {
                    "id": name,
                    "base_currency": base,
                    "quote_currency": quote,
                    "base_increment": "0.00000001",
                    "quote_increment": "0.01",
                    "status": "online" if book.is_active(base, quote) else "delisted",
                }
                for name, (base, quote) in pairs.items()
            ],
        )
    if path == "/products/spark-lines":
        return Reply.of("tickers", {name: [[1, 1.0, 1.0, 1.0, 1.0]] for name in pairs})
    kind, _, rest = path.strip("/").partition("/")
    if kind == "products" and rest.endswith("/candles"):
        name = rest.removesuffix("/candles")
        if name not in pairs:
            return Reply.of("candles", {"message": "NotFound"}, 404)
        seconds = int(query["granularity"])
        start, end = _ms(query["start"]), _ms(query["end"])
        if (end - start) // (seconds * 1000) > 300:
            return Reply.of("candles", {"message": "granularity too small for the requested time range"}, 400)
        rows = book.page(*pairs[name], seconds, start, end, 310, last=False)
        return Reply.of("candles", [_newest_first(row) for row in reversed(rows)])
    return None


def mercado(book: Book, path: str, query: Mapping[str, str]) -> Reply | None:
    """It has no question for the time, and does not say what is traded no more."""
    bases = [base for base, _ in book.pairs()]
    if path.strip("/") == "api/coins":
        return Reply.of("pairs", bases)
    if path == "/api/v4/candles":
        base, _, quote = query["symbol"].partition("-")
        if base not in bases:
            return Reply.of("candles", {"code": "GENERAL|INVALID_SYMBOL", "message": "Invalid symbol"}, 400)
        seconds = _SECONDS[query["resolution"]]
        start, end = int(query["from"]) * 1000, int(query["to"]) * 1000
        rows = book.page(base, quote, seconds, start, end, 1000, last=False)
        columns = zip("tohlcv", zip(*rows, strict=True) if rows else [()] * 6, strict=True)
        told = {name: [str(value) for value in column] for name, column in columns}
        return Reply.of("candles", {**told, "t": [row[0] // 1000 for row in rows]})
    return None


def _newest_first(row: Row) -> list[float]:
    time, opened, high, low, close, volume = row
    return [time // 1000, low, high, opened, close, volume]


def _result(about: str, result: object) -> Reply:
    return Reply.of(about, {"error": [], "result": result})


def _short(name: str) -> str:
    return "XBT" if name == "BTC" else name


def _asset(name: str) -> str:
    """The names of Kraken's older assets have a letter before them."""
    return {"BTC": "XXBT", "ETH": "XETH", "LTC": "XLTC", "USD": "ZUSD"}.get(name, name)


def _old_name(base: str, quote: str) -> str:
    return _asset(base) + _asset(quote)


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


_SECONDS = {"1m": 60, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400}
DIALECTS: Mapping[str, Dialect] = {
    "binance": binance,
    "kraken": kraken,
    "coinbaseexchange": coinbase,
    "mercado": mercado,
}
"""By ccxt's id of the exchange."""
