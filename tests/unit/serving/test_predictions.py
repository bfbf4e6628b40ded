import json
from datetime import timedelta
from typing import Any

import httpx
import polars as pl
import pytest

from cripto.errors import CriptoError
from cripto.forecasting import Answer, PredictionService
from tests.unit.forecasting.toys import (
    DAILY,
    LAST_CLOSE,
    FailingModel,
    House,
    ToyModel,
    candles,
    draft,
    toy_release,
)
from tests.unit.serving.client import Client, application, problem
from tests.unit.serving.test_metrics import samples
from tests.unit.serving.test_routes import Fixed, application_of

LINES = {"Accept": "application/x-ndjson"}
PLAIN = {"Accept-Encoding": "identity"}


def gap(symbol: str) -> pl.DataFrame:
    frame = candles(symbol)
    return frame.filter(pl.col("time") != frame["time"][-3])


@pytest.fixture
def house() -> House:
    house = House("BTC", "ETH", "LTC")
    house.lake.upsert(candles("NEW", count=7))
    house.lake.upsert(gap("GAP"))
    house.service.load()
    return house


@pytest.fixture
def client(house: House) -> Client:
    return Client(application(house))


def ask(client: Client, assets: str, **headers: str) -> httpx.Response:
    url = httpx.URL("/predictions", params={"ativos": assets})
    return client.get(str(url), {name.replace("_", "-"): value for name, value in headers.items()})


def entries(response: httpx.Response) -> Any:
    value = response.json()
    assert value["total"] == len(value["predicoes"])
    assert value["total_erros"] == sum("erro" in entry for entry in value["predicoes"])
    return value["predicoes"]


class TestEntries:
    def test_each_is_to_the_byte_what_the_asset_has_alone(self, client: Client) -> None:
        alone = [client.get(f"/symbol/{asset}").content for asset in ("ETH", "BTC", "LTC")]
        response = ask(client, "ETH,BTC,LTC")
        assert response.headers["content-type"] == "application/json"
        expected = b'{"total":3,"total_erros":0,"predicoes":[' + b",".join(alone) + b"]}"
        assert response.content == expected
        lines = ask(client, "ETH,BTC,LTC", **LINES)
        assert lines.headers["content-type"] == "application/x-ndjson"
        assert lines.content == b"".join(body + b"\n" for body in alone)

    @pytest.mark.parametrize("asked", ["btc,Eth", " BTC ,\tETH ", "BTC,ETH,btc,BTC", ",BTC,,ETH,"])
    def test_case_blanks_doubles_and_empty_items_do_not_matter(self, client: Client, asked: str) -> None:
        assert ask(client, asked).content == ask(client, "BTC,ETH").content

    def test_a_parameter_given_twice_is_one_list(self, client: Client) -> None:
        response = client.get("/predictions?ativos=BTC&ativos=ETH")
        assert response.content == ask(client, "BTC,ETH").content

    def test_what_has_no_prediction_says_why_in_its_place(self, client: Client) -> None:
        found = entries(ask(client, "NEW,BTC,btx,GAP,B-C"))
        assert [entry["ativo"] for entry in found] == ["NEW", "BTC", "BTX", "GAP", "B-C"]
        for asset, entry in zip(("NEW", "BTX", "GAP", "B-C"), (found[0], *found[2:]), strict=True):
            alone = client.get(f"/symbol/{asset}").json()
            del alone["instance"], alone["request_id"]
            assert entry == {"ativo": asset, "erro": alone}
        assert found[2]["erro"]["simbolos_proximos"] == ["BTC"]

    def test_a_line_that_says_why_is_one_line(self, client: Client) -> None:
        lines = ask(client, "BTX,BTC,x\ny,\u2028\u0085", **LINES).content
        assert len(lines.split(b"\n")) == 5
        assert len(lines.decode().splitlines()) == 4
        found = [json.loads(line) for line in lines.decode().splitlines()]
        assert [entry["ativo"] for entry in found] == ["BTX", "BTC", "x\ny", "\u2028\u0085"]

    def test_the_preferred_form_is_given(self, client: Client) -> None:
        for accept in ("*/*", "application/json, application/x-ndjson;q=0.9", "text/html"):
            assert ask(client, "BTC", Accept=accept).headers["content-type"] == "application/json"
        accept = "application/json;q=0.5, application/x-ndjson;q=0.6"
        assert ask(client, "BTC", Accept=accept).headers["content-type"] == "application/x-ndjson"

    def test_two_hundred_of_all_kinds_each_have_their_place(self) -> None:
        good = [f"G{number}" for number in range(120)]
        short, broken = [f"N{number}" for number in range(20)], [f"H{number}" for number in range(20)]
        unknown, malformed = [f"U{number}" for number in range(20)], [f"M-{number}" for number in range(20)]
        house = House(*good)
        house.lake.upsert(candles(*short, count=7))
        for symbol in broken:
            house.lake.upsert(gap(symbol))
        house.service.load()
        client = Client(application(house))
        asked = [
            asset
            for five in zip(*[iter(good)] * 6, short, broken, unknown, malformed, strict=True)
            for asset in five
        ]
        found = entries(ask(client, ",".join(asked)))
        assert [entry["ativo"] for entry in found] == asked
        slugs = {
            "N": "historico-insuficiente",
            "H": "lacuna-no-historico",
            "U": "ativo-desconhecido",
            "M": "ativo-invalido",
        }
        for asset, entry in zip(asked, found, strict=True):
            expected = slugs.get(asset[0])
            assert entry.get("erro", {}).get("type") == (expected and f"urn:cripto:problema:{expected}"), asset
        alone = [house.service.answer(asset).body for asset in good]
        lines = ask(client, ",".join(asked), **LINES).content.split(b"\n")
        assert [line for line in lines if b'"erro"' not in line and line] == alone


