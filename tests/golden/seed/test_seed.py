"""The JSON examples of the seed, word for word: every name, type and nesting in them is a contract."""

import json
from pathlib import Path
from typing import Any

import pytest

from cripto.serving.schemas import Answer, Health, ModelList, Reloaded, Root, SymbolAnswer
from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application

ROUTES: dict[str, tuple[str, type[Answer]]] = {
    "root": ("/", Root),
    "health": ("/health", Health),
    "models": ("/models", ModelList),
    "symbol": ("/symbol/BTC", SymbolAnswer),
    "reload": ("/reload", Reloaded),
}
FOLDER = Path(__file__).parent


def example(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def answer(name: str) -> Any:
    house = House("BTC")
    house.service.load()
    response = Client(application(house)).get(ROUTES[name][0])
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    return response.json()


def check(expected: Any, actual: Any, where: str) -> None:
    """Every name of ``expected`` is in ``actual``, at the same place and of the same JSON type."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict), where
        for key, value in expected.items():
            assert key in actual, f"{where}.{key}"
            check(value, actual[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(actual, list), where
        assert [type(item) for item in actual] == [type(item) for item in expected], where
    else:
        assert type(actual) is type(expected), f"{where}: {actual!r}"


def overlaid(real: Any, golden: Any) -> Any:
    """``real`` with everything ``golden`` says in its place."""
    if isinstance(real, dict) and isinstance(golden, dict):
        return real | {key: overlaid(real.get(key), value) for key, value in golden.items()}
    return golden


@pytest.mark.parametrize("name", ROUTES)
def test_a_real_answer_has_every_field_of_the_seed(name: str) -> None:
    check(example(name), answer(name), name)


@pytest.mark.parametrize("name", ROUTES)
def test_the_seeds_example_fits_the_schema_beside_what_was_added(name: str) -> None:
    value = overlaid(answer(name), example(name))
    model = ROUTES[name][1].model_validate_json(json.dumps(value), strict=True)
    assert json.loads(model.to_bytes()) == value


@pytest.mark.parametrize("name", ROUTES)
def test_a_real_answer_survives_its_schema_unchanged(name: str) -> None:
    value = answer(name)
    assert json.loads(ROUTES[name][1].model_validate_json(json.dumps(value)).to_bytes()) == value


@pytest.mark.parametrize("name", ROUTES)
def test_no_field_of_the_seed_may_be_left_out(name: str) -> None:
    real = answer(name)
    for key in example(name):
        with pytest.raises(ValueError, match=key):
            ROUTES[name][1].model_validate({field: value for field, value in real.items() if field != key})


@pytest.mark.parametrize("name", ["health", "models", "reload"])
def test_models_are_named_in_the_order_of_the_seed(name: str) -> None:
    assert answer(name)["models"] == example(name)["models"]
    assert answer(name)["total_models"] == example(name)["total_models"] == 5


def test_words_of_the_seed_are_kept() -> None:
    assert answer("reload")["message"] == example("reload")["message"]
    assert answer("root") == example("root") | {"version": "1.2.3"}
    assert answer("health")["status"] == example("health")["status"]
    models = answer("symbol")["modelos"]
    for name, seed in example("symbol")["modelos"].items():
        assert models[name]["tipo"] == seed["tipo"]
        assert models[name]["modelo"] == seed["modelo"] == name
