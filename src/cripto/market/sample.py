"""The bundled sample: real daily candles of BTC, ETH and LTC, for when nothing else is at hand."""

import io
from importlib.resources import files

import polars as pl

from cripto.market.schema import checked_candles

__all__ = ["sample_candles"]


def sample_candles() -> pl.DataFrame:
    """Daily candles of BTC, ETH and LTC in USD (Bitstamp, 2014 to 2020), ``source`` `SAMPLE_SOURCE`.

    Columns of ``cripto.market.schema``, sorted by symbol and time. NOTICE says where they come from and
    ``tools/build_sample.py`` makes the file. As recorded: with a gap of 13 days and 11 flat bars without volume.
    """
    content = (files("cripto.market") / "data" / "sample.parquet").read_bytes()
    return checked_candles(pl.read_parquet(io.BytesIO(content)))