class TestRefusals:
    @pytest.mark.parametrize("query", ["", "?ativos", "?ativos=", "?ativos=,,", "?ativos=%20,%09", "?assets=BTC"])
    def test_nothing_asked_for_is_refused(self, client: Client, query: str) -> None:
        value = problem(client.get(f"/predictions{query}"), 422, "requisicao-invalida")
        assert value["erros"] == [{"campo": "query.ativos", "regra": "missing"}]
        assert "de 1 a 200" in value["detail"]

    @pytest.mark.parametrize("count", [201, 10_000])
    def test_too_many_are_refused_and_told_the_limit(self, client: Client, count: int) -> None:
        response = client.get(f"/predictions?ativos={','.join(map(str, range(count)))}")
        value = problem(response, 422, "requisicao-invalida")
        assert value["limite"] == 200
        assert value["erros"] == [{"campo": "query.ativos", "regra": "too_long"}]
        assert len(response.content) < 1000

    def test_two_hundred_are_not_too_many(self, client: Client) -> None:
        assert ask(client, ",".join(f"A{number}" for number in range(200))).json()["total"] == 200

    def test_commas_alone_are_too_many_at_some_point(self, client: Client) -> None:
        problem(ask(client, "," * 5000), 422, "requisicao-invalida")

    @pytest.mark.parametrize(
        "item",
        [
            "A" * 50_000,
            "\0",
            "BTC\0",
            "é",
            "\N{FULLWIDTH LATIN CAPITAL LETTER A}",
            '"}],',
            "<b>",
            "\N{BANK}",
            "B C",
        ],
    )
    def test_a_hostile_item_is_an_entry_cut_and_escaped(self, client: Client, item: str) -> None:
        response = ask(client, f"{item},BTC".replace(",", "\0", item.count(",")))
        echoed = item.replace(",", "\0")[:20]
        assert [entry["ativo"] for entry in entries(response)] == [echoed, "BTC"]
        assert entries(response)[0]["erro"]["type"] == "urn:cripto:problema:ativo-invalido"
        assert len(response.content) < 2000
        assert response.content.isascii()

    def test_bytes_that_are_no_text_are_an_entry_too(self, client: Client) -> None:
        found = entries(client.get("/predictions?ativos=%ff%fe,BTC"))
        assert [entry["ativo"] for entry in found] == ["\ufffd\ufffd", "BTC"]

    def test_nothing_loaded_concerns_all_of_them(self) -> None:
        client = Client(application(House("BTC", publish=False)))
        problem(ask(client, "BTC,ETH,B-C"), 503, "sem-release")
        found = samples(client)
        assert found["cripto_prediction_errors_total{kind=sem-release}"] == 3
        assert found["cripto_prediction_seconds_count"] == 3

    def test_a_model_that_fails_concerns_all_of_them(self) -> None:
        house = House("BTC", "ETH")
        service = Fixed(house, toy_release(FailingModel("regressor_rf", times=1)))
        client = Client(application_of(service, house))
        problem(ask(client, "BTC,ETH"), 500, "modelo-recusado")
        assert ask(client, "BTC,ETH").json()["total_erros"] == 0

    def test_a_bug_shows_nothing(self) -> None:
        class Buggy(PredictionService):
            def answers(self, assets: object) -> dict[str, Answer | CriptoError]:
                raise RuntimeError("s3cr3t")

        house = House("BTC")
        client = Client(application_of(Buggy(house.registry, house.lake, clock=house.clock, interval="1d"), house))
        response = ask(client, "BTC,ETH")
        problem(response, 500, "erro-interno")
        assert "s3cr3t" not in response.text
        assert samples(client)["cripto_prediction_errors_total{kind=erro-interno}"] == 2


