"""Decision trees as arrays, whichever library grew them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.registry.convert.child.refusal import Refused

__all__ = ["Tree", "check_tree", "from_hist", "from_sklearn"]


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
