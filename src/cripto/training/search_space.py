"""What a search may try: for each of the five models a space of settings, within the family its name says.

A candidate is drawn about the present recipe: each setting stays as it is with probability `KEPT`, or is drawn
evenly from its values. So most candidates differ in a few settings, and none is out of reach.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import InvalidInput
from cripto.training.estimators import Boosting, Forest, Logistic, Recipe, RidgeRegression
from cripto.training.row_weights import RowWeights
from cripto.training.walk_forward import FOLDS

__all__ = ["KEPT", "MOST_CANDIDATES", "SPACES", "SearchPlan", "Settings", "Space", "candidates", "learned_from"]

KEPT: Final = 0.5
"""The probability that a setting of a candidate is the present recipe's."""

MOST_CANDIDATES: Final = 500
"""More candidates a model than this are refused: each makes luck likelier, and its proof harder."""

_DRAWS_A_CANDIDATE: Final = 50

Settings = Mapping[str, Any]
"""A candidate's settings by name, JSON values."""

_WITHOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "without calendar": ("weekday_", "hour_"),
    "without volumes": ("volume_",),
    "without bars": ("body", "upper_wick", "lower_wick", "range"),
    "without moving averages": ("average_distance_", "macd_", "bollinger_"),
    "without oscillators": ("position_", "stochastic_", "rsi_"),
}
_HALVES: Final = {f"random half {number}": number for number in range(1, 5)}

_ROWS: Final[Settings] = {
    "half_life_days": (None, 365, 730, 1460),
    "volatility_power": (0.0, 1.0, 2.0),
    "features": ("all", *_WITHOUT, *_HALVES),
}
_FOREST: Final[Settings] = {
    "trees": (50, 100, 200),
    "depth": (3, 4, 6, 8),
    "split_share": (0.05, 0.1, 0.2, 0.33),
    "rows_a_tree": (2_500, 5_000, 10_000, 20_000),
    "leaf": (50, 100, 200, 500, 1_000),
}


@dataclass(frozen=True, slots=True)
class Space:
    """Values of each setting of one model: those ``make`` takes by name, and those of the rows it learns from.

    The latter are ``half_life_days`` and ``volatility_power`` of `RowWeights`, and ``features``, a set of names
    that `learned_from` knows.
    """

    make: Callable[..., Callable[[int, int], Any]]
    estimator: Mapping[str, Sequence[Any]]
    rows: Mapping[str, Sequence[Any]] = field(default_factory=lambda: _ROWS)

    def to_json(self) -> dict[str, Any]:
        """The values by setting."""
        return {name: list(values) for name, values in {**self.estimator, **self.rows}.items()}

    def present(self, recipe: Recipe) -> dict[str, Any]:
        """The settings of ``recipe``; of an estimator that is none of this space's, what it says of the rows."""
        known = {item.name for item in fields(recipe.build)} if is_dataclass(recipe.build) else set()
        weights = recipe.weights if isinstance(recipe.weights, RowWeights) else RowWeights()
        return {
            **{name: getattr(recipe.build, name) for name in self.estimator if name in known},
            "half_life_days": weights.half_life_days,
            "volatility_power": weights.volatility_power,
            "features": "all" if recipe.features is None else list(recipe.features),
        }

    def recipe(self, settings: Settings, like: Recipe, names: Sequence[str]) -> Recipe:
        """The recipe of ``settings``, bounded as ``like`` is; raises `InvalidInput` if too large to serve."""
        half_life, power = settings.get("half_life_days"), settings.get("volatility_power", 0.0)
        return replace(
            like,
            build=self.make(**{name: settings[name] for name in self.estimator}),
            weights=RowWeights(half_life, power) if half_life is not None or power else None,
            features=learned_from(settings.get("features", "all"), names),
        )


SPACES: Final[Mapping[str, Space]] = {
    "regressor_rf": Space(partial(Forest, "regressor"), _FOREST),
    "regressor_gbr": Space(
        Boosting,
        {
            "loss": ("huber", "squared_error"),
            "steps": (50, 100, 200),
            "rate": (0.01, 0.02, 0.05),
            "depth": (2, 3, 4),
            "split_share": (0.05, 0.1, 0.2),
            "rows_share": (0.1, 0.25, 0.5),
            "leaf": (50, 100, 200, 500),
        },
    ),
    "regressor_lin": Space(RidgeRegression, {"penalty": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)}),
    "classifier_rf": Space(partial(Forest, "classifier"), _FOREST),
    "classifier_log": Space(Logistic, {"penalty": (0.03, 0.1, 0.3, 1.0, 3.0)}),
}
"""The five spaces, by model name."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How much to try: ``candidates`` a model at most, scored in ``folds`` parts; raises `InvalidInput`."""

    candidates: int
    spaces: Mapping[str, Space] = field(default_factory=lambda: SPACES)
    folds: int = FOLDS

    def __post_init__(self) -> None:
        """Refuse a budget that is none."""
        if not 1 <= self.candidates <= MOST_CANDIDATES:
            raise InvalidInput(
                f"a search tries 1 to {MOST_CANDIDATES} candidates for each model, not {self.candidates}"
            )
        if not self.spaces or not set(self.spaces) <= set(MODEL_NAMES):
            raise InvalidInput(f"a search has spaces for some of {', '.join(MODEL_NAMES)}, and for nothing else")


def learned_from(label: str, names: Sequence[str]) -> tuple[str, ...] | None:
    """Those of the features ``names`` that the set called ``label`` has; ``None`` for all of them.

    A random half is the same half each time. Raises `InvalidInput` for a set that is not known.
    """
    if label == "all":
        return None
    if label in _WITHOUT:
        return tuple(name for name in names if not name.startswith(_WITHOUT[label]))
    if label in _HALVES:
        order = np.random.default_rng(_HALVES[label]).permutation(len(names))
        chosen = set(order[: (len(names) + 1) // 2].tolist())
        return tuple(name for place, name in enumerate(names) if place in chosen)
    raise InvalidInput(f"there is no set of features called {label!r}")


def candidates(
    name: str, space: Space, present: Recipe, plan: SearchPlan, names: Sequence[str], seed: int
) -> list[tuple[dict[str, Any], Recipe]]:
    """Settings and recipes to try for the model called ``name``, each once and none the present one.

    At most ``plan.candidates``: fewer where the space has no more. Equal arguments draw equal candidates, and a
    larger budget draws further ones after the same.
    """
    random = np.random.default_rng([seed, MODEL_NAMES.index(name)])
    found: list[tuple[dict[str, Any], Recipe]] = []
    seen = {present}
    for settings in _drawn(space, present, random, plan.candidates * _DRAWS_A_CANDIDATE):
        if len(found) == plan.candidates:
            break
        try:
            recipe = space.recipe(settings, present, names)
        except InvalidInput:
            continue  # too large to serve
        if recipe not in seen:
            seen.add(recipe)
            found.append((settings, recipe))
    return found


def _drawn(space: Space, present: Recipe, random: np.random.Generator, draws: int) -> Iterator[dict[str, Any]]:
    values, now = {**space.estimator, **space.rows}, space.present(present)
    for _ in range(draws):
        settings = {}
        for setting, choices in values.items():
            # both are drawn each time, so that one setting's luck does not move the next one's
            kept, place = random.random() < KEPT, int(random.integers(len(choices)))
            kept = kept and setting in now and now[setting] in choices
            settings[setting] = now[setting] if kept else choices[place]
        yield settings
