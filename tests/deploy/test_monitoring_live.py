"""A real Prometheus scrapes a real server: it answers every query of the dashboard and evaluates every alert."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest
import yaml

from cripto.serving import create_app
from tests.deploy.manifests import ROOT
from tests.deploy.test_monitoring_alerts import alerts
from tests.deploy.test_monitoring_dashboard import queries
from tests.doubles.processes import free_port
from tests.integration.live import live, until
from tests.unit.forecasting.toys import House

pytestmark = pytest.mark.slow


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[httpx.Client]:
    """Prometheus with the alerts, looking at ``target`` every second."""
    program = which("prometheus")
    if program is None:
        pytest.skip("PROMETHEUS MISSING: `make debian` installs it (as root)")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "monitoring" / "alerts.yaml")],
        "scrape_configs": [{"job_name": "cripto", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            until(lambda: process.poll() is not None or answers(client))
            assert process.poll() is None, (folder / "log").read_text()
            yield client
    finally:
        process.terminate()
        process.wait(120)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def asked(client: httpx.Client, query: str) -> Any:
    answer = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    return answer["data"]["result"]


def test_prometheus_answers_every_query_and_evaluates_every_alert(tmp_path: Path) -> None:
    house = House("BTC", "ETH")
    app = create_app(house.service, version="1.2.3", clock=house.clock, refresh_seconds=0.5, reload_min_seconds=0)
    with live(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        until(lambda: house.service.ready)
        with prometheus(url.removeprefix("http://"), tmp_path) as server:

            def seen() -> bool:
                # a rate takes two scrapes that count
                for path in ("/symbol/BTC", "/symbol/NOPE", "/reload", "/health"):
                    client.get(path)
                return bool(asked(server, "rate(cripto_prediction_errors_total[10s]) > 0"))

            until(seen)
            empty = [query for query in queries("10s") if not asked(server, query)]
            assert empty == []

            def rules() -> Any:
                groups = server.get("/api/v1/rules").json()["data"]["groups"]
                return {rule["name"]: rule for group in groups for rule in group["rules"]}

            until(lambda: all(rule["health"] != "unknown" for rule in rules().values()))
            assert {name: rule["health"] for name, rule in rules().items()} == dict.fromkeys(alerts(), "ok")
            assert rules()["CriptoNoRelease"]["state"] == "inactive"
