"""One word for a model, and the rule behind it: every number of the rule stands here.

Five models are looked at in every release, so luck gets five chances a time: the interval is taken at 99 %, not
95 % (Bonferroni). Releases are looked at again and again, so the better word asks for 99.9 %. Who chose the models
had seen the earlier folds; the newest one counts by itself. docs/evaluation.md has the reasoning and what
the rule does on noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "MINIMUM_DAYS",
    "MINIMUM_SPREAD",
    "NO_SKILL",
    "PARTS",
    "PARTS_POSITIVE",
    "SKILL",
    "SKILL_DAYS",
    "SKILL_LEVEL",
    "SOME_EVIDENCE",
    "SOME_PARTS_POSITIVE",
    "STRICT_LEVEL",
    "Evidence",
    "judge",
    "rule",
]

NO_SKILL: Final = "sem habilidade"
"""Nothing here that luck could not have done. What every model is until shown otherwise."""

SOME_EVIDENCE: Final = "indícios"
"""More than luck explains on all rows together, but too few days, or not steadily, or not lately."""

SKILL: Final = "habilidade"
"""More than luck explains, over a year at least, in most parts of the time and in the newest."""

STRICT_LEVEL: Final = 0.99
"""Level of the interval whose lower end must be above zero: 95 % shared by five models."""

SKILL_LEVEL: Final = 0.999
"""Level of the interval whose lower end must be above zero for `SKILL`: of ten releases looked at in turn."""

MINIMUM_DAYS: Final = 90
"""With fewer days scored nothing counts as evidence."""

SKILL_DAYS: Final = 365
"""Days that skill must have lasted."""

PARTS: Final = 5
"""Parts of the time (folds) that skill must be looked at in."""

PARTS_POSITIVE: Final = 0.8
"""Share of the parts in which skill must be positive."""

SOME_PARTS_POSITIVE: Final = 0.6
"""Share of the parts in which evidence must be positive."""

MINIMUM_SPREAD: Final = 0.01
"""A classifier whose probabilities deviate less than this tells nobody anything, whatever it scores."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on.

    ``skill`` is against the strongest ``baseline``, null where that makes no error; ``low`` the lower end of its
    interval at `STRICT_LEVEL` and ``lowest`` at `SKILL_LEVEL`, null where days are few; ``parts`` the skill of
    each part of the time, in order; ``spread`` the standard deviation of a classifier's probabilities, ``None``
    for a regressor.
    """

    skill: float | None
    baseline: str
    low: float | None
    lowest: float | None
    days: int
    parts: Sequence[float | None]
    spread: float | None = None


def judge(evidence: Evidence) -> tuple[str, str | None]:
    """The verdict, and what is wanting for the next better word; ``None`` where nothing is."""
    wanting = _wanting_for_evidence(evidence)
    if wanting is not None:
        return NO_SKILL, wanting
    wanting = _wanting_for_skill(evidence)
    return (SKILL, None) if wanting is None else (SOME_EVIDENCE, wanting)


def rule() -> dict[str, Any]:
    """The rule's numbers as JSON values, as they stand in an evaluation."""
    return {
        "level": STRICT_LEVEL,
        "skill_level": SKILL_LEVEL,
        "minimum_days": MINIMUM_DAYS,
        "skill_days": SKILL_DAYS,
        "parts": PARTS,
        "parts_positive": PARTS_POSITIVE,
        "some_parts_positive": SOME_PARTS_POSITIVE,
        "minimum_spread": MINIMUM_SPREAD,
    }


def _wanting_for_evidence(evidence: Evidence) -> str | None:
    positive, needed = _positive(evidence), math.ceil(SOME_PARTS_POSITIVE * len(evidence.parts))
    if evidence.skill is None:
        return "the baseline makes no error at all: no price moved"
    if evidence.skill <= 0:
        return f"not better than the baseline {evidence.baseline}"
    if evidence.spread is not None and evidence.spread < MINIMUM_SPREAD:
        return f"its probabilities hardly differ: they deviate {evidence.spread:.4f}; {MINIMUM_SPREAD} is needed"
    if evidence.days < MINIMUM_DAYS:
        return f"{evidence.days} days scored; {MINIMUM_DAYS} are needed"
    if evidence.low is None or evidence.low <= 0:
        return f"the {STRICT_LEVEL:.0%} interval of its skill reaches down to zero"
    if positive < needed:
        return f"better than the baseline in {positive} of {len(evidence.parts)} parts; {needed} are needed"
    return None


def _wanting_for_skill(evidence: Evidence) -> str | None:
    positive, needed = _positive(evidence), math.ceil(PARTS_POSITIVE * max(PARTS, len(evidence.parts)))
    if evidence.days < SKILL_DAYS:
        return f"{evidence.days} days scored; {SKILL_DAYS} are needed for {SKILL}"
    if evidence.lowest is None or evidence.lowest <= 0:
        return f"the {SKILL_LEVEL:.1%} interval of its skill, which {SKILL} asks for, reaches down to zero"
    if positive < needed:
        of = len(evidence.parts)
        return f"better than the baseline in {positive} of {of} parts; {needed} are needed for {SKILL}"
    if not (evidence.parts[-1] or 0.0) > 0:
        return "not better than the baseline in the newest part"
    return None


def _positive(evidence: Evidence) -> int:
    return sum(1 for skill in evidence.parts if skill is not None and skill > 0)
