"""Skill: one minus a model's loss over that of what needs no model (Murphy 1988), with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.training.scores.resampling import Floats, Resampling
from cripto.training.verdict import SKILL_LEVEL, STRICT_LEVEL

__all__ = ["Against", "Skill", "mean", "skill_of"]


@dataclass(frozen=True, slots=True)
class Against:
    """Skill against one baseline: null where the baseline makes no error; intervals null where days are few."""

    skill: float | None
    interval: list[float] | None
    strict: list[float] | None
    strictest: list[float] | None

    def to_json(self) -> dict[str, Any]:
        """Skill and its interval as JSON values."""
        return {"skill": self.skill, "skill_interval": self.interval}


@dataclass(frozen=True, slots=True)
class Skill:
    """Skill against each baseline; ``baseline`` is the strongest, the one with the least loss on these very rows.

    Choosing it afterwards is to the model's disadvantage, as it should be.
    """

    baseline: str
    against: Mapping[str, Against]

    @property
    def value(self) -> float | None:
        """Skill against the strongest baseline."""
        return self.against[self.baseline].skill

    @property
    def interval(self) -> list[float] | None:
        """Its 95 % interval."""
        return self.against[self.baseline].interval

    @property
    def strict(self) -> list[float] | None:
        """Its interval at the level the verdict asks for."""
        return self.against[self.baseline].strict

    @property
    def strictest(self) -> list[float] | None:
        """Its interval at the level the best verdict asks for."""
        return self.against[self.baseline].strictest


def skill_of(losses: Mapping[str, float], drawn: Mapping[str, Floats], draws: Resampling) -> Skill:
    """Skill of "model" from sums of losses, by name, and from the same sums of drawn days, each (draws,)."""
    baselines = [name for name in losses if name != "model"]
    strongest = min(baselines, key=lambda name: losses[name])
    found = {}
    for name in baselines:
        skill = strict = strictest = interval = None
        if losses[name] > 0:
            skill = 1 - float(losses["model"]) / float(losses[name])
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = 1 - drawn["model"] / drawn[name]
            interval, strict = draws.bounds(ratios), draws.bounds(ratios, STRICT_LEVEL)
            strictest = draws.bounds(ratios, SKILL_LEVEL)
        found[name] = Against(skill, interval, strict, strictest)
    return Skill(strongest, found)


def mean(values: NDArray[np.bool_]) -> float | None:
    """The share of true ``values``, null where there are none."""
    return float(values.mean()) if len(values) else None
