"""Retired assets, old names and multiples, as the API tells them."""

import polars as pl
import pytest

from cripto.market.source import Pair
from cripto.serving.schemas import Predictions, SymbolAnswer, SymbolList
from tests.unit.forecasting.toys import House, candles
from tests.unit.serving.client import Client, application, problem
from tests.unit.serving.test_fast_lane import ask, lane_of, slow_application
from tests.unit.serving.test_metrics import samples

PAIRS = (Pair("BTC", "USDT"), Pair("POL", "USDT"), Pair("1000SATS", "USDT"))


@pytest.fixture
def house() -> House:
    house = House("BTC", "POL", "SATS", "EOS")
    house.lists(*PAIRS, Pair("EOS", "USDT", active=False))
    house.lists(Pair("EOS", "USDT", active=False), exchange="kraken")
    house.service.load()
    return house


@pytest.fixture
def client(house: House) -> Client:
    return Client(application(house))


def test_a_retired_asset_is_gone_and_says_who_said_so_and_its_last_candle(client: Client) -> None:
    told = problem(client.get("/symbol/eos"), 410, "ativo-retirado")
    assert told["detail"] == (
        "EOS não é mais negociado em USDT, segundo binance e kraken. "
        "O último candle fechou em 2025-03-22T00:00:00Z."
    )
    assert told["situacao"] == "retirado"
    assert told["bolsas"] == ["binance", "kraken"]
    assert (told["cotacao"], told["ultimo_fechamento"]) == ("USDT", "2025-03-22T00:00:00Z")


def test_the_list_of_symbols_says_retired(client: Client) -> None:
    body = client.get("/symbols").content
    listed = {entry["ativo"]: entry for entry in SymbolList.model_validate_json(body).model_dump()["ativos"]}
    assert list(listed) == ["BTC", "EOS", "POL", "SATS"]
    assert (listed["EOS"]["situacao"], listed["EOS"]["predicao"]) == ("retirado", False)
    assert listed["EOS"]["motivo"] == "ativo-retirado"
    assert listed["BTC"]["situacao"] == "atual"


def test_a_retired_asset_spoils_no_other_of_a_batch(client: Client) -> None:
    response = client.get("/predictions?ativos=BTC,EOS,POL")
    value = Predictions.model_validate_json(response.content)
    assert (value.total, value.total_erros) == (3, 1)
    alone = client.get("/symbol/EOS").json()
    del alone["instance"], alone["request_id"]
    assert response.json()["predicoes"][1] == {"ativo": "EOS", "erro": alone}


def test_a_retired_asset_is_counted_by_its_slug(client: Client) -> None:
    client.get("/symbol/EOS")
    found = samples(client)
    assert found["cripto_prediction_errors_total{kind=ativo-retirado}"] == 1


@pytest.mark.parametrize(("name", "symbol"), [("MATIC", "POL"), ("matic", "POL"), ("1000SATS", "SATS")])
def test_another_name_answers_to_the_byte_in_both_lanes(
    house: House, client: Client, name: str, symbol: str
) -> None:
    expected = client.get(f"/symbol/{symbol}")
    start, body = ask(lane_of(house), f"/symbol/{name}")
    assert start["status"] == 200
    assert body["body"] == expected.content
    slow = Client(slow_application(house)).get(f"/symbol/{name}")
    assert slow.status_code == 200
    assert slow.json()["ativo"] == symbol
    assert client.get(f"/symbol/{name}", {"If-None-Match": expected.headers["etag"]}).status_code == 304


def test_a_multiple_is_marked_as_the_schema_says(client: Client) -> None:
    body = client.get("/symbol/SATS").content
    data = SymbolAnswer.model_validate_json(body).dados
    assert (data.par, data.fator) == ("1000SATS/USDT", 1000)
    assert b'"par"' not in client.get("/symbol/BTC").content


def test_one_asset_by_two_names_is_one_entry_where_it_was_first_named(client: Client) -> None:
    both = client.get("/predictions?ativos=MATIC,BTC,POL")
    assert both.content == client.get("/predictions?ativos=POL,BTC").content
    with_error = client.get("/predictions?ativos=MATIC,BTX,POL")
    assert with_error.content == client.get("/predictions?ativos=POL,BTX").content
    assert with_error.json()["total"] == 2


def test_an_old_name_of_a_retired_asset_is_as_gone(house: House, client: Client) -> None:
    house.lists(PAIRS[0], PAIRS[2], Pair("POL", "USDT", active=False), Pair("EOS", "USDT", active=False))
    house.service.refresh()
    told = problem(client.get("/symbol/MATIC"), 410, "ativo-retirado")
    assert told["detail"].startswith("POL ")


def test_listings_that_cannot_be_read_are_degraded_and_no_more(house: House, client: Client) -> None:
    house.store.put("candles/_listings.json", b"{")
    house.lake.upsert(candles("ETH").filter(pl.col("time").is_not_null()))
    house.service.refresh()
    health = client.get("/health").json()
    assert health["status"] == "degraded"
    assert [(item["part"], item["reason"]) for item in health["degraded"]] == [
        ("listings", "intervencao-necessaria")
    ]
    assert client.get("/symbol/ETH").status_code == 200
    problem(client.get("/symbol/EOS"), 410, "ativo-retirado")
