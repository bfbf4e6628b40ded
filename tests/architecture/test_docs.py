"""Documentation fails the build when it lies: what exists has its heading, and what has a heading exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cripto.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def headings(name: str) -> set[str]:
    text = (DOCS / name).read_text()
    return {code for line in re.findall(r"^#+ (.*)$", text, re.M) for code in re.findall(r"`([^`]+)`", line)}


def test_no_page_holds_both_sides_of_a_merge() -> None:
    pages = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]
    assert len(pages) > 20
    marked = re.compile(r"^(<{7}|>{7})( |$)", re.M)
    assert [page.name for page in pages if marked.search(page.read_text())] == []


def test_each_setting_has_a_heading_and_each_heading_a_setting() -> None:
    settings = {Settings.variable(field) for field in Settings.model_fields}
    found = headings("configuration.md")
    assert settings <= found
    assert {name for name in found - settings if not name.startswith("AWS_")} == set()


def test_each_setting_shows_its_default() -> None:
    text = (DOCS / "configuration.md").read_text()
    for name, field in Settings.model_fields.items():
        if field.default not in (None, True, False):
            default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
            section = text.split(f"### `{Settings.variable(name)}`")[1].split("###")[0]
            assert f"`{default}`" in section, name


def test_each_error_the_api_tells_has_a_heading() -> None:
    from cripto.serving.errors import INTERNAL_ERROR, TABLE

    assert {row.slug for row in TABLE.values()} | {INTERNAL_ERROR.slug} <= headings("api.md")


def test_each_route_has_a_heading() -> None:
    import json

    paths = json.loads((DOCS / "openapi.json").read_text())["paths"]
    assert {f"GET {path}" for path in paths} <= headings("api.md")


def test_each_metric_has_a_heading_and_each_heading_a_metric() -> None:
    from cripto.domain.clock import SystemClock
    from cripto.forecasting import PredictionService
    from cripto.market.lake import open_lake
    from cripto.registry import ReleaseRegistry
    from cripto.serving.metrics import Metrics
    from cripto.serving.services import Services
    from cripto.storage import MemoryStore

    clock = SystemClock()
    service = PredictionService(ReleaseRegistry(MemoryStore()), open_lake("memory://"), clock=clock, interval="1d")
    exported = set(re.findall(r"^# TYPE (\S+) ", Metrics(Services(service), clock).render().decode(), re.M))
    found = {name for name in headings("metrics.md") if name.startswith("cripto_")}
    assert {name for name in exported if name.startswith("cripto_")} == found


@pytest.mark.parametrize("name", ["README.md", "README.pt-BR.md", *(path.name for path in DOCS.glob("*.md"))])
def test_every_relative_link_leads_somewhere(name: str) -> None:
    folder = DOCS.parent if name.startswith("README") else DOCS
    text = (folder / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (folder / target).exists(), target


@pytest.mark.parametrize("path", [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")], ids=lambda path: path.name)
def test_no_mark_of_a_merge_is_left(path: Path) -> None:
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    assert [line for line in path.read_text().splitlines() if line.startswith(marks)] == []


def test_each_decision_names_what_enforces_it() -> None:
    decisions = [path for path in (DOCS / "adr").glob("*.md") if path.name != "template.md"]
    assert decisions
    for path in decisions:
        enforced = re.search(r"^- Enforced by: (.+)$", path.read_text(), re.M)
        assert enforced, path.name
        for target in re.findall(r"`(tests/[^`:]+?\.py)", enforced[1]):
            assert (DOCS.parent / target).exists(), (path.name, target)


COMMANDS = sorted(
    {
        line.strip()
        for page in [*DOCS.parent.glob("README*.md"), *DOCS.glob("*.md")]
        for block in re.findall(r"```(?:bash|sh)\n(.*?)```", page.read_text(), re.S)
        for line in re.findall(r"^(?:\S+=\S+ )*(?:\S+/)?cripto (.*?)(?:\s+#.*|\s+\|\|?.*|\s+&.*)?$", block, re.M)
    }
)


def test_the_pages_show_commands() -> None:
    assert len(COMMANDS) > 12


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_a_page_shows_exists_with_its_options(line: str) -> None:
    from cripto.cli.app import build

    words = line.split()
    command: Any = typer.main.get_command(build())
    while inner := getattr(command, "commands", None):
        assert words, f"cripto {line} is a group, not a command"
        command = inner.get(words.pop(0))
        assert command is not None, f"cripto {line}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = {word.split("=")[0] for word in words if word.startswith("--")}
    assert options <= known | {"--help"}, f"cripto {line}"
