"""The page of an evaluation: whole by itself, the same each time, and nothing in it comes from data unescaped."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.training import figures
from cripto.training.page import page
from cripto.training.scores import evaluate
from tests.unit.training.scores.toys import days, returns_like_coins, scored

HOSTILE = "<script>alert('$x$')</script>&\"A"
MODELS = ("regressor_rf", "regressor_gbr", "regressor_lin", "classifier_rf", "classifier_log")


def report_of(rows: int, coins: int = 3, **changed: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    actual = returns_like_coins(random, rows, coins).ravel()
    said = {name: (0.5 if "class" in name else 0.0) + 0.02 * random.normal(size=len(actual)) for name in MODELS}
    symbol = pl.Series([HOSTILE if place % coins == 0 else f"C{place % coins}" for place in range(len(actual))])
    evaluation = evaluate(scored(actual, said, days(rows, coins), symbol=symbol), 0).to_json()
    return {"release": "20260101-0000", "interval": "1d", "kind": "walk-forward", **evaluation, **changed}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return report_of(120)


@pytest.fixture(scope="module")
def html(report: dict[str, Any]) -> str:
    return page(report).decode()


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            assert not name.startswith("on"), "no script, not in an attribute either"


def test_page_fetches_nothing_and_runs_nothing(html: str) -> None:
    elements = Elements()
    elements.feed(html)
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & set(elements.tags)
    assert all(reference.startswith("#") for reference in elements.references)
    assert "@import" not in html
    assert set(re.findall(r"url\(([^)]*)\)", html)) <= {f"#{name}" for name in elements.ids}
    assert "default-src 'none'" in html


def test_ids_of_the_curves_do_not_meet_in_the_page(html: str) -> None:
    elements = Elements()
    elements.feed(html)
    assert len(elements.ids) == len(set(elements.ids))
    assert {reference[1:] for reference in elements.references} <= set(elements.ids)


def test_equal_reports_give_equal_bytes(report: dict[str, Any], html: str) -> None:
    again = json.loads(json.dumps(report))
    assert page(again).decode() == html


def test_what_comes_from_data_is_escaped(html: str) -> None:
    assert HOSTILE not in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    hostile = page(report_of(40, warnings=[HOSTILE], groups={HOSTILE: 3}, kind=HOSTILE, release=HOSTILE)).decode()
    assert "<script>" not in hostile


def test_every_curve_is_well_formed_and_there(html: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(drawings) == 5
    for drawing in drawings:
        ET.fromstring(drawing)


def test_every_model_verdict_and_interval_stands_in_the_table(report: dict[str, Any], html: str) -> None:
    for name, model in report["models"].items():
        low, high = model["intervals"]["skill"]
        row = next(line for line in html.splitlines() if line.startswith(f"<tr><td>{name}</td>"))
        assert model["verdict"] in row
        assert f"{model['skill']:+.4f}" in row
        assert f"[{low:.4f}, {high:.4f}]" in row


def test_payoff_is_labelled_an_illustration(html: str) -> None:
    section = html.split("<h2>Ilustração</h2>")[1].split("</section>")[0]
    assert "no part of any verdict" in section
    assert "0.10% a side" in section


def test_coverage_stands_where_a_release_has_ranges(report: dict[str, Any], html: str) -> None:
    assert "Coverage" not in html
    ranged = json.loads(json.dumps(report))
    ranged["models"]["regressor_rf"]["coverage"] = [
        {"level": 0.8, "covered": 0.7912, "interval": [0.77, 0.81], "rows": 360}
    ]
    section = page(ranged).decode().split("Coverage of the ranges")[1].split("</section>")[0]
    assert "80%" in section
    assert "0.7912" in section


@pytest.mark.parametrize("rows", [1, 3])
def test_hardly_any_row_makes_a_page_too(rows: int) -> None:
    assert b"</html>" in page(report_of(rows, coins=1))


def test_prices_that_never_move_make_a_page_too() -> None:
    said = {name: np.full(90, 0.5) for name in MODELS}
    evaluation = evaluate(scored(np.zeros(90), said, days(30, 3)), 0).to_json()
    assert b"</html>" in page({"release": "r", "interval": "1d", "kind": "walk-forward", **evaluation})


def test_without_matplotlib_the_tables_stand_and_the_page_says_why(
    report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    html = page(report).decode()
    assert "<svg" not in html
    assert "cripto[report]" in html
    assert "Verdicts" in html


def test_long_lists_of_assets_are_drawn_as_far_as_they_can_be_read() -> None:
    drawing = figures.assets(report_of(4, coins=figures.SHOWN + 20)["models"])
    assert len(re.findall(r">C\d+<", drawing)) <= figures.SHOWN
