import pytest

from cripto.domain.feature_spec import Feature
from cripto.errors import InvalidInput
from cripto.features import FORMULAS_VERSION, default_spec, spec_of, spec_of_names
from cripto.features.kinds import KINDS, Kind, lookback_of


def test_the_default_spec_looks_back_on_61_candles_through_43_features() -> None:
    spec = default_spec()
    assert (spec.version, spec.lookback, len(spec.features)) == (FORMULAS_VERSION, 61, 44)


def test_the_default_spec_uses_every_kind() -> None:
    assert {feature.kind for feature in default_spec().features} == set(KINDS)


def test_the_default_spec_changes_only_on_purpose() -> None:
    """Releases in use were fitted on this digest: a new one means a new list of features or new formulas."""
    assert default_spec().digest == "0352a6d67ad616505cb60a39a4bc777d3862a2110ac4dc91e2478c3ff062837c"


@pytest.mark.parametrize(
    ("feature", "lookback"),
    [
        (Feature("return", (60,)), 61),
        (Feature("volatility", (5,)), 6),
        (Feature("parkinson", (10,)), 10),
        (Feature("atr", (14,)), 15),
        (Feature("rsi", (14,)), 15),
        (Feature("stochastic_d", (14, 3)), 16),
        (Feature("macd", (12, 26)), 52),
        (Feature("macd_histogram", (12, 26, 9)), 60),
        (Feature("volume_trend", (5, 60)), 60),
        (Feature("hour_cos"), 1),
    ],
)
def test_lookbacks_count_the_newest_candle(feature: Feature, lookback: int) -> None:
    assert lookback_of([feature]) == lookback
    assert spec_of([Feature("body"), feature]).lookback == lookback


def test_a_spec_that_looks_back_too_far_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 100 candles, not 101"):
        spec_of([Feature("return", (100,))])


def test_a_spec_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one feature"):
        spec_of([])


def test_every_kind_has_a_formula_and_one_without_a_docstring_has_none() -> None:
    assert all(len(kind.formula) > 15 for kind in KINDS.values())
    assert Kind(lambda window: window.candles.close, lambda: 1, 0).formula == ""


def test_names_say_which_features_they_are() -> None:
    spec = default_spec()
    assert spec_of_names(spec.names) == spec
    assert spec_of_names(spec.names[::-1]).names == spec.names[::-1]
    assert spec_of_names(["macd_histogram_12_26_9", "stochastic_d_14_3", "body"]).features == (
        Feature("macd_histogram", (12, 26, 9)),
        Feature("stochastic_d", (14, 3)),
        Feature("body"),
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "foo",
        "return",
        "return_",
        "return_05",
        "return_5_",
        "return__5",
        "_return_5",
        "return_5_6",
        "return_0",
        "return_-5",
        "return_5.0",
        "return_1000000000000",
        "Return_5",
        "return_5 ",
        "return_\u0665",
        "macd_12",
        "macd_histogram_12_26",
        "body_1",
        "drawdown_1",
        "x" * 100_000,
    ],
)
def test_a_name_that_is_spelled_otherwise_is_no_feature(name: str) -> None:
    with pytest.raises(InvalidInput, match="features the builder does not know: ") as refused:
        spec_of_names(["return_5", name])
    assert len(str(refused.value)) < 200


def test_the_first_names_that_are_unknown_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"^features the builder does not know: foo, bar$"):
        spec_of_names(["foo", "return_5", "bar"])
    with pytest.raises(InvalidInput, match=r"know: a, b, c, d, e and 2 more$"):
        spec_of_names(list("abcdefg"))


@pytest.mark.parametrize("names", [[], ["body", "body"], ["return_100"]], ids=["none", "twice", "too far back"])
def test_names_that_make_no_spec_are_refused(names: list[str]) -> None:
    with pytest.raises(InvalidInput, match="a feature spec"):
        spec_of_names(names)
