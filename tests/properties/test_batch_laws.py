"""Laws of the batch routes: many are each as it is alone, and pages are the list, however both are cut."""

import json
from functools import cache
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.forecasting.toys import House, candles
from tests.unit.serving.client import Client, application

KNOWN = [f"A{number}" for number in range(12)]
SHORT = ["S1", "S2"]
ITEMS = st.one_of(
    st.sampled_from([*KNOWN, *SHORT]),
    st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True),
    # no surrogates: no URL can carry one
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), max_size=30),
)
PLAIN = {"Accept-Encoding": "identity"}


@cache
def client() -> Client:
    house = House(*KNOWN)
    house.lake.upsert(candles(*SHORT, count=9))
    house.service.load()
    return Client(application(house))


def alone(item: str) -> bytes:
    """The entry of one item, by way of ``/symbol``."""
    response = client().get(f"/symbol/{quote(item, safe='')}")
    if response.status_code == 200:
        return response.content
    value = response.json()
    asset = item.upper() if value["type"] != "urn:cripto:problema:ativo-invalido" else item[:20]
    error = {key: part for key, part in value.items() if key not in ("instance", "request_id")}
    return json.dumps({"ativo": asset, "erro": error}, separators=(",", ":")).encode()


def known_to_routing(item: str) -> bool:
    # a dot is a step in a path, and a slash parts it, though neither matters in a query
    return "/" not in item and item not in (".", "..")


@settings(max_examples=60, deadline=None)
@given(st.lists(ITEMS.filter(known_to_routing), min_size=1, max_size=12))
def test_each_entry_is_what_the_asset_has_alone(items: list[str]) -> None:
    written = [item.strip(" \t") for item in items]
    unique = dict.fromkeys(
        item.upper() if item.isascii() and item.isalnum() and len(item) <= 20 else item for item in written if item
    )
    response = client().get(
        f"/predictions?ativos={quote(','.join(items), safe='')}", {**PLAIN, "Accept": "application/x-ndjson"}
    )
    if not unique:
        assert response.status_code == 422
        return
    assert response.content == b"".join(alone(item) + b"\n" for item in unique)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.sampled_from(["", *KNOWN, *SHORT, "0", "A", "ZZ"]))
def test_pages_put_together_are_the_list(limit: int, after: str) -> None:
    whole = client().get("/symbols").json()["ativos"]
    found, place = [], after
    while True:
        page = client().get(f"/symbols?limite={limit}" + (f"&apos={place}" if place else "")).json()
        assert len(page["ativos"]) <= limit
        found += page["ativos"]
        if page["proximo"] is None:
            break
        assert page["proximo"] == page["ativos"][-1]["ativo"]
        place = page["proximo"]
    assert found == [entry for entry in whole if entry["ativo"] > after]
