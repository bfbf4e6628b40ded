"""The exact names a model's file may hold, and what each may be used for. Standard library only.

Derived from real files of every kind that is converted, written by scikit-learn 1.9, numpy 2 and joblib 1.6; a
test derives it again. Names are compared whole, never by prefix: everything below ``numpy`` includes ``exec``.
"""

from typing import NamedTuple

from cripto.registry.convert.child.refusal import Refused

__all__ = ["ARGUMENTS", "CALLED", "IGNORED", "KNOWN", "MADE", "Name", "listed"]


class Name(NamedTuple):
    """A module and a name in it, as a pickle writes them; nothing is looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:200]


MADE = frozenset(
    Name(module, name)
    for module, names in {
        "joblib.numpy_pickle": ["NumpyArrayWrapper"],
        "sklearn._loss.link": ["IdentityLink", "Interval"],
        "sklearn._loss.loss": ["AbsoluteError", "HalfSquaredError", "HuberLoss", "PinballLoss"],
        "sklearn.dummy": ["DummyRegressor"],
        "sklearn.ensemble._forest": ["RandomForestClassifier", "RandomForestRegressor"],
        "sklearn.ensemble._gb": ["GradientBoostingRegressor"],
        "sklearn.ensemble._hist_gradient_boosting.binning": ["_BinMapper"],
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": ["HistGradientBoostingRegressor"],
        "sklearn.ensemble._hist_gradient_boosting.predictor": ["TreePredictor"],
        "sklearn.linear_model._base": ["LinearRegression"],
        "sklearn.linear_model._coordinate_descent": ["ElasticNet", "Lasso"],
        "sklearn.linear_model._huber": ["HuberRegressor"],
        "sklearn.linear_model._logistic": ["LogisticRegression"],
        "sklearn.linear_model._ridge": ["Ridge"],
        "sklearn.pipeline": ["Pipeline"],
        "sklearn.preprocessing._data": ["StandardScaler"],
        "sklearn.tree._classes": ["DecisionTreeClassifier", "DecisionTreeRegressor"],
    }.items()
    for name in names
)
"""Classes of which an instance may be made, without arguments, and given a dictionary as its state."""

IGNORED = frozenset(
    Name(module, name)
    for module, names in {
        "numpy.random._pickle": ["__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"],
        "numpy.random.bit_generator": ["__pyx_unpickle_SeedSequence"],
    }.items()
    for name in names
)
"""Calls that are read over: a fitted model holds its random generators, and predicts without them."""

CALLED = IGNORED | frozenset(
    Name(module, name)
    for module, names in {
        "numpy": ["dtype"],
        "numpy._core.multiarray": ["_reconstruct", "scalar"],
        "numpy._core.numeric": ["_frombuffer"],
        "sklearn._loss._loss": ["CyAbsoluteError", "CyHalfSquaredError", "CyHuberLoss", "CyPinballLoss"],
        "sklearn.tree._tree": ["Tree"],
    }.items()
    for name in names
)
"""What may be called, each with arguments of its own checked form."""

ARGUMENTS = frozenset(
    {
        Name("numpy", "ndarray"),
        Name("numpy.random._mt19937", "MT19937"),
        Name("numpy.random._pcg64", "PCG64"),
        Name("numpy.random.bit_generator", "SeedSequence"),
    }
)
"""What may be mentioned in arguments, and is neither called nor made."""

KNOWN = MADE | CALLED | ARGUMENTS


def listed(module: str, name: str) -> Name:
    """The name, if it is on the list; raise `Refused`."""
    found = Name(module, name)
    if found not in KNOWN:
        raise Refused(f"it holds {found!s}, which is not on the list of what a model may hold")
    return found
