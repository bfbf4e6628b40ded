"""Alerts: each asks for what is exported, has a test that fires it and one that does not, and says what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cripto.domain.interval import INTERVALS
from tests.deploy.manifests import ROOT
from tests.deploy.metrics import exported, metrics_used, problems, promtool

RULES = ROOT / "monitoring" / "alerts.yaml"
TESTS = ROOT / "monitoring" / "alerts_test.yaml"
PAGE = ROOT / "docs" / "alerts.md"


def alerts() -> dict[str, Any]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in found}) == len(found)
    return {rule["alert"]: rule for rule in found}


def test_promtool_finds_nothing_to_say_of_the_rules() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_each_alert_fires_and_stays_quiet_as_its_test_says() -> None:
    done = promtool("test", "rules", TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_that_fires_it_and_one_that_does_not() -> None:
    outcomes: dict[str, set[bool]] = {name: set() for name in alerts()}
    for case in yaml.safe_load(TESTS.read_text())["tests"]:
        for one in case["alert_rule_test"]:
            outcomes[one["alertname"]].add(bool(one["exp_alerts"]))
    assert [name for name, seen in outcomes.items() if seen != {True, False}] == []


@pytest.mark.slow
@pytest.mark.parametrize("expression", ["vector(1) < 0", "vector(1)"], ids=["never", "always"])
def test_these_tests_fail_for_each_alert_that_fires_never_or_always(tmp_path: Path, expression: str) -> None:
    document = yaml.safe_load(RULES.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["expr"] = expression
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "alerts_test.yaml").write_text(TESTS.read_text())
    done = promtool("test", "rules", tmp_path / "alerts_test.yaml")
    assert done.returncode != 0
    assert set(re.findall(r"alertname: (\w+), time", done.stdout + done.stderr)) == set(alerts())


def test_each_alert_asks_for_what_the_service_exports() -> None:
    for name, rule in alerts().items():
        assert metrics_used(rule["expr"]), name
        assert problems(rule["expr"]) == [], name


def test_a_metric_or_a_label_that_nobody_exports_would_be_noticed() -> None:
    assert problems("cripto_models > 0") == ["cripto_models is not exported"]
    assert problems('cripto_assets{which="freshest"}') == ["cripto_assets has no label which"]
    assert problems("sum by (route) (cripto_refused)") == ["cripto_refused has no label route"]
    assert problems('sum by (pod) (rate(cripto_http_requests_total{status=~"5.."}[5m]))') == []
    assert "cripto_prediction_seconds_bucket" in exported()


def test_each_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on() -> None:
    for name, rule in alerts().items():
        assert re.fullmatch(r"Cripto[A-Z]\w+", name)
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        assert all(text.strip().endswith(".") for key, text in rule["annotations"].items() if key != "runbook_url")
        assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{name.lower()}"


def test_the_page_has_a_heading_for_each_alert_and_no_other_with_meaning_first_look_and_remedy() -> None:
    sections = re.split(r"^### ", PAGE.read_text(), flags=re.M)[1:]
    # the anchor of a heading without code marks is its text in small letters
    names = [section.splitlines()[0] for section in sections]
    assert sorted(names) == sorted(alerts())
    for section in sections:
        for part in ("**Meaning.**", "**First look.**", "**Remedy.**"):
            assert section.count(part) == 1, (section.splitlines()[0], part)


def test_candles_are_stale_after_two_lengths_of_each_interval_there_is() -> None:
    expression = alerts()["CriptoCandlesStale"]["expr"]
    found = re.findall(r'interval="(\w+)",which="freshest"} > 2 \* (\d+)', expression)
    assert {name: int(seconds) for name, seconds in found} == {
        name: interval.seconds for name, interval in INTERVALS.items()
    }
