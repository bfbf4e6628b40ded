import json
from dataclasses import replace

import pytest

from cripto.training.verdict import (
    MINIMUM_DAYS,
    MINIMUM_SPREAD,
    NO_SKILL,
    SKILL,
    SKILL_DAYS,
    SOME_EVIDENCE,
    Evidence,
    judge,
    rule,
)

GOOD = Evidence(
    skill=0.01,
    baseline="drift",
    low=0.001,
    lowest=0.0001,
    days=SKILL_DAYS,
    parts=[0.02, 0.01, -0.01, 0.01, 0.01],
    spread=MINIMUM_SPREAD,
)


def test_skill_over_a_year_in_most_parts_and_the_newest_is_skill() -> None:
    assert judge(GOOD) == (SKILL, None)
    assert judge(replace(GOOD, spread=None)) == (SKILL, None), "a regressor has no spread to look at"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"skill": None}, "no price moved"),
        ({"skill": 0.0}, "not better than the baseline drift"),
        ({"skill": -0.1}, "not better than the baseline drift"),
        ({"spread": MINIMUM_SPREAD * 0.99}, "its probabilities hardly differ"),
        ({"spread": 0.0}, "its probabilities hardly differ"),
        ({"days": MINIMUM_DAYS - 1}, f"{MINIMUM_DAYS - 1} days scored; {MINIMUM_DAYS} are needed"),
        ({"low": 0.0}, "99% interval of its skill reaches down to zero"),
        ({"low": None}, "99% interval of its skill reaches down to zero"),
        ({"parts": [0.1, 0.1, -0.1, -0.1, None]}, "in 2 of 5 parts; 3 are needed"),
    ],
)
def test_model_without_evidence_has_no_skill_and_the_reason_is_said(
    changed: dict[str, object], reason: str
) -> None:
    word, said = judge(replace(GOOD, **changed))  # type: ignore[arg-type]
    assert word == NO_SKILL
    assert said is not None
    assert reason in said


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"days": SKILL_DAYS - 1}, f"{SKILL_DAYS} are needed for {SKILL}"),
        ({"lowest": 0.0}, "99.9% interval of its skill, which habilidade asks for, reaches down to zero"),
        ({"lowest": None}, "99.9% interval"),
        ({"parts": [0.1, 0.1, -0.1, -0.1, 0.1]}, "in 3 of 5 parts; 4 are needed"),
        ({"parts": [0.1, 0.1]}, "in 2 of 2 parts; 4 are needed"),
        ({"parts": [0.1, 0.1, 0.1, 0.1, -0.1]}, "not better than the baseline in the newest part"),
        ({"parts": [0.1, 0.1, 0.1, 0.1, None]}, "not better than the baseline in the newest part"),
    ],
)
def test_evidence_that_is_short_unsteady_or_old_is_no_more_than_evidence(
    changed: dict[str, object], reason: str
) -> None:
    word, said = judge(replace(GOOD, **changed))  # type: ignore[arg-type]
    assert word == SOME_EVIDENCE
    assert said is not None
    assert reason in said


def test_numbers_of_the_rule_are_written_into_each_evaluation() -> None:
    assert json.loads(json.dumps(rule(), allow_nan=False))["level"] == 0.99
