"""The naive server is held to our answers: what is rounding, and what is another answer."""

import copy
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.agreement import differences
from cripto.domain.calibration import Calibration
from cripto.forecasting.calibration import calibrate

OURS: dict[str, Any] = {
    "ativo": "BTC",
    "timestamp": "2025-07-01T00:00:00Z",
    "total_modelos": 2,
    "modelos": {
        "regressor_rf": {"predicao": 107261.5678, "tipo": "regressor", "versao": "20250729-2130", "variacao": 0.1},
        "classifier_rf": {
            "predicao": 1,
            "probabilidade": 0.512345678,
            "tipo": "classifier",
            "versao": "20250729-2130",
        },
    },
}


def other(model: str, field: str, value: object) -> dict[str, Any]:
    answer = copy.deepcopy(OURS)
    answer["modelos"][model][field] = value
    return answer


def test_rounding_is_no_difference() -> None:
    assert differences(OURS, OURS) == []
    assert differences(OURS, other("regressor_rf", "predicao", 107261.56784)) == []
    assert differences(OURS, other("classifier_rf", "probabilidade", 0.5123456784)) == []


@pytest.mark.parametrize(
    "theirs",
    [
        other("regressor_rf", "predicao", 107261.57),
        other("regressor_rf", "versao", "20250730-2130"),
        other("classifier_rf", "probabilidade", 0.5123457),
        other("classifier_rf", "predicao", 0),
        {**OURS, "timestamp": "2025-07-02T00:00:00Z"},
        {**OURS, "modelos": {}},
    ],
)
def test_anything_more_is(theirs: dict[str, Any]) -> None:
    assert differences(OURS, theirs)


def test_raw_probabilities_are_compared_calibrated() -> None:
    calibration = Calibration(shift=0.25, slope=0.5)
    raw = 0.45
    served = float(calibrate(np.array([raw]), calibration)[0])
    assert served > 0.5
    ours = other("classifier_rf", "probabilidade", served)
    theirs = other("classifier_rf", "probabilidade", raw)
    theirs["modelos"]["classifier_rf"]["predicao"] = 0
    assert differences(ours, theirs, {"classifier_rf": calibration}) == []
    assert differences(ours, theirs)