class TestCaching:
    def test_an_answer_can_be_revalidated_until_one_of_them_changes(self, house: House, client: Client) -> None:
        first = ask(client, "BTC,ETH", **PLAIN)
        etag = first.headers["etag"]
        again = ask(client, "btc, eth", if_none_match=f'"a,b", W/{etag}', **PLAIN)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert again.headers[name] == first.headers[name]
        house.registry.publish(draft("20250801-0000"))
        house.service.refresh()
        changed = ask(client, "BTC,ETH", if_none_match=etag, **PLAIN)
        assert changed.status_code == 200
        assert changed.headers["etag"] != etag

    def test_other_assets_order_form_or_encoding_have_other_tags(self, client: Client) -> None:
        tags = [
            ask(client, "BTC,ETH", **PLAIN).headers["etag"],
            ask(client, "ETH,BTC", **PLAIN).headers["etag"],
            ask(client, "BTC", **PLAIN).headers["etag"],
            ask(client, "BTC,ETH,BTX", **PLAIN).headers["etag"],
            ask(client, "BTC,ETH", **PLAIN, **LINES).headers["etag"],
            ask(client, "BTC,ETH", Accept_Encoding="gzip").headers["etag"],
            client.get("/symbol/BTC").headers["etag"],
        ]
        assert len(set(tags)) == len(tags)

    def test_an_entry_with_an_error_has_its_part_in_the_tag(self, house: House, client: Client) -> None:
        before = ask(client, "BTC,NEW", **PLAIN).headers["etag"]
        house.lake.upsert(candles("NEW", count=8))
        house.service.refresh()
        assert ask(client, "BTC,NEW", **PLAIN).headers["etag"] != before

    def test_it_is_kept_as_long_as_the_first_of_them_holds_and_errors_shortly(self, house: House) -> None:
        client = Client(application(house, refresh_seconds=30))
        assert ask(client, "BTC,ETH").headers["cache-control"].startswith("public, max-age=30,")
        assert ask(client, "BTC,BTX").headers["cache-control"].startswith("public, max-age=5,")
        assert ask(client, "BTX").headers["cache-control"].startswith("public, max-age=5,")
        house.clock.time = LAST_CLOSE + DAILY.step - timedelta(seconds=3)
        assert ask(client, "BTC,ETH").headers["cache-control"].startswith("public, max-age=3,")
        assert ask(client, "BTC,BTX").headers["cache-control"].startswith("public, max-age=3,")
        hasty = Client(application(house, refresh_seconds=0.5))
        assert ask(hasty, "BTX").headers["cache-control"].startswith("public, max-age=0,")

    def test_what_it_depends_on_is_told(self, client: Client) -> None:
        assert ask(client, "BTC").headers["vary"] == "Accept, Accept-Encoding"

    def test_a_compressed_answer_is_the_plain_one(self, client: Client) -> None:
        assets = "BTC,ETH,LTC"
        plain, zipped = ask(client, assets, **PLAIN), ask(client, assets, Accept_Encoding="gzip")
        assert "content-encoding" not in plain.headers
        assert zipped.headers["content-encoding"] == "gzip"
        assert int(zipped.headers["content-length"]) < len(plain.content)
        assert zipped.content == plain.content  # the client has decoded it
        refused = ask(client, assets, Accept_Encoding="gzip;q=0")
        assert "content-encoding" not in refused.headers
        assert "content-encoding" not in ask(client, "BTC", Accept_Encoding="gzip").headers

    def test_head_is_get_without_a_body(self, client: Client) -> None:
        for encoding in ("gzip", "identity"):
            got = client.get("/predictions?ativos=BTC,ETH", {"Accept-Encoding": encoding})
            head = client.request("HEAD", "/predictions?ativos=BTC,ETH", {"Accept-Encoding": encoding})
            assert (head.status_code, head.content) == (200, b"")
            for name in ("etag", "content-type", "content-length", "cache-control", "vary"):
                assert head.headers[name] == got.headers[name]
            assert head.headers.get("content-encoding") == got.headers.get("content-encoding")


class TestWork:
    def test_what_is_not_at_hand_is_worked_out_in_one_batch(self) -> None:
        house, model = House(*(f"A{number}" for number in range(30))), ToyModel("regressor_rf")
        client = Client(application_of(Fixed(house, toy_release(model)), house))
        ask(client, "A0,A1")
        ask(client, ",".join(f"A{number}" for number in range(30)))
        ask(client, ",".join(f"A{number}" for number in range(30)))
        assert model.batches == [2, 28]

    def test_predictions_and_errors_are_counted_for_each_asset(self, client: Client) -> None:
        ask(client, "BTC,ETH,btc,BTX,BTY,NEW,B-C")
        ask(client, "BTC,ETH")
        found = samples(client)
        assert found["cripto_prediction_seconds_count"] == 8
        assert found["cripto_prediction_errors_total{kind=ativo-desconhecido}"] == 2
        assert found["cripto_prediction_errors_total{kind=historico-insuficiente}"] == 1
        assert found["cripto_prediction_errors_total{kind=ativo-invalido}"] == 1
        assert found["cripto_http_requests_total{method=GET,route=/predictions,status=200}"] == 2

    def test_a_flood_of_unknown_and_malformed_assets_adds_no_series(self, client: Client) -> None:
        def flood(start: int) -> int:
            for number in range(start, start + 5):
                ask(client, ",".join(f"{kind}{number}" for kind in ("X", "-", "Ü", "N-")))
            return len(samples(client))

        client.get("/metrics")
        assert flood(0) == flood(100)
