from dataclasses import replace

import polars as pl
import pytest
from fastapi import FastAPI

from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import StorageUnavailable
from cripto.forecasting import Answer, Board, LoadedRelease, PredictionService
from cripto.registry import ReleaseDraft
from cripto.serving import create_app
from tests.unit.forecasting.toys import (
    DAILY,
    VERSION,
    FailingModel,
    House,
    candles,
    constant_onnx,
    draft,
    toy_release,
)
from tests.unit.serving.client import Client, application, problem

SECRET = "s3cr3t text of an exception"


def loaded(*symbols: str) -> House:
    house = House(*(symbols or ("BTC", "ETH")))
    house.service.load()
    return house


def test_the_root_says_where_things_are() -> None:
    assert Client(application(House())).get("/").json() == {
        "message": "Cripto Prediction API",
        "version": "1.2.3",
        "docs": "/docs",
        "health": "/health",
    }


class TestHealth:
    def test_a_service_that_predicts_is_healthy(self) -> None:
        response = Client(application(loaded())).get("/health")
        value = response.json()
        assert (response.status_code, value["status"], value["degraded"]) == (200, "healthy", [])
        assert value["versions"] == dict.fromkeys(MODEL_NAMES, VERSION)
        assert value["release"] == VERSION
        assert value["interval"] == "1d"
        assert value["candles"]["assets"] == 2
        assert value["candles"]["newest_age_seconds"] == 3600.0

    def test_no_model_is_unhealthy(self) -> None:
        house = House("BTC", publish=False)
        house.service.refresh()
        response = Client(application(house)).get("/health")
        assert (response.status_code, response.json()["status"]) == (503, "unhealthy")
        assert response.json()["models_loaded"] is False
        assert response.json()["degraded"][0]["reason"] == "sem-release"

    @pytest.mark.parametrize("published", [True, False])
    def test_a_liveness_probe_asks_only_whether_the_process_lives(self, published: bool) -> None:
        client = Client(application(House("BTC", publish=published)))
        assert client.get("/health", {"X-Probe": "liveness"}).status_code == 200
        assert client.get("/health", {"X-Probe": "readiness"}).status_code == 503

    def test_an_outage_degrades_and_keeps_serving(self) -> None:
        house = loaded()
        house.lake.fault = house.registry.fault = StorageUnavailable(SECRET)
        house.service.refresh()
        client = Client(application(house))
        response = client.get("/health")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
        found = [(item["part"], item["reason"]) for item in response.json()["degraded"]]
        assert found == [("release", "armazenamento-indisponivel"), ("candles", "armazenamento-indisponivel")]
        assert SECRET not in response.text
        assert client.get("/symbol/BTC").status_code == 200

    def test_stale_candles_degrade(self) -> None:
        house = loaded()
        house.clock.time += 2 * DAILY.step
        value = Client(application(house)).get("/health").json()
        assert value["status"] == "degraded"
        assert [item["reason"] for item in value["degraded"]] == ["candles-atrasados"]
        assert value["candles"]["behind"] == 2

    def test_a_release_without_candles_is_degraded(self) -> None:
        house = House()
        house.service.load()
        value = Client(application(house)).get("/health").json()
        assert (value["status"], value["degraded"][0]["reason"]) == ("degraded", "sem-candles")

    def test_a_refused_release_degrades(self) -> None:
        house = loaded()
        house.registry.publish(refused())
        house.service.refresh()
        client = Client(application(house))
        value = client.get("/health").json()
        assert (value["status"], value["degraded"][0]["reason"]) == ("degraded", "release-recusada")
        assert client.get("/models").json()["refused"][0]["release"] == "20250801-0000"
        assert "\ncripto_refused 1.0\n" in client.get("/metrics").text

    def test_after_a_rollback_nothing_is_refused(self) -> None:
        house = loaded()
        house.registry.publish(refused())
        house.service.refresh()
        house.registry.promote(ReleaseVersion.parse(VERSION), "1d", house.clock)
        house.service.refresh()
        client = Client(application(house))
        assert client.get("/health").json()["status"] == "healthy"
        assert client.get("/models").json()["refused"] == []
        assert "\ncripto_refused 0.0\n" in client.get("/metrics").text


