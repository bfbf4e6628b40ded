"""The lake of candles: the protocol, its two forms, and how to open one below a store's URL."""

from functools import partial

from cripto.market._candle_lake import KEPT, CandleLake, Optimization, Upsert
from cripto.market.delta_lake import DeltaLake
from cripto.market.memory_lake import MemoryLake
from cripto.storage import delta_options, open_store

__all__ = ["KEPT", "CandleLake", "DeltaLake", "MemoryLake", "Optimization", "Upsert", "open_lake"]

_TABLE = "candles"


def open_lake(url: str) -> CandleLake:
    """Return the candles of the store at ``url``: its table ``candles``, made by the first upsert.

    ``memory://`` is a new, empty lake each time. Raises `InvalidSettings` for a URL that is no store's; nothing is
    connected to until the lake is used.
    """
    store = open_store(url)  # refuses what is no store's URL
    if store.url == "memory://":
        return MemoryLake()
    return DeltaLake(partial(delta_options, url, _TABLE), within=(store, _TABLE))
