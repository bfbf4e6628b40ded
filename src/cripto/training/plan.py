"""What a training run is asked, what it says on the way, and what it gives."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cripto.domain.manifest import Manifest
from cripto.errors import InvalidInput
from cripto.training.challenge import Challenge
from cripto.training.estimators import RECIPES, Recipe
from cripto.training.scores.payoff import FEE
from cripto.training.search_space import SearchPlan
from cripto.training.walk_forward import FOLDS, WindowKind

__all__ = ["SEARCH", "SEED", "STAGES", "Progress", "TrainingPlan", "TrainingResult", "silent"]

SEED: Final = 20250729
"""The seed of a run that names none."""

_MOST_FOLDS: Final = 50

STAGES: Final = (
    "candles",
    "features",
    "leak check",
    "earlier fits",
    "walk-forward fits",
    "scores",
    "final fits",
    "conversion",
    "proofs",
    "challenge",
    "publication",
)
"""The stages of a run, in order, as `Progress` hears of them."""

SEARCH: Final = "search"
"""The stage after the leak check, in a run that is asked to search for better recipes."""


class Progress(Protocol):
    """Whoever wants to hear how far a run is. Called on the thread that trains, so it should be quick."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of ``stage``, one of `STAGES` or `SEARCH`, are done; 0 when it begins."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """The progress of a run nobody watches."""


def _jobs() -> int:
    return min(len(RECIPES), os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train.

    ``interval`` names the candles, ``quotes`` the order of preference of quote currencies, ``default_interval``
    the one whose channel has the plain name (``interval`` itself if not said). ``promote`` asks to serve the
    release at once. ``jobs`` is how many models are fitted side by side; no bit depends on it.
    ``source_revision`` is the code's, as the caller knows it. ``folds`` and ``window`` are the walk-forward's,
    ``fee`` the illustration's, a share of each purchase and sale. ``search`` asks to look for better recipes than
    ``recipes`` first. Raises `InvalidInput` if unusable.
    """

    interval: str = "1d"
    quotes: tuple[str, ...] = ("USDT",)
    default_interval: str | None = None
    seed: int = SEED
    promote: bool = False
    jobs: int = field(default_factory=_jobs)
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: RECIPES)
    source_revision: str | None = None
    folds: int = FOLDS
    window: WindowKind = "expanding"
    fee: float = FEE
    search: SearchPlan | None = None

    def __post_init__(self) -> None:
        """Refuse what no estimator would take."""
        if self.jobs < 1:
            raise InvalidInput(f"models are fitted at least one at a time, not {self.jobs}")
        if not 0 <= self.seed < 2**32:
            raise InvalidInput(f"a seed is a whole number from 0 to {2**32 - 1}, not {self.seed}")
        if not 2 <= self.folds <= _MOST_FOLDS:
            raise InvalidInput(f"a walk-forward has 2 to {_MOST_FOLDS} folds, not {self.folds}")
        if not 0 <= self.fee < 1:
            raise InvalidInput(f"a fee is a share of what is traded, from 0 to below 1, not {self.fee}")
        if sorted(self.recipes) != sorted(RECIPES):
            raise InvalidInput(f"a plan has exactly the recipes {', '.join(RECIPES)}")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The published release, whether it is the promoted one now, and why or why not.

    ``challenge`` is how it compares with the release that was served, where promotion was asked for and there was
    one.
    """

    manifest: Manifest
    promoted: bool
    reason: str
    challenge: Challenge | None = None

    @property
    def metrics(self) -> dict[str, Mapping[str, Any]]:
        """Walk-forward scores by model name, in the order in which models are shown."""
        return {model.name: model.metrics for model in self.manifest.models}
