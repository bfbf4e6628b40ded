"""Whether the naive server says what ours says: a yardstick that computes something else measures nothing."""

import json
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import Server
from cripto.domain.calibration import Calibration
from cripto.forecasting.calibration import calibrate

__all__ = ["check_agreement", "differences"]

_PRICE = 1e-9
_PROBABILITY = 1e-8
"""Ours are rounded to 10 significant digits, and to 9 decimals; the ONNX forms agree to about 1e-15."""


_RAW: Mapping[str, Calibration] = MappingProxyType({})


def differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], calibrations: Mapping[str, Calibration] = _RAW
) -> list[str]:
    """What of two answers for one asset differs by more than rounding; empty if nothing does.

    The naive server tells raw probabilities: those of the models in ``calibrations`` are compared calibrated.
    """
    wrong = [
        f"{field}: {ours.get(field)!r} and {theirs.get(field)!r}"
        for field in ("ativo", "timestamp", "total_modelos")
        if ours.get(field) != theirs.get(field)
    ]
    if set(ours["modelos"]) != set(theirs["modelos"]):
        return [*wrong, f"models: {sorted(ours['modelos'])} and {sorted(theirs['modelos'])}"]
    for name, one in ours["modelos"].items():
        other = theirs["modelos"][name]
        wrong += [
            f"{name}.{field}: {one[field]!r} and {other[field]!r}"
            for field in ("tipo", "versao")
            if one[field] != other[field]
        ]
        if one["tipo"] == "regressor":
            same = math.isclose(one["predicao"], other["predicao"], rel_tol=_PRICE)
        else:
            probability, rises = other["probabilidade"], other["predicao"]
            if name in calibrations:
                probability = float(calibrate(np.array([probability]), calibrations[name])[0])
                rises = int(probability > 0.5)
            near = math.isclose(one["probabilidade"], probability, rel_tol=0, abs_tol=_PROBABILITY)
            same = near and one["predicao"] == rises
        if not same:
            wrong.append(f"{name}: {one} and {other}")
    return wrong


def check_agreement(
    ours: Server, naive: Server, assets: Iterable[str], calibrations: Mapping[str, Calibration] = _RAW
) -> int:
    """Compare the answers for every asset and return how many there were; raise `Unmeasured` if any differs."""
    compared = 0
    for asset in assets:
        mine, other = ours.get(f"/symbol/{asset}"), naive.get(f"/symbol/{asset}")
        if mine.status == 422:
            continue  # too little history, or a gap in it: the naive server does not look
        if (mine.status, other.status) != (200, 200):
            raise Unmeasured(
                f"{asset} is answered with {mine.status} by us and {other.status} by the naive server"
            )
        if wrong := differences(json.loads(mine.body), json.loads(other.body), calibrations):
            raise Unmeasured(f"the naive server computes something else for {asset}: {'; '.join(wrong)}")
        compared += 1
    if not compared:
        raise Unmeasured("no asset could be compared with the naive server")
    return compared
