"""What needs no model: the baselines, and the scale errors are measured in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.interval import Interval
from cripto.training.fair_game import fair_share
from cripto.training.scores.resampling import Floats
from cripto.training.targets import rises

__all__ = ["SCALE_ROWS", "Reference", "reference_of", "season_of", "seasonal"]

SCALE_ROWS: Final = 30
"""An asset with fewer training rows than this is measured on the scale of all assets."""

_DAY: Final = 86_400
_DAILY_SEASON: Final = 7


@dataclass(frozen=True, slots=True)
class Reference:
    """What a training part alone says: ``drift`` its mean log return, ``base_rate`` its share of rises.

    ``scale`` is the mean absolute log return by asset, what "the price stays" was wrong by in the training part
    (the scale of MASE, Hyndman & Koehler 2006); ``pooled_scale`` that of all rows, for assets with fewer than
    `SCALE_ROWS` of them. A scale is never zero: an asset whose price never moved has the pooled one.
    """

    drift: float
    base_rate: float
    pooled_scale: float
    scale: Mapping[str, float]

    def scales(self, symbol: pl.Series) -> Floats:
        """The scale of each row's asset, float64 (rows,)."""
        known = pl.DataFrame(
            {"symbol": list(self.scale), "scale": list(self.scale.values())},
            schema={"symbol": pl.String, "scale": pl.Float64},
        )
        joined = pl.DataFrame({"symbol": symbol.cast(pl.String)}).join(
            known, on="symbol", how="left", maintain_order="left"
        )
        return joined["scale"].fill_null(self.pooled_scale).to_numpy()

    def to_json(self) -> dict[str, Any]:
        """The reference as it stands in the manifest, for those who score the release later."""
        return {
            "drift": self.drift,
            "base_rate": self.base_rate,
            "pooled_scale": self.pooled_scale,
            "scale": dict(self.scale),
        }

    @property
    def fair_share(self) -> float:
        """The share of rises of a fair game as loud as the training part, see `cripto.training.fair_game`."""
        return fair_share(self.pooled_scale)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Reference":
        """Read `to_json`'s form; raise ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
        return cls(
            drift=float(value["drift"]),
            base_rate=float(value["base_rate"]),
            pooled_scale=float(value["pooled_scale"]),
            scale={str(name): float(scale) for name, scale in value["scale"].items()},
        )


def reference_of(log_return: Floats, symbol: pl.Series) -> Reference:
    """The reference of training rows: their log returns, float64 (rows,), and assets."""
    pooled = float(np.abs(log_return).mean())
    by_asset = (
        pl.DataFrame({"symbol": symbol.cast(pl.String), "size": np.abs(log_return)})
        .group_by("symbol")
        .agg(pl.col("size").mean().alias("scale"), pl.len().alias("rows"))
        .filter((pl.col("rows") >= SCALE_ROWS) & (pl.col("scale") > 0))
        .sort("symbol")
    )
    return Reference(
        drift=float(log_return.mean()),
        base_rate=float(rises(log_return).mean()),
        pooled_scale=pooled,
        scale=dict(by_asset.select("symbol", "scale").iter_rows()),
    )


def season_of(interval: Interval) -> int:
    """Candles in a season: a week of daily candles, a day of shorter ones."""
    return _DAILY_SEASON if interval.seconds >= _DAY else _DAY // interval.seconds


def seasonal(time: NDArray[np.datetime64], symbol: pl.Series, log_return: Floats, interval: Interval) -> Floats:
    """The seasonal-naive forecast of each row, float64 (rows,): the log return one season before the target's.

    It is known when the row's candle closes; NaN where the asset has no row a season ago.
    """
    step = interval.seconds * 1_000_000
    keys = pl.DataFrame({"symbol": symbol.cast(pl.String), "time": time.astype("datetime64[us]").astype(np.int64)})
    earlier = keys.with_columns(log_return=pl.Series(log_return), time=pl.col("time") + season_of(interval) * step)
    found = keys.join(earlier, on=["symbol", "time"], how="left", maintain_order="left")["log_return"]
    return found.fill_null(np.nan).to_numpy()
