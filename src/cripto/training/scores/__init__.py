"""Scores of predictions nobody fitted: each beside its baselines, each with the interval that luck alone explains.

Everything is measured on log returns and directions: pooled prices would measure how large the dearest coin is.
A day of all coins is one observation, since coins move together; see `cripto.training.scores.resampling`.
"""

from cripto.training.scores.evaluation import Evaluation, evaluate
from cripto.training.scores.rows import ScoredRows, rows_of_folds, rows_of_parts

__all__ = ["Evaluation", "ScoredRows", "evaluate", "rows_of_folds", "rows_of_parts"]
