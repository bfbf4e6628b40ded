"""How often a price rises on which nobody can earn: less than half of the time."""

import math
from typing import Final

__all__ = ["fair_share"]

_DEVIATION_OF_SIZE: Final = math.sqrt(math.pi / 2)
"""Standard deviation of a normal variable over its mean size."""


def fair_share(mean_size: float) -> float:
    """P(rise) over one candle of a martingale whose log returns have the mean size ``mean_size``.

    Where the expected price is today's, the *median* log return lies half a variance below zero (the mean of a
    lognormal variable is its median times ``exp(variance / 2)``), so a rise has the probability
    ``Phi(-sigma / 2)`` if returns are normal; ``sigma`` is taken from the mean size, which a few great moves
    hardly touch.
    """
    return 0.5 * math.erfc(_DEVIATION_OF_SIZE * mean_size / (2 * math.sqrt(2)))
