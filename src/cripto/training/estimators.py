"""The five estimators, by their seed names, and why each is as it is.

Daily returns hold hardly more signal than noise, so every choice here leans to the cautious side: shallow trees
with large leaves, few features a split, strong shrinkage. What was tried is in ``docs/experiments.md``; it was
chosen by walk-forward scores inside the training window alone. Costs are bounded by design: no model sees more
than its `Recipe.max_rows` rows, no tree of a forest more than its ``rows_a_tree``, so a million rows cost no more
than a hundred thousand.

What builds an estimator is data, so that a recipe can be sent to another process and told in JSON.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cripto.domain.model_name import Tipo
from cripto.errors import InvalidInput
from cripto.training.dataset import Dataset

__all__ = ["MOST_LEAVES", "RECIPES", "Boosting", "Forest", "Logistic", "Recipe", "RidgeRegression", "Weights"]

_MAX_ROWS: Final = 150_000

MOST_LEAVES: Final = 20_000
"""Leaves that the trees of one model have together at most: it is held in memory and sent to every server."""

Weights = Callable[[Dataset, NDArray[np.intp]], NDArray[np.float64]]
"""Sample weights, float64 (rows,), of those rows of a dataset; a pure function that can be pickled."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make one model: ``build(rows, seed)`` gives the unfitted estimator for that many rows.

    ``max_rows`` bounds the rows it is fitted on (an even sample of them if there are more). ``cost`` orders the
    fits that run side by side, dearest first. ``weights`` weighs the rows it is fitted on, all alike if ``None``.
    ``features`` names the columns it may learn from, all if ``None``; it is served all of them in any case.
    """

    build: Callable[[int, int], Any]
    max_rows: int = _MAX_ROWS
    cost: int = 1
    weights: Weights | None = None
    features: tuple[str, ...] | None = None


def _leaf(rows: int, largest: int) -> int:
    """Rows a leaf holds at least: ``largest``, or a fiftieth of what a tree sees where that is little."""
    return max(5, min(largest, rows // 50))


def _check_leaves(trees: int, leaves: int) -> None:
    if trees * leaves > MOST_LEAVES:
        raise InvalidInput(f"{trees} trees of {leaves} leaves are too many to serve: at most {MOST_LEAVES} in all")


@dataclass(frozen=True, slots=True)
class Forest:
    """Both forests: 100 trees of depth 6, 10,000 rows a tree, leaves of 200, a tenth of the features a split.

    Trees that differ (few rows, few features) and cannot memorise a day; leaves of 20 at any depth and a third
    of the features lost out of sample. Either forest is a few hundred kilobytes and answers in microseconds.
    A regressor's is of mean log returns, a classifier's of shares of rises: the mean of its leaves' is its answer.
    Raises `InvalidInput` beyond `MOST_LEAVES`.
    """

    tipo: Tipo
    trees: int = 100
    depth: int = 6
    split_share: float = 0.1
    rows_a_tree: int = 10_000
    leaf: int = 200

    def __post_init__(self) -> None:
        """Refuse a forest too large to serve."""
        # with few rows leaves are a fiftieth of them, rounded down: sixty a tree at most
        _check_leaves(self.trees, min(2**self.depth, max(60, self.rows_a_tree // self.leaf)))

    def __call__(self, rows: int, seed: int) -> Any:
        """The unfitted forest for ``rows`` rows."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        in_tree = min(rows, self.rows_a_tree)
        kind = RandomForestRegressor if self.tipo == "regressor" else RandomForestClassifier
        return kind(
            n_estimators=self.trees,
            max_depth=self.depth,
            max_features=self.split_share,
            max_samples=in_tree,
            min_samples_leaf=_leaf(in_tree, self.leaf),
            random_state=seed,
        )


@dataclass(frozen=True, slots=True)
class Boosting:
    """Gradient boosting: 100 steps of trees of depth 3 at rate 0.02, each on a quarter of the rows.

    Stochastic (Friedman 2002) and slow, so that the sum of the steps stays far from the training returns; Huber's
    loss, because a few crashes hold most of the squared error and taught the trees nothing that came back.
    Raises `InvalidInput` beyond `MOST_LEAVES`.
    """

    loss: Literal["huber", "squared_error"] = "huber"
    steps: int = 100
    rate: float = 0.02
    depth: int = 3
    split_share: float = 0.1
    rows_share: float = 0.25
    leaf: int = 200

    def __post_init__(self) -> None:
        """Refuse what is too large to serve."""
        _check_leaves(self.steps, 2**self.depth)

    def __call__(self, rows: int, seed: int) -> Any:
        """The unfitted estimator for ``rows`` rows."""
        from sklearn.ensemble import GradientBoostingRegressor

        return GradientBoostingRegressor(
            loss=self.loss,
            n_estimators=self.steps,
            learning_rate=self.rate,
            max_depth=self.depth,
            max_features=self.split_share,
            min_samples_leaf=_leaf(int(rows * self.rows_share), self.leaf),
            subsample=self.rows_share,
            random_state=seed,
        )


@dataclass(frozen=True, slots=True)
class RidgeRegression:
    """Ridge regression on standardised features, its ``penalty`` times the number of rows.

    On standardised columns such a penalty quarters the weight of a feature that stands alone and shrinks the many
    collinear ones further: plain least squares followed them into losses. Exact, and free of chance.
    """

    penalty: float = 3.0

    def __call__(self, rows: int, _seed: int) -> Any:
        """The unfitted pipeline for ``rows`` rows."""
        from sklearn.linear_model import Ridge
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        ridge = Ridge(alpha=self.penalty * rows, solver="cholesky")
        return Pipeline([("scale", StandardScaler()), ("ridge", ridge)])


@dataclass(frozen=True, slots=True)
class Logistic:
    """Logistic regression on standardised features, its L2 ``penalty`` times the number of rows, as for ridge."""

    penalty: float = 0.3

    def __call__(self, rows: int, _seed: int) -> Any:
        """The unfitted pipeline for ``rows`` rows."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        logistic = LogisticRegression(C=1 / (self.penalty * rows), max_iter=1000)
        return Pipeline([("scale", StandardScaler()), ("logistic", logistic)])


RECIPES: Final[Mapping[str, Recipe]] = {
    "regressor_rf": Recipe(Forest("regressor"), cost=4),
    "regressor_gbr": Recipe(Boosting(), cost=5),
    "regressor_lin": Recipe(RidgeRegression(), cost=1),
    "classifier_rf": Recipe(Forest("classifier"), cost=3),
    "classifier_log": Recipe(Logistic(), cost=2),
}
"""The five models, by name."""
