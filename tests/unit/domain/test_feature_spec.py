from typing import Any

import pytest

from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.errors import InvalidInput

SPEC = FeatureSpec(1, 30, (Feature("return", (5,)), Feature("macd", (12, 26, 9)), Feature("body")))


def test_names_derive_from_kind_and_parameters() -> None:
    assert SPEC.names == ("return_5", "macd_12_26_9", "body")


def test_a_spec_is_read_back_and_keeps_its_digest() -> None:
    again = FeatureSpec.from_json(SPEC.to_json())
    assert again == SPEC
    assert again.digest == SPEC.digest


def test_the_order_of_features_is_part_of_the_digest() -> None:
    assert FeatureSpec(1, 30, SPEC.features[::-1]).digest != SPEC.digest


@pytest.mark.parametrize("lookback", [0, -1, 101])
def test_a_lookback_out_of_bounds_is_refused(lookback: int) -> None:
    with pytest.raises(InvalidInput, match="100"):
        FeatureSpec(1, lookback, SPEC.features)


@pytest.mark.parametrize("features", [(), (Feature("body"), Feature("body"))])
def test_no_features_or_one_twice_are_refused(features: tuple[Feature, ...]) -> None:
    with pytest.raises(InvalidInput):
        FeatureSpec(1, 30, features)


@pytest.mark.parametrize(
    "change",
    [
        {"version": None},
        {"lookback": "many"},
        {"features": None},
        {"features": [{"name": "return_5", "kind": "return", "params": [6]}]},
        {"features": [{"kind": "return", "params": [5]}]},
    ],
)
def test_a_malformed_spec_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        FeatureSpec.from_json(SPEC.to_json() | change)