def refused() -> ReleaseDraft:
    return draft("20250801-0000", models={"classifier_rf": constant_onnx("classifier_rf", float("nan"))})


class TestModels:
    def test_models_say_what_is_loaded_and_since_when(self) -> None:
        value = Client(application(loaded())).get("/models").json()
        assert value == {
            "total_models": 5,
            "models": list(MODEL_NAMES),
            "versions": dict.fromkeys(MODEL_NAMES, VERSION),
            "last_loaded": "2025-03-22T01:00:00Z",
            "release": VERSION,
            "refused": [],
            "interval": "1d",
        }

    def test_nothing_loaded_is_an_empty_list(self) -> None:
        response = Client(application(House(publish=False))).get("/models")
        assert response.status_code == 200
        assert response.json()["models"] == []
        assert response.json()["last_loaded"] is None


class TestSymbol:
    def test_an_answer_is_the_services_bytes_whatever_the_case(self) -> None:
        house = loaded()
        client = Client(application(house))
        worked_out = house.service.status().computations
        bodies = {client.get(f"/symbol/{asset}").content for asset in ("BTC", "btc", "Btc")}
        assert bodies == {house.service.answer("BTC").body}
        assert house.service.status().computations == worked_out

    def test_an_answer_can_be_revalidated(self) -> None:
        client = Client(application(loaded()))
        first = client.get("/symbol/BTC")
        for tags in (first.headers["etag"], f'"x,y", {first.headers["etag"]}', f"W/{first.headers['etag']}", "*"):
            again = client.get("/symbol/BTC", {"If-None-Match": tags})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
        assert client.get("/symbol/BTC", {"If-None-Match": '"x"'}).status_code == 200

    def test_head_is_get_without_a_body(self) -> None:
        client = Client(application(loaded()))
        got, head = client.get("/symbol/BTC"), client.request("HEAD", "/symbol/BTC")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-type", "content-length", "cache-control"):
            assert head.headers[name] == got.headers[name]
        for path in ("/", "/health", "/models", "/symbols", "/predictions?ativos=BTC", "/metrics"):
            assert client.request("HEAD", path).status_code == 200
        assert client.request("HEAD", "/symbol/NOPE").status_code == 404

    @pytest.mark.parametrize("asset", ["B-C", "BTC ", "%00", "%C3%A9", "A" * 21, "%EF%BC%A1", "BTC%0A", ".."])
    def test_a_malformed_asset_is_refused(self, asset: str) -> None:
        response = Client(application(loaded())).get(f"/symbol/{asset}")
        if asset == "..":
            assert response.status_code in (200, 404)  # the client resolved it: it never arrives
        else:
            problem(response, 422, "ativo-invalido")

    @pytest.mark.parametrize("path", ["/symbol/BTC%2F..%2F", "/symbol/BTC/", "/symbol/", "/symbol/a%2Fb"])
    def test_a_path_in_the_asset_leads_nowhere(self, path: str) -> None:
        problem(Client(application(loaded())).get(path), 404, "rota-desconhecida")

    def test_a_malformed_asset_is_refused_even_with_nothing_loaded(self) -> None:
        problem(Client(application(House(publish=False))).get("/symbol/B-C"), 422, "ativo-invalido")

    def test_an_unknown_asset_names_its_neighbours(self) -> None:
        value = problem(Client(application(loaded())).get("/symbol/BTX"), 404, "ativo-desconhecido")
        assert value["simbolos_proximos"] == ["BTC"]

    def test_too_little_history_says_how_much_there_is(self) -> None:
        house = House("BTC")
        house.lake.upsert(candles("NEW", count=7))
        house.service.load()
        value = problem(Client(application(house)).get("/symbol/NEW"), 422, "historico-insuficiente")
        assert (value["candles_disponiveis"], value["candles_necessarios"]) == (7, 61)

    def test_a_gap_says_where(self) -> None:
        house = House()
        frame = candles("BTC")
        house.lake.upsert(frame.filter(pl.col("time") != frame["time"][-3]))
        house.service.load()
        value = problem(Client(application(house)).get("/symbol/BTC"), 422, "lacuna-no-historico")
        assert value["lacuna"] == {"depois_de": "2025-03-18T00:00:00Z", "antes_de": "2025-03-20T00:00:00Z"}

    def test_no_release_is_a_reason_to_retry(self) -> None:
        response = Client(application(House("BTC", publish=False))).get("/symbol/BTC")
        problem(response, 503, "sem-release")
        assert int(response.headers["retry-after"]) > 0

    def test_a_failing_model_is_the_operators_problem(self) -> None:
        house = loaded()
        broken = toy_release(FailingModel("regressor_rf", times=9))
        service = Fixed(house, broken)
        value = problem(Client(application_of(service, house)).get("/symbol/BTC"), 500, "modelo-recusado")
        assert value["modelo"] == "regressor_rf"

    def test_fifty_at_once_are_worked_out_once(self) -> None:
        house = loaded()
        worked_out = house.service.status().computations
        responses = Client(application(house)).together("/symbol/BTC", 50)
        assert {response.status_code for response in responses} == {200}
        assert len({response.content for response in responses}) == 1
        assert house.service.status().computations == worked_out


