import json
from typing import Any

import pytest

from cripto.serving.schemas import (
    Answer,
    Health,
    ModelList,
    Predictions,
    Reloaded,
    Root,
    SymbolAnswer,
    SymbolList,
)
from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application

ROUTES = {"/", "/health", "/models", "/symbol/{ativo}", "/predictions", "/symbols", "/reload", "/metrics"}


def document(**options: Any) -> Any:
    return Client(application(House(), **options)).get("/openapi.json").json()


def test_the_document_holds_every_route_with_portuguese_texts() -> None:
    value = document()
    assert set(value["paths"]) == ROUTES
    for operations in value["paths"].values():
        assert set(operations) == {"get"}
        assert operations["get"]["summary"]
        assert operations["get"]["description"]
        assert operations["get"]["tags"][0] in {tag["name"] for tag in value["tags"]}


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/", Root),
        ("/health", Health),
        ("/models", ModelList),
        ("/symbol/{ativo}", SymbolAnswer),
        ("/predictions", Predictions),
        ("/symbols", SymbolList),
        ("/reload", Reloaded),
    ],
)
def test_each_example_fits_its_schema(path: str, model: type[Answer]) -> None:
    content = document()["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    assert content["schema"] == {"$ref": f"#/components/schemas/{model.__name__}"}
    model.model_validate_json(json.dumps(content["example"]), strict=True)


def test_problems_are_documented_as_what_they_are() -> None:
    value = document(admin_token="a-token-of-the-operator")
    assert "HTTPValidationError" not in json.dumps(value)
    responses = value["paths"]["/symbol/{ativo}"]["get"]["responses"]
    assert set(responses) == {"200", "304", "404", "410", "422", "500", "503"}
    for status in ("404", "410", "422", "500", "503"):
        schema = responses[status]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ProblemAnswer"}
    assert set(value["paths"]["/reload"]["get"]["responses"]) >= {"200", "401", "503"}


def test_the_token_is_documented_only_where_one_is_set() -> None:
    assert "security" not in document()["paths"]["/reload"]["get"]
    assert document(admin_token="a-token-of-the-operator")["paths"]["/reload"]["get"]["security"]


def test_the_document_is_the_same_each_time() -> None:
    client = Client(application(House()))
    assert client.get("/openapi.json").content == client.get("/openapi.json").content


def test_the_asset_says_which_form_it_has() -> None:
    (ativo,) = document()["paths"]["/symbol/{ativo}"]["get"]["parameters"]
    assert ativo["schema"]["pattern"] == "^[A-Za-z0-9]{1,20}$"


def test_the_interactive_documentation_is_there() -> None:
    response = Client(application(House())).get("/docs")
    assert response.status_code == 200
    assert "/openapi.json" in response.text
