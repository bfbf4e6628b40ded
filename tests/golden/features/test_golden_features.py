"""Features of committed candles equal the committed features: formulas do not drift between versions.

Made again by ``python -m tests.golden.features.regenerate``; a change of formulas is also a new
``cripto.features.FORMULAS_VERSION``, since releases in use were fitted on the old ones.
"""

import numpy as np
import polars as pl

from cripto.features import FORMULAS_VERSION, build_features, default_spec
from tests.golden.features.regenerate import CANDLES, FEATURES, INTERVAL, invented


def read_golden(path: object) -> pl.DataFrame:
    table = pl.read_csv(str(path), try_parse_dates=True)
    return table.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))


def test_the_committed_candles_are_the_invented_ones() -> None:
    assert read_golden(CANDLES).equals(invented())


def test_the_features_of_version_1_are_what_they_were() -> None:
    assert FORMULAS_VERSION == 1
    expected = read_golden(FEATURES)
    features = build_features(read_golden(CANDLES), default_spec(), INTERVAL).drop_nulls()
    assert features.columns == expected.columns
    assert features.select("symbol", "time").equals(expected.select("symbol", "time"))
    # One step of float32: another processor's logarithm may differ in its last bit before rounding.
    np.testing.assert_allclose(
        features[:, 2:].to_numpy(), expected[:, 2:].to_numpy().astype(np.float64), rtol=1.2e-7, atol=1e-9
    )


def test_the_golden_table_has_both_series_and_a_row_per_complete_window() -> None:
    rows = read_golden(FEATURES)
    assert rows.group_by("symbol", maintain_order=True).len().rows() == [("AAA", 5), ("ZZZ", 3)]
