"""The documentation's tables come from the file of figures, and say what is missing."""

from typing import Any

from benchmarks.serving.bench import Table
from benchmarks.serving.machine import Neighbours
from benchmarks.serving.report import markdown
from benchmarks.serving.targets import judge

RESULT: dict[str, Any] = {
    "date": "2026-11-25T10:00:00Z",
    "source": None,
    "machine": {
        "cpu": "A processor",
        "cores": 2,
        "kernel": "6",
        "python": "3.11",
        "versions": {"uvicorn": "0.54"},
    },
    "settings": {"rounds": 5, "seconds": 3},
    "measurements": {"memory": {"resident_mb": {"ours": {"at the first answer": 200.0, "after load": 240.4}}}},
    "neighbours": {"memory": 0.42},
    "left_out": {"on-demand": "no such setting"},
    "unmeasured": {"flood": "the server ended"},
    "targets": judge({}),
}


def test_markdown_tells_figures_machine_and_what_is_missing() -> None:
    text = markdown(RESULT)
    assert "| ours | 200 | 240 |" in text
    for part in (
        "A processor",
        "uvicorn 0.54",
        "memory 42%",
        "no such setting",
        "the server ended",
        "not measured",
    ):
        assert part in text


def test_a_table_keeps_its_columns() -> None:
    table = Table("Title", ["", "a", "b"], [["one", "1", "20"], ["a longer one", "300", ""]], ["A note."])
    assert table.text().splitlines() == [
        "",
        "Title",
        "                a   b",
        "one             1  20",
        "a longer one  300",
        "A note.",
    ]
    assert table.markdown().splitlines()[2:6] == [
        "|  | a | b |",
        "| --- | ---: | ---: |",
        "| one | 1 | 20 |",
        "| a longer one | 300 |  |",
    ]


def test_neighbours_are_a_share() -> None:
    assert 0.0 <= Neighbours().share() <= 1.0
