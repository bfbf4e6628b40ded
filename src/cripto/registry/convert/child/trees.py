"""Decision trees as arrays, whichever library grew them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.registry.convert.child.refusal import Refused

__all__ = ["DEEPEST", "Tree", "check_tree", "from_hist", "from_sklearn"]

DEEPEST = 512
"""Levels of a tree. ONNX Runtime reads one by recursion, and a chain of 20,000 nodes ends its process."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, a row an node, the root first: left where ``feature <= threshold``; ``left`` is -1 in a leaf."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]


def check_tree(tree: Tree, n_features: int) -> None:
    """Refuse a tree that could send a row anywhere but down to a leaf: scikit-learn walks it without looking."""
    places = np.arange(len(tree.left))
    inner = tree.left != -1
    sizes = {len(part) for part in (tree.left, tree.right, tree.feature, tree.threshold, tree.value)}
    # children follow their parents in every tree that is grown, so a walk down always ends
    down = [(side > places) & (side < len(places)) for side in (tree.left, tree.right)]
    known = (tree.feature >= 0) & (tree.feature < n_features)
    if len(sizes) != 1 or not len(places) or not (down[0] & down[1] & known)[inner].all():
        raise Refused("it holds a tree whose nodes lead nowhere")
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    if len(np.unique(children)) != len(children):
        raise Refused("it holds a tree with a node of two parents")
    level, depth = np.zeros(1, np.int64), 0
    while len(level := level[inner[level]]):
        depth += 1
        if depth > DEEPEST:
            raise Refused(f"it holds a tree of more than {DEEPEST} levels")
        level = np.concatenate([tree.left[level], tree.right[level]])


def from_sklearn(tree: Any, value: NDArray[np.float64]) -> Tree:
    """A tree of a forest or of gradient boosting, with the value of each node."""
    return Tree(
        left=np.asarray(tree.children_left, np.int64),
        right=np.asarray(tree.children_right, np.int64),
        feature=np.asarray(tree.feature, np.int64),
        threshold=np.asarray(tree.threshold, np.float64),
        value=np.asarray(value, np.float64),
    )


def from_hist(nodes: NDArray[Any]) -> Tree:
    """A tree of histogram gradient boosting, from its table of nodes."""
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        value=nodes["value"].astype(np.float64),
    )
