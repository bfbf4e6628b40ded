"""The API against its own OpenAPI document: generated requests, every answer as documented, never a 500."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection

from cripto.serving import create_app
from tests.integration.live import live
from tests.unit.forecasting.toys import House

TOKEN = "a-token-of-the-operator"


@pytest.fixture(scope="module")
def api() -> Iterator[schemathesis.BaseSchema]:
    house = House("BTC", "ETH")
    house.service.load()
    app = create_app(
        house.service,
        version="1.2.3",
        clock=house.clock,
        admin_token=TOKEN,
        refresh_seconds=86_400,  # each look draws its delay by chance, and Hypothesis objects to others who draw
        reload_min_seconds=60,
    )
    with live(app) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


ROUTES = ["/", "/health", "/models", "/symbol/{ativo}", "/predictions", "/symbols", "/reload", "/metrics"]


def test_every_route_of_the_document_is_fuzzed(api: schemathesis.BaseSchema) -> None:
    assert sorted(api) == sorted(ROUTES)


# schemathesis' own parametrisation does not know this pytest, so its strategies are driven by hypothesis alone
@pytest.mark.parametrize(
    ("path", "mode"),
    # only what these take can be malformed: nothing else takes anything
    [
        *((path, schemathesis.GenerationMode.POSITIVE) for path in ROUTES),
        *(
            (path, schemathesis.GenerationMode.NEGATIVE)
            for path in ("/symbol/{ativo}", "/predictions", "/symbols")
        ),
    ],
)
def test_every_answer_is_as_documented(
    api: schemathesis.BaseSchema, path: str, mode: schemathesis.GenerationMode
) -> None:
    cases = api[path]["GET"].as_strategy(generation_mode=mode)

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def check(case: Any) -> None:
        # an item that must not hold a comma, and does, is two items: no list can be malformed in that way
        left_out = [negative_data_rejection] if path == "/predictions" else []
        case.call_and_validate(excluded_checks=left_out)

    check()