class Fixed(PredictionService):
    """A service whose board is of a given release."""

    def __init__(self, house: House, release: LoadedRelease) -> None:
        super().__init__(house.registry, house.lake, clock=house.clock, interval="1d")
        self.load()
        held = self.snapshot.candles
        assert held is not None
        self._snapshot = replace(self.snapshot, release=release, board=Board(release, held.windows))


def application_of(service: PredictionService, house: House) -> FastAPI:
    return create_app(service, version="1.2.3", clock=house.clock)


class TestUnforeseen:
    class Buggy(PredictionService):
        def answer(self, asset: str) -> Answer:
            raise RuntimeError(SECRET)

    def test_a_bug_is_a_500_that_shows_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        house = House("BTC")
        service = self.Buggy(house.registry, house.lake, clock=house.clock, interval="1d")
        client = Client(application_of(service, house))
        response = client.get("/symbol/BTC")
        value = problem(response, 500, "erro-interno")
        assert SECRET not in response.text
        assert "Traceback" not in response.text
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.__dict__["request_id"] == value["request_id"]
        metrics = client.get("/metrics").text
        assert 'cripto_http_requests_total{method="GET",route="/symbol/{ativo}",status="500"} 1.0' in metrics
        assert 'cripto_prediction_errors_total{kind="erro-interno"} 1.0' in metrics

    def test_an_unknown_path_is_a_problem(self) -> None:
        problem(Client(application(House())).get("/nada"), 404, "rota-desconhecida")

    @pytest.mark.parametrize(
        "path", ["/", "/health", "/models", "/symbol/BTC", "/symbols", "/predictions", "/reload", "/metrics"]
    )
    def test_a_wrong_method_is_a_problem(self, path: str) -> None:
        response = Client(application(House())).request("POST", path)
        problem(response, 405, "metodo-nao-permitido")
        assert response.headers["allow"] == ("GET" if path == "/reload" else "GET, HEAD")

    def test_a_parameter_of_the_wrong_type_is_a_problem_that_does_not_repeat_it(self) -> None:
        app = application(House())

        @app.get("/numero/{n}")
        async def numero(n: int) -> int:
            return n

        response = Client(app).get("/numero/evil")
        assert problem(response, 422, "requisicao-invalida")["erros"] == [
            {"campo": "path.n", "regra": "int_parsing"}
        ]
        assert "evil" not in response.text
