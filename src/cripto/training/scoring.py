"""Scoring fitted models on rows they have not seen."""

from collections.abc import Iterable
from typing import Any

from cripto.domain.model_name import tipo_of
from cripto.training.dataset import Dataset
from cripto.training.evaluation import evaluate_classifier, evaluate_regressor
from cripto.training.fitting import FittedModel
from cripto.training.splits import HoldOut
from cripto.training.targets import rises

__all__ = ["score"]


def score(models: Iterable[FittedModel], dataset: Dataset, cut: HoldOut) -> dict[str, dict[str, Any]]:
    """Scores of every model on the test rows of ``cut``, by name: see `cripto.training.evaluation`.

    The models are those fitted on the cut's training rows, whose share of rises is the classifiers' baseline.
    """
    base_rate = float(rises(dataset.log_return[cut.train]).mean())
    actual, time = dataset.log_return[cut.test], dataset.time[cut.test]
    metrics = {}
    for model in models:
        predicted = model.predict(dataset, cut.test)
        if tipo_of(model.name) == "regressor":
            metrics[model.name] = evaluate_regressor(predicted, actual, time)
        else:
            metrics[model.name] = evaluate_classifier(predicted, rises(actual), base_rate, time)
    return metrics
