"""How far a price may land from its prediction: the one function that training's evaluation uses too."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cripto.domain.ranges import LARGEST_SCALE, LOG_FLOOR, SMALLEST_SCALE, Ranges
from cripto.errors import InvalidInput
from cripto.forecasting.runtime import Matrix, Vector

__all__ = ["RangeScale", "RangeScales", "log_scale_columns", "range_scales"]

_LOWEST, _HIGHEST = math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)


def log_scale_columns(matrix: Matrix, places: Sequence[int], logs: Sequence[bool]) -> npt.NDArray[np.float64]:
    """What the terms of a scale weigh, float64 (terms, rows): features at ``places``, or their logarithms."""
    columns = np.ascontiguousarray(matrix.T[list(places)])
    taken = list(logs)
    columns[taken] = np.log(np.maximum(columns[taken], LOG_FLOOR))
    return columns


class RangeScales:
    """``ranges`` of several regressors, all of equal terms but for their weights, made ready for rows.

    Rows have the features called ``names``, in that order. Raises `InvalidInput` if a term's is not among them.
    """

    def __init__(self, ranges: Mapping[str, Ranges], names: Sequence[str]) -> None:
        place = {name: column for column, name in enumerate(names)}
        terms = next(iter(ranges.values())).terms
        missing = [term.feature for term in terms if term.feature not in place]
        if missing:
            raise InvalidInput(f"ranges need the feature {missing[0]!r}, which the release does not have")
        self._names = tuple(ranges)
        self._places = [place[term.feature] for term in terms]
        self._logs = [term.log for term in terms]
        self._intercepts = np.array([[item.intercept] for item in ranges.values()])
        weights = np.array([[term.weight for term in item.terms] for item in ranges.values()])
        self._weights = weights.T[:, :, np.newaxis]
        self._quantiles = np.array([item.quantiles for item in ranges.values()])[:, :, np.newaxis]

    def scales(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        """Sizes of the log returns to be expected after each row of ``matrix``, float64 (regressors, rows)."""
        total = np.repeat(self._intercepts, len(matrix), axis=1)
        if self._places:
            columns = log_scale_columns(matrix, self._places, self._logs)
            # added up term by term: a product of matrices, or a sum along an axis, may depend on the rows beside
            total += np.add.accumulate(self._weights * columns[:, np.newaxis], axis=0)[-1]
        values: npt.NDArray[np.float64] = np.exp(np.minimum(np.maximum(total, _LOWEST), _HIGHEST))
        return values

    def half_widths(self, matrix: Matrix) -> dict[str, npt.NDArray[np.float64]]:
        """By regressor the half widths of its ranges; see `RangeScale.half_widths`."""
        widths = self._quantiles * self.scales(matrix)[:, np.newaxis]
        return dict(zip(self._names, widths, strict=True))


class RangeScale:
    """The same for one regressor."""

    def __init__(self, ranges: Ranges, names: Sequence[str]) -> None:
        self._scales = RangeScales({"": ranges}, names)

    def scale(self, matrix: Matrix) -> Vector:
        """The size of the log return to be expected after each row of ``matrix``, (rows, features): (rows,)."""
        scale: Vector = self._scales.scales(matrix)[0]
        return scale

    def half_widths(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        """Half widths of the ranges, as log returns, float64 (levels, rows), in the order of ``LEVELS``.

        The range of a row is the predicted log return plus and minus its half width. Always positive and finite
        where the features are; a row's do not depend on the rows beside it.
        """
        return self._scales.half_widths(matrix)[""]


def range_scales(ranges: Mapping[str, Ranges], names: Sequence[str]) -> tuple[RangeScales, ...]:
    """``ranges`` by regressor, those of equal terms together, so that their logarithms are taken once."""
    alike: dict[tuple[tuple[str, bool], ...], dict[str, Ranges]] = {}
    for name, item in ranges.items():
        alike.setdefault(tuple((term.feature, term.log) for term in item.terms), {})[name] = item
    return tuple(RangeScales(group, names) for group in alike.values())
