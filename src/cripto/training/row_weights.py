"""Sample weights of the rows that a model is fitted on: by age, and by how loud the asset was just then."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cripto.errors import InvalidInput
from cripto.training.dataset import Dataset

__all__ = ["VOLATILITY", "RowWeights"]

VOLATILITY: Final = "volatility_20"
"""The feature that says how loud an asset was when the forecast is made."""

_CALMEST: Final = 0.05


@dataclass(frozen=True, slots=True)
class RowWeights:
    """A row ``half_life_days`` before the newest weighs half; one of volatility v, ``v ** -volatility_power``.

    Power 2 is weighted least squares where errors have the deviation v (Aitken 1935), power 1 half way there.
    Rows calmer than the calmest twentieth weigh as that does, or a coin pegged to its quote would outweigh all.
    ``None`` and 0 weigh all alike. Raises `InvalidInput` for a half life or power that is none.
    """

    half_life_days: float | None = None
    volatility_power: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that give no weights."""
        if self.half_life_days is not None and not 0 < self.half_life_days < np.inf:
            raise InvalidInput(f"a half life is a number of days above 0, not {self.half_life_days}")
        if not 0 <= self.volatility_power <= 2:
            raise InvalidInput(
                f"rows are weighted by a power of volatility from 0 to 2, not {self.volatility_power}"
            )

    def __call__(self, dataset: Dataset, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Weights of ``rows`` of ``dataset``, float64 (rows,), above 0 with mean 1; of no other row they know.

        A mean of 1 leaves a penalty that counts rows what it is.
        """
        weights = np.ones(len(rows))
        if self.half_life_days is not None:
            time = dataset.time[rows]
            age = (time.max() - time) / np.timedelta64(1, "D")
            # a row so old that its weight is no number any more still weighs a little
            weights *= np.maximum(0.5 ** (age / self.half_life_days), 1e-9)
        if self.volatility_power:
            if VOLATILITY not in dataset.names:
                raise InvalidInput(f"rows can only be weighted by {VOLATILITY} where that is a feature")
            volatility = dataset.features[rows, dataset.names.index(VOLATILITY)]
            moved = volatility[volatility > 0]
            if len(moved):
                weights *= np.maximum(volatility, np.quantile(moved, _CALMEST)) ** -self.volatility_power
        return np.asarray(weights / weights.mean(), dtype=np.float64)
