import re
import shutil
import subprocess

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cripto.domain.candle import SAMPLE_SOURCE
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, House, candles
from tests.unit.serving.client import Client, application


def samples(client: Client) -> dict[str, float]:
    response = client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_metrics_say_what_is_loaded_and_how_old_it_is() -> None:
    house = House("BTC", "ETH")
    house.service.load()
    found = samples(Client(application(house)))
    assert found["cripto_models_loaded"] == 5
    assert found["cripto_release_info{interval=1d,release=20250729-2130}"] == 1
    assert found["cripto_release_age_seconds{interval=1d}"] == 0  # the toy clock stands before the release
    assert found["cripto_candle_age_seconds{interval=1d,which=freshest}"] == 3600
    assert found["cripto_assets{interval=1d}"] == 2
    assert found["cripto_assets_behind{interval=1d}"] == 0
    assert found["cripto_assets_with_gaps{interval=1d}"] == 0
    assert found["cripto_candles_missing{interval=1d}"] == 0


def test_metrics_of_an_empty_service_hold_no_ages() -> None:
    found = samples(Client(application(House(publish=False))))
    assert found["cripto_models_loaded"] == 0
    assert not [name for name in found if "age" in name or "info" in name]


def test_candles_that_lack_where_a_forecast_looks_back_are_counted() -> None:
    house = House("BTC")
    whole = candles("ETH", "LTC")
    days = [LAST_CLOSE - number * DAILY.step for number in (3, 4, 9)]
    house.lake.upsert(whole.filter((pl.col("symbol") == "LTC") | ~pl.col("time").is_in(days)))
    house.service.load()
    found = samples(Client(application(house)))
    assert found["cripto_assets_with_gaps{interval=1d}"] == 1
    assert found["cripto_candles_missing{interval=1d}"] == 3
    told = Client(application(house)).get("/health").json()["candles"]
    assert (told["with_gaps"], told["missing"], told["behind"]) == (1, 3, 0)


def test_predictions_and_errors_are_counted_by_kind() -> None:
    house = House("BTC")
    house.lake.upsert(candles("NEW", count=3, source=SAMPLE_SOURCE))
    house.service.load()
    client = Client(application(house))
    for asset in ("BTC", "BTC", "BTX", "NEW", "B-C"):
        client.get(f"/symbol/{asset}")
    found = samples(client)
    assert found["cripto_prediction_seconds_count"] == 5
    assert found["cripto_predictions_computed_total"] == 1
    assert found["cripto_prediction_errors_total{kind=ativo-desconhecido}"] == 1
    assert found["cripto_prediction_errors_total{kind=historico-insuficiente}"] == 1
    assert found["cripto_prediction_errors_total{kind=ativo-invalido}"] == 1
    assert found["cripto_http_requests_total{method=GET,route=/symbol/{ativo},status=200}"] == 2


def test_a_flood_of_unknown_paths_assets_and_methods_adds_no_series() -> None:
    house = House("BTC")
    house.service.load()
    client = Client(application(house))

    def flood(start: int) -> int:
        for number in range(start, start + 30):
            client.get(f"/nada/{number}")
            client.get(f"/symbol/X{number}")
            client.request(f"M{number}", "/")
        return len(samples(client))

    client.get("/metrics")
    assert flood(0) == flood(100)


def test_plain_routes_are_counted_under_their_own_names() -> None:
    client = Client(application(House()))
    client.get("/openapi.json")
    client.get("/docs")
    client.get("/nada")
    found = samples(client)
    for route, status in (("/openapi.json", 200), ("/docs", 200), ("other", 404)):
        assert found[f"cripto_http_requests_total{{method=GET,route={route},status={status}}}"] == 1


def test_names_carry_the_prefix_a_help_text_and_no_stray_suffix() -> None:
    text = Client(application(House("BTC"))).get("/metrics").text
    names = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert len(names) >= 12
    for name, kind in names:
        assert name.startswith("cripto_")
        assert name.endswith("_total") == (kind == "counter")
        assert f"# HELP {name} " in text
    assert "_created" not in text


def test_two_applications_do_not_share_metrics() -> None:
    first, second = Client(application(House())), Client(application(House()))
    first.get("/")
    assert "cripto_http_requests_total{method=GET,route=/,status=200}" not in samples(second)


def test_promtool_finds_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("PROMTOOL MISSING: Debian's package prometheus has it")
    house = House("BTC")
    house.service.load()
    client = Client(application(house))
    client.get("/symbol/BTC")
    client.get("/symbol/NOPE")
    text = client.get("/metrics").content
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
