"""The sums of the cost estimate add up."""

import re
from decimal import Decimal
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "infrastructure.md"


def test_the_estimate_adds_up() -> None:
    table = PAGE.read_text().split("| a month, USD |")[1].split("\n\n")[0]
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    amounts = {row[0]: [Decimal(*(re.findall(r"^[\d.]+", cell) or ["0"])) for cell in row[1:]] for row in rows}
    parts = [row for name, row in amounts.items() if name not in {"sum", "meant for"} and set(name) != {"-"}]
    assert len(parts) == 8
    assert [sum(column) for column in zip(*parts, strict=True)] == amounts["sum"]
