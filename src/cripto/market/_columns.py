"""Which column of a file is which, by the names that exchanges, data sellers and pipelines give them."""

from collections.abc import Mapping, Sequence

from cripto.errors import InvalidInput

__all__ = ["SEED_COLUMNS", "column_names", "is_header"]

SEED_COLUMNS = ("symbol", "datetime", "timestamp", "high", "low", "open", "close", "volumefrom", "volumeto")
"""The columns of the pipeline's ``raw.csv``, in its order."""

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "pair", "asset", "base", "coin", "fsym", "ativo", "market", "instrument"),
    "quote": ("quote", "quote_asset", "quote asset", "tsym", "cotacao", "cotação"),
    "time": (
        *("timestamp", "unix", "time", "open_time", "open time", "opentime", "time_open", "unix timestamp"),
        *("datetime", "date", "date_time", "data", "data_hora"),
    ),
    "open": ("open", "o", "open price", "open_price", "abertura"),
    "high": ("high", "h", "high price", "high_price", "max", "maxima", "máxima"),
    "low": ("low", "l", "low price", "low_price", "min", "minima", "mínima"),
    "close": ("close", "c", "close price", "close_price", "fechamento"),
    "volume": ("volume", "volumefrom", "vol", "v", "base volume", "base_volume", "volume_from"),
    "interval": ("interval", "timeframe", "intervalo"),
    "source": ("source", "exchange", "fonte"),
}
_NEEDED = ("time", "open", "high", "low", "close", "volume")


def is_header(cells: Sequence[str]) -> bool:
    """Whether the cells of a line name at least a time and a close."""
    found = _matched(cells)
    return {"time", "close"} <= set(found)


def column_names(header: Sequence[str]) -> dict[str, str]:
    """Map our column names to those of ``header``; optional ones may be absent.

    Raises `InvalidInput` that lists what is missing or stands there twice.
    """
    plain = [name.strip().lower() for name in header]
    found = _matched(header)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise InvalidInput(f"no column for {', '.join(missing)}; the file has {', '.join(map(repr, header[:20]))}")
    twice = [column for column in found.values() if plain.count(column.strip().lower()) > 1]
    if twice:
        raise InvalidInput(f"several columns are called {', '.join(map(repr, twice))}")
    return found


def _matched(header: Sequence[str]) -> dict[str, str]:
    by_name = {name.strip().lower(): name for name in reversed(header)}
    found = {}
    for column, aliases in _ALIASES.items():
        match = next((by_name[alias] for alias in aliases if alias in by_name), None)
        if match is not None:
            found[column] = match
    if "volume" not in found:
        # "Volume BTC", "Volume USDT": that of the asset comes first.
        match = next((name for name in header if name.strip().lower().startswith("volume ")), None)
        if match is not None:
            found["volume"] = match
    return found
