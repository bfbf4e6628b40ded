from pathlib import Path

import pytest

from cripto.features import default_spec
from cripto.features.kinds import KINDS, lookback_of

PAGE = Path(__file__).parents[3] / "docs" / "features.md"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_row_with_columns_lookbacks_and_formula(kind: str) -> None:
    columns = [feature for feature in default_spec().features if feature.kind == kind]
    listed = ", ".join(f"`{feature.name}` ({lookback_of([feature])})" for feature in columns)
    row = f"| `{kind}` | {listed} | {KINDS[kind].formula.replace('``', '`')} |"
    assert row in PAGE.read_text().splitlines(), f"docs/features.md lacks the row: {row}"


def test_the_page_lists_no_kind_that_is_gone() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(KINDS)


def test_the_page_says_how_many_features_and_candles_there_are() -> None:
    spec = default_spec()
    assert (
        f"{len(spec.features)} numbers computed from its last {spec.lookback} closed candles" in PAGE.read_text()
    )
