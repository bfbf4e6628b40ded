"""The dashboard: every query parses and asks for what is exported, and nothing that is exported is left out."""

import json
from pathlib import Path
from typing import Any

from tests.deploy.manifests import ROOT
from tests.deploy.metrics import exported, metrics_used, problems, promtool, rules_of

DASHBOARD = ROOT / "monitoring" / "dashboard.json"


def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text())


def panels() -> list[Any]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries(window: str = "2m") -> list[str]:
    """Each panel's, with what Grafana would put in for its variables; rates are over the ``window``."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [text.replace("$__rate_interval", window).replace("$instance", ".*") for text in found]


def test_every_query_parses(tmp_path: Path) -> None:
    assert len(queries()) > 20
    assert not [text for text in queries() if "$" in text]
    file = tmp_path / "queries.yaml"
    file.write_text(rules_of(queries()))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries())} rules found" in done.stdout
    file.write_text(rules_of([*queries(), "sum(rate(cripto_assets)"]))
    assert promtool("check", "rules", file).returncode != 0


def test_every_query_asks_for_what_the_service_exports() -> None:
    for text in queries():
        assert metrics_used(text), text
        assert problems(text) == [], text


def test_every_metric_is_on_it() -> None:
    used = set().union(*map(metrics_used, queries()))
    assert set(exported()) - used == set()


def test_its_variables_are_a_data_source_and_replicas_that_exist() -> None:
    source, replica = dashboard()["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert metrics_used(replica["query"]["query"]) <= set(exported())
    assert replica["definition"] == replica["query"]["query"]
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all('instance=~"$instance"' in target["expr"] for target in panel["targets"])


def test_panels_have_a_title_and_a_place_of_their_own() -> None:
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert all(panel["title"] for panel in everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells
