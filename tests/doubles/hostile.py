"""Files that no process may open: each says what it is, and how to make it, given the canary that it would touch.

``CORPUS`` maps names to builders. Those in ``GADGETS`` really touch their canary where ``joblib.load`` opens them;
those in ``SPOILED`` look like models to the scan, and are refused by what looks closer, after the heavy imports.
"""

import bz2
import gzip
import lzma
import os
import pickle
import subprocess
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from tests.doubles.releases import joblib_bytes

__all__ = [
    "CORPUS",
    "GADGETS",
    "NAMES",
    "SOME",
    "SPOILED",
    "Gadget",
    "Raw",
    "call",
    "doctored_tree",
    "laughs",
    "named",
]

NAMES = ("a", "b", "c")
"""The features on which the models among these were fitted, and which they name."""

_ROWS = np.random.default_rng(0).standard_normal((60, 3))
_RETURNS = _ROWS[:, 0] / 100
_SMALL: Mapping[str, Any] = {"n_estimators": 2, "max_depth": 3, "random_state": 0}


class Raw:
    """Pickles as whatever it is given: a function or class, arguments, and a state that is never checked."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


class Gadget(Raw):
    """Pickles as a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        super().__init__(function, args)


def call(module: str, name: str, *texts: str) -> bytes:
    """A pickle that calls a function by a name that this process need not know."""
    given = b"".join(b"X" + len(text.encode()).to_bytes(4, "little") + text.encode() for text in texts)
    return b"\x80\x02c" + f"{module}\n{name}\n(".encode() + given + b"tR."


def laughs(depth: int = 60) -> tuple[Any, ...]:
    """A few bytes in a file, and 2**depth words for whoever reads all of it."""
    nested: tuple[Any, ...] = ("ha", "ha")
    for _ in range(depth):
        nested = (nested, nested)
    return nested


def named(model: Any) -> Any:
    """A small model of three features, fitted on a table that names them."""
    return model.fit(pl.DataFrame(_ROWS, schema=list(NAMES)), _RETURNS)


def _forest(**changes: Any) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    model = named(RandomForestRegressor(**_SMALL))
    vars(model).update(changes)
    return model


def _boosted(**changes: Any) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    model = named(GradientBoostingRegressor(**_SMALL))
    vars(model).update(changes)
    return model


def _line(**changes: Any) -> Any:
    from sklearn.linear_model import LinearRegression

    model = named(LinearRegression())
    vars(model).update(changes)
    return model


def doctored_tree(change: Callable[[dict[str, Any], Any], None]) -> Any:
    """A decision tree of a forest whose table of nodes has been changed behind its back."""
    tree = _forest().estimators_[0]
    kind, args, state = tree.tree_.__reduce__()
    nodes = state["nodes"].copy()
    state = {**state, "nodes": nodes}
    change(state, nodes)
    tree.tree_ = Raw(kind, args, state)
    return tree


def _circle(_: dict[str, Any], nodes: Any) -> None:
    nodes["left_child"][0] = nodes["right_child"][0] = 0


def _chain(state: dict[str, Any], nodes: Any) -> None:
    count = 2 * 20_000 + 1
    long = np.resize(nodes, count)
    long["left_child"] = long["right_child"] = -1
    inner = np.arange(0, count - 1, 2)
    long["left_child"][inner], long["right_child"][inner], long["feature"][inner] = inner + 1, inner + 2, 0
    state.update(nodes=long, values=np.zeros((count, 1, 1)), node_count=count)


def _twice(_: dict[str, Any], nodes: Any) -> None:
    nodes["right_child"][0] = nodes["left_child"][0]


def _laughing_count(state: dict[str, Any], _: Any) -> None:
    state["node_count"] = laughs()


def _decoy() -> Any:
    """A pipeline that shows a sound tree and walks in a circle."""
    from sklearn.pipeline import Pipeline

    decoy = Pipeline([("evil", doctored_tree(_circle))])
    vars(decoy)["tree_"] = _forest().estimators_[0].tree_
    return decoy


def _no_columns() -> Any:
    """Starts from no value a row, so that compiled code writes its sums where nothing was set aside for them."""
    model = _boosted()
    model.init_.n_outputs_ = 0
    return model


def _two_predictors() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = named(HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=5))
    model._predictors = [step * 2 for step in model._predictors]
    model.n_trees_per_iteration_ = 2
    return model


def _categories() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = named(HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=5))
    nodes = model._predictors[0][0].nodes
    nodes["is_categorical"], nodes["bitset_idx"] = 1, 1 << 30
    return model


def _array(state: tuple[Any, ...], code: str, payload: bytes) -> Any:
    """An array of one element, of a dtype that is given ``state``."""
    reconstruct = np.zeros(1).__reduce__()[0]
    dtype = Raw(np.dtype, (code, False, True), state)
    return Raw(reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), dtype, False, payload))


def _record(names: tuple[str, ...], fields: dict[str, Any], size: int = 8) -> Any:
    return _array((3, "|", None, names, fields, size, 1, 16), "V8", bytes(8))


def _record_in_itself() -> bytes:
    """A dtype whose one field is of that very dtype: pickle's own writer would not know how."""
    text = b"X" + (1).to_bytes(4, "little") + b"a"
    dtype = b"cnumpy\ndtype\n(X" + (2).to_bytes(4, "little") + b"V8\x89\x88tRq\x00"
    state = (
        b"(K\x03X" + (1).to_bytes(4, "little") + b"|N(" + text + b"t}" + text + b"h\x00K\x00\x86sK\x08K\x01K\x10tb"
    )
    return b"\x80\x02" + dtype + state + b"."


def _laughing_version() -> bytes:
    state = pickle.dumps({"_sklearn_version": laughs()}, 2)[2:-1]
    return b"\x80\x02csklearn.linear_model._base\nLinearRegression\n)\x81" + state + b"b."


def _function_of_choice() -> Any:
    return Raw(np.random._pickle.__randomstate_ctor, ((1 << 40,), np.ndarray))  # type: ignore[attr-defined]


def _code(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


def _exec(canary: Path) -> Any:
    return Gadget(exec, _code(canary))


def _sound() -> bytes:
    return joblib_bytes(_forest())


_NUMBER = (3, "<", None, None, None, -1, -1)
_F8 = Raw(np.dtype, ("f8", False, True), (*_NUMBER, 0))

_CALLS: Mapping[str, Callable[[Path], bytes]] = {
    "os.system": lambda canary: call("os", "system", f"touch {canary}"),
    "posix.system": lambda canary: joblib_bytes(Gadget(os.system, f"touch {canary}")),
    "subprocess.Popen": lambda canary: joblib_bytes(Gadget(subprocess.Popen, ["touch", str(canary)])),
    "builtins.exec": lambda canary: joblib_bytes(_exec(canary), 0),
    "builtins.eval": lambda canary: joblib_bytes(Gadget(eval, _code(canary))),
    "numpy's runstring": lambda canary: joblib_bytes(
        Gadget(np.testing._private.utils.runstring, _code(canary), {})
    ),
    "an array of objects": lambda canary: joblib_bytes(np.array([_exec(canary), None], dtype=object)),
    "zlib": lambda canary: joblib_bytes(_exec(canary), 3),
    "gzip": lambda canary: joblib_bytes(_exec(canary), ("gzip", 3)),
    "bz2": lambda canary: joblib_bytes(_exec(canary), ("bz2", 3)),
    "lzma": lambda canary: joblib_bytes(_exec(canary), ("lzma", 3)),
    "xz": lambda canary: joblib_bytes(_exec(canary), ("xz", 3)),
    "within a model": lambda canary: joblib_bytes(_line(extra_=_exec(canary))),
}
_BROKEN: Mapping[str, Callable[[Path], bytes]] = {
    "zlib bomb": lambda _: zlib.compress(bytes(40 << 20)),
    "gzip bomb": lambda _: gzip.compress(bytes(40 << 20)),
    "bz2 bomb": lambda _: bz2.compress(bytes(40 << 20)),
    "xz bomb": lambda _: lzma.compress(bytes(40 << 20)),
    "a length of ten gigabytes": lambda _: b"\x80\x04\x8e" + (10**10).to_bytes(8, "little"),
    "no pickle": lambda _: b"no pickle at all",
    "empty": lambda _: b"",
    "truncated": lambda _: _sound()[:-200],
    "laughing count": lambda _: joblib_bytes(doctored_tree(_laughing_count)),
    "laughing version": lambda _: _laughing_version(),
    "steps without end": lambda _: b"\x80\x02(" + b"N" * 4_000_000 + b"t.",
    "flagged number": lambda _: joblib_bytes(_array((*_NUMBER, 63), "f8", b"\x41" * 8)),
    "short record": lambda _: joblib_bytes(_record(("a",), {"a": (_F8, 0)}, size=1)),
    "hidden field": lambda _: joblib_bytes(_record(("a",), {"a": (_F8, 0), "b": (_F8, 1 << 30)})),
    "record in itself": lambda _: _record_in_itself(),
    "function of its choice": lambda _: joblib_bytes(_function_of_choice()),
}
_LOOKS_SOUND: Mapping[str, Callable[[Path], bytes]] = {
    "circle": lambda _: joblib_bytes(_forest(estimators_=[doctored_tree(_circle)])),
    "chain of nodes": lambda _: joblib_bytes(_forest(estimators_=[doctored_tree(_chain)])),
    "node of two parents": lambda _: joblib_bytes(_forest(estimators_=[doctored_tree(_twice)])),
    "decoy": lambda _: joblib_bytes(_forest(estimators_=[_decoy()])),
    "no column of sums": lambda _: joblib_bytes(_no_columns()),
    "two columns of trees": lambda _: joblib_bytes(_boosted(estimators_=np.tile(_boosted().estimators_, 2))),
    "two predictors a step": lambda _: joblib_bytes(_two_predictors()),
    "categories without a table": lambda _: joblib_bytes(_categories()),
    "replaced method": lambda _: joblib_bytes(_line(predict=np.ndarray)),
    "laughing names": lambda _: joblib_bytes(_line(feature_names_in_=laughs())),
    "laughing features": lambda _: joblib_bytes(_line(n_features_in_=laughs())),
    "laughing loss": lambda _: joblib_bytes(_boosted(_loss=laughs(), n_trees_per_iteration_=laughs())),
    "laughing pipeline": lambda _: joblib_bytes(_forest(estimators_=laughs())),
}

CORPUS = MappingProxyType({**_CALLS, **_BROKEN, **_LOOKS_SOUND})
GADGETS = frozenset(_CALLS)
SPOILED = frozenset(_LOOKS_SOUND)
SOME = frozenset(
    name for names in (GADGETS, SPOILED, CORPUS.keys() - GADGETS - SPOILED) for name in sorted(names)[:2]
)
"""Two of each kind: what the default suite sends through whole processes; the slow one sends them all."""
