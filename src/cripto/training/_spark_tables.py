"""What travels between a run and Spark, in forms that both read to the same bits."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.errors import TrainingRefused
from cripto.market.schema import CANDLE_SCHEMA
from cripto.training.dataset import Dataset

__all__ = ["BROADCAST_BYTES", "candles_of", "frame_of", "packed", "rows_of", "unpacked"]

BROADCAST_BYTES: Final = 2 << 30
"""The most bytes a dataset may have: each Python process of an executor holds all of them."""

_TIME: Final = pl.Datetime("us", "UTC")


def frame_of(table: pl.DataFrame) -> Any:
    """A pandas frame of the same columns; ``time`` as int64 microseconds since 1970, which no time zone moves."""
    return table.with_columns(pl.col("time").to_physical()).to_pandas()


def rows_of(frame: Any) -> pl.DataFrame:
    """The table that `frame_of` gave as ``frame``; NaN stays NaN."""
    return pl.from_pandas(frame, nan_to_null=False).with_columns(pl.col("time").cast(_TIME))


def candles_of(frame: Any) -> pl.DataFrame:
    """A pandas frame of candles in the columns and types of the lake's."""
    return rows_of(frame).select(pl.col(name).cast(CANDLE_SCHEMA[name]) for name in CANDLE_COLUMNS)


def packed(dataset: Dataset) -> Mapping[str, Any]:
    """The dataset as plain bytes and strings.

    Not as arrays: one that was pickled comes back with a type object of its own, and a model fitted on it is
    written to other bytes than one fitted on the array that was sent. Raises `TrainingRefused` for more than
    `BROADCAST_BYTES`.
    """
    names, codes = np.unique(dataset.symbol.cast(pl.String).to_numpy(), return_inverse=True)
    parts: dict[str, NDArray[Any]] = {
        "features": np.ascontiguousarray(dataset.features, np.float64),
        "log_return": np.ascontiguousarray(dataset.log_return, np.float64),
        "time": dataset.time.astype("datetime64[us]").astype(np.int64),
        "symbol": codes.astype(np.int32),
    }
    size = sum(part.nbytes for part in parts.values())
    if size > BROADCAST_BYTES:
        raise TrainingRefused(
            f"{len(dataset)} rows of {len(dataset.names)} features are {size} bytes; Spark's executors are sent"
            f" {BROADCAST_BYTES} at most: train on a longer interval, or on fewer assets"
        )
    return {
        **{name: part.tobytes() for name, part in parts.items()},
        "names": list(dataset.names),
        "symbols": [str(name) for name in names],
    }


def unpacked(value: Mapping[str, Any]) -> Dataset:
    """The dataset that `packed` gave as ``value``, on its bytes: read-only, and without a copy of the features."""
    names = tuple(value["names"])
    codes = pl.Series(np.frombuffer(value["symbol"], np.int32))
    return Dataset(
        names=names,
        features=np.frombuffer(value["features"], np.float64).reshape(len(codes), len(names)),
        log_return=np.frombuffer(value["log_return"], np.float64),
        time=np.frombuffer(value["time"], np.int64).view("datetime64[us]"),
        symbol=pl.Series("symbol", value["symbols"], pl.String).gather(codes),
    )
