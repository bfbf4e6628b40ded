"""Whether a loaded model is made of nothing but what it seems: scikit-learn runs the code of its parts unseen.

A file chooses what every attribute holds. Compiled code trusts shapes (of starting values, of a table of trees)
and would write past their end; and a part of another class could show us one tree and walk another.
"""

from typing import Any

import numpy as np
from sklearn._loss.link import IdentityLink
from sklearn._loss.loss import AbsoluteError, HalfSquaredError, HuberLoss, PinballLoss
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import Tree

from cripto.registry.convert.child.refusal import Refused, shown

__all__ = ["check_parts", "steps_of"]

_LOSSES = (AbsoluteError, HalfSquaredError, HuberLoss, PinballLoss)


def steps_of(estimator: Any) -> list[Any]:
    """The steps of a pipeline, or the estimator alone; raise `Refused` for a pipeline of another make."""
    if type(estimator) is not Pipeline:
        return [estimator]
    steps = vars(estimator).get("steps")
    if type(steps) is not list or not all(type(step) in (tuple, list) and len(step) == 2 for step in steps):
        raise Refused("it holds a pipeline without its steps")
    return [step for _, step in steps]


def check_parts(estimator: Any) -> None:
    """Refuse a model of a known kind that holds other parts, or other shapes of them, than a fitted one."""
    _check_plain(estimator)
    for step in steps_of(estimator):
        _check_plain(step)
    model = steps_of(estimator)[-1]
    kind = type(model)
    if kind is RandomForestRegressor:
        _check_trees(model.estimators_, DecisionTreeRegressor)
    elif kind is RandomForestClassifier:
        _check_trees(model.estimators_, DecisionTreeClassifier)
    elif kind is GradientBoostingRegressor:
        _check_boosted(model)
    elif kind is HistGradientBoostingRegressor:
        _check_hist(model)


def _check_plain(part: Any) -> None:
    """Refuse an object whose file replaced one of its methods by a value."""
    for name in getattr(part, "__dict__", ()):
        if callable(getattr(type(part), name, None)):
            raise Refused(f"it holds a {type(part).__name__} whose {name[:40]} is replaced")


def _check_kind(part: Any, *kinds: type) -> None:
    if type(part) not in kinds:
        raise Refused(f"it holds a {type(part).__name__} in place of a {kinds[0].__name__}")
    _check_plain(part)


def _check_trees(trees: Any, kind: type) -> None:
    _check_kind(trees, list)
    for tree in trees:
        _check_kind(tree, kind)
        _check_kind(tree.tree_, Tree)


def _check_boosted(model: Any) -> None:
    trees = model.estimators_
    _check_kind(trees, np.ndarray)
    if trees.dtype != object or trees.ndim != 2 or trees.shape[1] != 1:
        raise Refused(f"it boosts by a table of trees of shape {trees.shape}, not (n, 1)")
    _check_trees(trees[:, 0].tolist(), DecisionTreeRegressor)
    _check_one(model.n_trees_per_iteration_)
    _check_loss(model._loss)
    start = model.init_
    if type(start) is str:
        return
    if type(start) is not DummyRegressor:
        raise Refused(f"it starts from a {type(start).__name__}, not from a constant")
    _check_plain(start)
    _check_one(start.n_outputs_)
    constant = start.constant_
    if type(constant) is not np.ndarray or constant.dtype != np.float64 or constant.shape != (1, 1):
        raise Refused("it starts from a constant that is not one number")


def _check_hist(model: Any) -> None:
    _check_kind(model._predictors, list)
    for step in model._predictors:
        _check_kind(step, list)
        _check_one(len(step))
        _check_kind(step[0], TreePredictor)
        nodes = step[0].nodes
        if type(nodes) is not np.ndarray or nodes.ndim != 1 or nodes["is_categorical"].any():
            raise Refused("it holds a tree that takes categories, or none")
    _check_one(model.n_trees_per_iteration_)
    _check_kind(model._bin_mapper, _BinMapper)
    _check_loss(model._loss)
    if model._preprocessor is not None or np.size(model._baseline_prediction) != 1:
        raise Refused("it prepares its rows, or starts from more than one number")


def _check_loss(loss: Any) -> None:
    _check_kind(loss, *_LOSSES)
    _check_kind(loss.link, IdentityLink)


def _check_one(count: Any) -> None:
    if type(count) is not int or count != 1:
        raise Refused(f"it counts {shown(count)} outputs, not one")
