"""How unlike the training rows a row is: the one function that training uses too."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cripto.domain.novelty import FARTHEST, Novelty
from cripto.errors import InvalidInput
from cripto.forecasting.runtime import Matrix, Vector

__all__ = ["NoveltyScale", "distance"]

Array = npt.NDArray[np.float64]


def distance(columns: Array, centers: Array, spreads: Array) -> Vector:
    """Distance of each row from the centre, (rows,), of ``columns``, (features, rows): see `Novelty`."""
    away = (columns - centers[:, np.newaxis]) / spreads[:, np.newaxis]
    away = np.minimum(np.abs(away), FARTHEST)
    away *= away
    # feature by feature: the order in which numpy sums along an axis may depend on how many rows there are
    values: Vector = np.sqrt(np.add.accumulate(away, axis=0)[-1] / len(columns))
    return values


class NoveltyScale:
    """``novelty`` made ready for rows of the features called ``names``, in that order.

    Raises `InvalidInput` if a feature is not among them.
    """

    def __init__(self, novelty: Novelty, names: Sequence[str]) -> None:
        place = {name: column for column, name in enumerate(names)}
        missing = [name for name in novelty.features if name not in place]
        if missing:
            raise InvalidInput(f"novelty needs the feature {missing[0]!r}, which the release does not have")
        self._places = [place[name] for name in novelty.features]
        self._centers = np.array(novelty.centers)
        self._spreads = np.array(novelty.spreads)
        self._distances = np.array([distance for distance, _ in novelty.knots])
        self._shares = np.array([share for _, share in novelty.knots])

    def of(self, matrix: Matrix) -> Vector:
        """Novelty of each row of ``matrix``, (rows, features): the share of training rows nearer, 0 to 1, (rows,).

        A row's does not depend on the rows beside it; NaN where a feature is.
        """
        columns = np.ascontiguousarray(matrix.T[self._places])
        found: Vector = np.interp(distance(columns, self._centers, self._spreads), self._distances, self._shares)
        return found
