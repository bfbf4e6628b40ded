import re
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.forecasting import PredictionService
from cripto.serving.schemas import SymbolList
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, FaultyLake, House, candles, draft
from tests.unit.serving.client import Client, application, problem


class FadingLake(FaultyLake):
    """A lake from which assets can go."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()

    def recent(self, interval: str, candles: int) -> pl.DataFrame:
        return super().recent(interval, candles).filter(~pl.col("symbol").is_in(self.gone))


@pytest.fixture
def house() -> House:
    house = House("BTC", "ETH")
    house.lake.upsert(candles("NEW", count=7, quote="USD", source="kraken"))
    frame = candles("GAP")
    house.lake.upsert(frame.filter(pl.col("time") != frame["time"][-3]))
    house.lake.upsert(candles("OLD", source=SAMPLE_SOURCE))
    house.service.load()
    return house


@pytest.fixture
def client(house: House) -> Client:
    return Client(application(house))


def names(value: Any) -> list[str]:
    return [entry["ativo"] for entry in value["ativos"]]


class TestEntries:
    def test_each_asset_says_where_its_candles_end_and_whether_they_suffice(self, client: Client) -> None:
        value = client.get("/symbols").json()
        assert (value["total"], value["proximo"]) == (5, None)
        btc = {
            "ativo": "BTC",
            "cotacao": "USDT",
            "fonte": "binance",
            "fechamento": "2025-03-22T00:00:00Z",
            "situacao": "atual",
            "candles_em_atraso": 0,
            "predicao": True,
            "motivo": None,
        }
        none = {"predicao": False}
        assert value["ativos"] == [
            btc,
            {**btc, "ativo": "ETH"},
            {**btc, **none, "ativo": "GAP", "motivo": "lacuna-no-historico"},
            {
                **btc,
                **none,
                "ativo": "NEW",
                "cotacao": "USD",
                "fonte": "kraken",
                "motivo": "historico-insuficiente",
            },
            {**btc, "ativo": "OLD", "fonte": "amostra", "situacao": "amostra"},
        ]

    def test_a_page_is_as_its_schema_says(self, client: Client) -> None:
        body = client.get("/symbols?limite=4").content
        assert SymbolList.model_validate_json(body, strict=True).to_bytes() == body

    def test_each_says_what_its_own_answer_says(self, house: House, client: Client) -> None:
        house.clock.time += 3 * DAILY.step
        for entry in client.get("/symbols").json()["ativos"]:
            alone = client.get(f"/symbol/{entry['ativo']}").json()
            if entry["predicao"]:
                dados = alone["dados"]
                assert (entry["situacao"], entry["candles_em_atraso"]) == (
                    dados["situacao"],
                    dados["candles_em_atraso"],
                )
                assert entry["candles_em_atraso"] == 3
                assert (entry["fonte"], entry["cotacao"]) == (dados["fonte"], alone["cotacao"])
                assert entry["fechamento"] == alone["candle"]["fechamento"]
            else:
                assert alone["type"] == f"urn:cripto:problema:{entry['motivo']}"

    def test_a_page_ages_with_the_clock(self, house: House, client: Client) -> None:
        house.clock.time += 2 * DAILY.step
        states = {entry["ativo"]: entry["situacao"] for entry in client.get("/symbols").json()["ativos"]}
        assert states == {**dict.fromkeys(("BTC", "ETH", "GAP", "NEW"), "atrasado"), "OLD": "amostra"}

    def test_a_lake_without_candles_is_an_empty_list(self) -> None:
        house = House()
        house.service.load()
        assert Client(application(house)).get("/symbols").json() == {
            "total": 0,
            "ativos": [],
            "proximo": None,
            "intervalo": "1d",
        }

    def test_nothing_loaded_is_a_reason_to_retry(self) -> None:
        problem(Client(application(House("BTC", publish=False))).get("/symbols"), 503, "sem-release")


class TestPages:
    def test_a_page_names_the_next_one_until_there_is_none(self, client: Client) -> None:
        first = client.get("/symbols?limite=2")
        assert (names(first.json()), first.json()["proximo"]) == (["BTC", "ETH"], "ETH")
        assert first.headers["link"] == '<symbols?limite=2&apos=ETH>; rel="next"'
        second = client.get("/symbols?limite=2&apos=ETH").json()
        assert (names(second), second["proximo"], second["total"]) == (["GAP", "NEW"], "NEW", 5)
        third = client.get("/symbols?limite=2&apos=NEW")
        assert (names(third.json()), third.json()["proximo"]) == (["OLD"], None)
        assert "link" not in third.headers

    def test_a_last_page_that_is_full_has_no_next_one(self, client: Client) -> None:
        assert client.get("/symbols?limite=5").json()["proximo"] is None
        assert names(client.get("/symbols?limite=1&apos=NEW").json()) == ["OLD"]
        assert client.get("/symbols?limite=1&apos=NEW").json()["proximo"] is None

    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            ("eth", ["GAP", "NEW", "OLD"]),
            ("BTCX", ["ETH", "GAP", "NEW", "OLD"]),
            ("0", ["BTC", "ETH", "GAP", "NEW", "OLD"]),
            ("ZZZ", []),
        ],
    )
    def test_what_comes_after_need_not_exist(self, client: Client, after: str, expected: list[str]) -> None:
        assert names(client.get(f"/symbols?apos={after}").json()) == expected

    def test_the_links_lead_through_all_of_a_lake_that_changes(self) -> None:
        staying = sorted(f"S{number:02}" for number in range(12))
        house = House()
        lake = house.lake = FadingLake()
        lake.upsert(candles(*staying, "A1", "S05A", "Z1"))
        house.service = PredictionService(house.registry, lake, clock=house.clock, interval="1d")
        house.service.load()
        client = Client(application(house))
        seen: list[str] = []
        path: str | None = "symbols?limite=3"
        for step in range(50):
            if path is None:
                break
            response = client.get(f"/{path}")
            seen += names(response.json())
            found = re.fullmatch(r'<(.+)>; rel="next"', response.headers.get("link", ""))
            path = found[1] if found else None
            # some come before and some after where we are, and one that was there has gone
            lake.gone |= {"A1", "S05A"}
            lake.upsert(candles(f"A{step + 2}", f"S{step:02}X", count=70))
            house.service.refresh()
        assert path is None
        assert "S05A" not in seen
        assert seen == sorted(seen)
        assert len(seen) == len(set(seen))
        assert set(staying) <= set(seen)

    @pytest.mark.parametrize("limit", ["0", "1001", "-1", "", "ten", "1.5", "1e3", "9" * 50])
    def test_a_limit_out_of_bounds_is_refused(self, client: Client, limit: str) -> None:
        value = problem(client.get(f"/symbols?limite={limit}"), 422, "requisicao-invalida")
        assert value["erros"][0]["campo"] == "query.limite"

    @pytest.mark.parametrize("after", ["", "B-C", "%00", "A" * 21, "%C3%A9", "BTC%0d%0aX:1", '"'])
    def test_a_malformed_place_is_refused(self, client: Client, after: str) -> None:
        problem(client.get(f"/symbols?apos={after}"), 422, "ativo-invalido")


class TestCaching:
    def test_a_page_can_be_revalidated_until_it_changes(self, house: House, client: Client) -> None:
        plain = {"Accept-Encoding": "identity"}
        first = client.get("/symbols?limite=2", plain)
        again = client.get("/symbols?limite=2", {**plain, "If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary", "link"):
            assert again.headers[name] == first.headers[name]
        house.registry.publish(draft("20250801-0000"))
        house.service.refresh()
        assert client.get("/symbols?limite=2", plain).headers["etag"] == first.headers["etag"]
        house.clock.time += DAILY.step
        assert client.get("/symbols?limite=2", plain).headers["etag"] != first.headers["etag"]

    def test_it_is_kept_until_the_next_look_or_boundary(self, house: House) -> None:
        client = Client(application(house, refresh_seconds=30))
        assert client.get("/symbols").headers["cache-control"].startswith("public, max-age=30,")
        house.clock.time = LAST_CLOSE + DAILY.step - timedelta(seconds=7)
        assert client.get("/symbols").headers["cache-control"].startswith("public, max-age=7,")

    def test_a_compressed_page_is_the_plain_one_under_a_tag_of_its_own(self) -> None:
        house = House(*(f"A{number}" for number in range(50)))
        house.service.load()
        client = Client(application(house))
        plain = client.get("/symbols", {"Accept-Encoding": "identity"})
        zipped = client.get("/symbols", {"Accept-Encoding": "gzip"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.content == plain.content
        assert int(zipped.headers["content-length"]) < len(plain.content)
        assert zipped.headers["etag"] != plain.headers["etag"]
        assert plain.headers["vary"] == zipped.headers["vary"] == "Accept-Encoding"

    def test_head_is_get_without_a_body(self, client: Client) -> None:
        got, head = client.get("/symbols?limite=1"), client.request("HEAD", "/symbols?limite=1")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-type", "content-length", "cache-control", "link"):
            assert head.headers[name] == got.headers[name]
