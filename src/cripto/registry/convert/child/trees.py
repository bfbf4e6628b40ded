"""Decision trees as arrays, whichever library grew them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tree", "from_hist", "from_sklearn"]


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, a row an node, the root first: left where ``feature <= threshold``; ``left`` is -1 in a leaf."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]


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
