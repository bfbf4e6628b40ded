"""How far a price may land from its prediction: the one function that training's evaluation uses too."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cripto.domain.ranges import LARGEST_SCALE, LOG_FLOOR, SMALLEST_SCALE, Ranges
from cripto.errors import InvalidInput
from cripto.forecasting.runtime import Matrix, Vector

__all__ = ["RangeScale", "log_scale_columns"]

_LOWEST, _HIGHEST = math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)


def log_scale_columns(matrix: Matrix, places: Sequence[int], logs: Sequence[bool]) -> npt.NDArray[np.float64]:
    """What the terms of a scale weigh, float64 (terms, rows): features at ``places``, or their logarithms."""
    columns = np.ascontiguousarray(matrix.T[list(places)])
    taken = list(logs)
    columns[taken] = np.log(np.maximum(columns[taken], LOG_FLOOR))
    return columns


class RangeScale:
    """``ranges`` made ready for rows of the features called ``names``, in that order.

    Raises `InvalidInput` if a feature is not among them.
    """

    def __init__(self, ranges: Ranges, names: Sequence[str]) -> None:
        place = {name: column for column, name in enumerate(names)}
        missing = [name for name in ranges.features if name not in place]
        if missing:
            raise InvalidInput(f"ranges need the feature {missing[0]!r}, which the release does not have")
        self._intercept = ranges.intercept
        self._weights = [term.weight for term in ranges.terms]
        self._places = [place[term.feature] for term in ranges.terms]
        self._logs = [term.log for term in ranges.terms]
        self._quantiles = np.array(ranges.quantiles)[:, np.newaxis]

    def scale(self, matrix: Matrix) -> Vector:
        """The size of the log return to be expected after each row of ``matrix``, (rows, features): (rows,)."""
        total = np.full(len(matrix), self._intercept)
        if self._places:
            # added up term by term: a product of matrices would depend on the rows beside a row
            for weight, column in zip(
                self._weights, log_scale_columns(matrix, self._places, self._logs), strict=True
            ):
                total += weight * column
        values: Vector = np.exp(np.minimum(np.maximum(total, _LOWEST), _HIGHEST))
        return values

    def half_widths(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        """Half widths of the ranges, as log returns, float64 (levels, rows), in the order of ``LEVELS``.

        The range of a row is the predicted log return plus and minus its half width. Always positive and finite
        where the features are; a row's do not depend on the rows beside it.
        """
        return self._quantiles * self.scale(matrix)
