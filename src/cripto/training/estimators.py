"""The five estimators, by their seed names, and why each is as it is.

Daily returns hold hardly more signal than noise, so every choice here leans to the cautious side: shallow trees
with large leaves, few features a split, strong shrinkage. What was tried is in ``docs/experiments.md``; it was
chosen by walk-forward scores inside the training window alone. Costs are bounded by design: no model sees more
than its `Recipe.max_rows` rows, no tree of a forest more than `_ROWS_A_TREE`, so a million rows cost no more than
a hundred thousand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["RECIPES", "Recipe"]

_MAX_ROWS: Final = 150_000
_ROWS_A_TREE: Final = 10_000
_LARGEST_LEAF: Final = 200
_FEATURES_A_SPLIT: Final = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make one model: ``build(rows, seed)`` gives the unfitted estimator for that many rows.

    ``max_rows`` bounds the rows it is fitted on (an even sample of them if there are more). ``cost`` orders the
    fits that run side by side, dearest first.
    """

    build: Callable[[int, int], Any]
    max_rows: int = _MAX_ROWS
    cost: int = 1


def _leaf(rows: int) -> int:
    """Rows a leaf holds at least: 200, or a fiftieth of what a tree sees where that is little."""
    return max(5, min(_LARGEST_LEAF, rows // 50))


def _forest(rows: int, seed: int) -> dict[str, Any]:
    """Both forests: 100 trees of depth 6, 10,000 rows a tree, leaves of 200, a tenth of the features a split.

    Trees that differ (few rows, few features) and cannot memorise a day; leaves of 20 at any depth and a third
    of the features lost out of sample. Either forest is a few hundred kilobytes and answers in microseconds.
    """
    in_tree = min(rows, _ROWS_A_TREE)
    return {
        "n_estimators": 100,
        "max_depth": 6,
        "max_features": _FEATURES_A_SPLIT,
        "max_samples": in_tree,
        "min_samples_leaf": _leaf(in_tree),
        "random_state": seed,
    }


def _regressor_rf(rows: int, seed: int) -> Any:
    """Random forest of mean log returns; see `_forest`."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(**_forest(rows, seed))


def _regressor_gbr(rows: int, seed: int) -> Any:
    """Gradient boosting: 100 steps of trees of depth 3 at rate 0.02, each on a quarter of the rows.

    Stochastic (Friedman 2002) and slow, so that the sum of the steps stays far from the training returns; Huber's
    loss, because a few crashes hold most of the squared error and taught the trees nothing that came back.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(
        loss="huber",
        n_estimators=100,
        learning_rate=0.02,
        max_depth=3,
        max_features=_FEATURES_A_SPLIT,
        min_samples_leaf=_leaf(rows // 4),
        subsample=0.25,
        random_state=seed,
    )


def _regressor_lin(rows: int, _seed: int) -> Any:
    """Ridge regression on standardised features, its penalty three times the number of rows.

    On standardised columns such a penalty quarters the weight of a feature that stands alone and shrinks the many
    collinear ones further: plain least squares followed them into losses. Exact, and free of chance.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("scale", StandardScaler()), ("ridge", Ridge(alpha=3.0 * rows, solver="cholesky"))])


def _classifier_rf(rows: int, seed: int) -> Any:
    """Random forest of shares of rises: the mean of its leaves' is its answer; see `_forest`."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**_forest(rows, seed))


def _classifier_log(rows: int, _seed: int) -> Any:
    """Logistic regression on standardised features, its L2 penalty 0.3 times the number of rows, as for ridge."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    logistic = LogisticRegression(C=1 / (0.3 * rows), max_iter=1000)
    return Pipeline([("scale", StandardScaler()), ("logistic", logistic)])


RECIPES: Final[Mapping[str, Recipe]] = {
    "regressor_rf": Recipe(_regressor_rf, cost=4),
    "regressor_gbr": Recipe(_regressor_gbr, cost=5),
    "regressor_lin": Recipe(_regressor_lin, cost=1),
    "classifier_rf": Recipe(_classifier_rf, cost=3),
    "classifier_log": Recipe(_classifier_log, cost=2),
}
"""The five models, by name."""
