"""Candles in, feature rows out: the one builder that training and serving share."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.errors import InvalidInput
from cripto.features._candles import Rows, read_candles
from cripto.features._window import Array, Window
from cripto.features.kinds import KINDS, Kind, lookback_of
from cripto.features.spec import FORMULAS_VERSION

__all__ = [
    "LIMIT",
    "ROWS_AT_ONCE",
    "build_features",
    "check_spec",
    "exact_features",
    "latest_features",
    "latest_matrix",
]

LIMIT = 1e6
"""No feature is further from zero than this; nothing but a broken market comes near."""

ROWS_AT_ONCE = 16_384
"""Rows reduced together: small enough for the processor's cache. No bit depends on it."""


def check_spec(spec: FeatureSpec, kinds: Mapping[str, Kind] = KINDS) -> None:
    """Raise `InvalidInput` unless this builder knows the spec: its version, kinds, parameters and lookback."""
    if spec.version != FORMULAS_VERSION:
        raise InvalidInput(f"feature formulas of version {spec.version} are not known, only {FORMULAS_VERSION}")
    needed = lookback_of(spec.features, kinds)
    if needed != spec.lookback:
        raise InvalidInput(f"the feature spec declares a lookback of {spec.lookback} candles and needs {needed}")


def build_features(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
    """One row per candle: ``symbol``, ``time`` (UTC open) and ``spec.names`` as Float64, by symbol and time.

    ``candles`` holds one series per symbol in any row order, with the columns symbol, time, open, high, low, close
    and volume; others are ignored. All features of a row are null unless its last ``spec.lookback`` candles are
    there, one ``interval`` apart; otherwise none is null, NaN or infinite. Values depend on those candles alone,
    are rounded to float32 and lie within `LIMIT`. Raises `InvalidInput` for candles that cannot be used
    (`cripto.features._candles.read_candles` lists why) and for a spec that `check_spec` refuses.
    """
    check_spec(spec)
    rows = read_candles(candles, interval)
    return _table(rows.keys, exact_features(rows, spec), spec)


def latest_features(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
    """The last row of each symbol of `build_features`, bit for bit, reducing no more candles than that takes."""
    rows, newest, values = _latest(candles, spec, interval)
    return _table(rows.keys[newest], values, spec)


def latest_matrix(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> tuple[list[str], Array]:
    """The same without a table: symbols in order, and float64 of shape (symbols, features), NaN for null."""
    rows, newest, values = _latest(candles, spec, interval)
    return rows.keys["symbol"].gather(newest.tolist()).to_list(), np.ascontiguousarray(_rounded(values).T)


def _latest(
    candles: pl.DataFrame, spec: FeatureSpec, interval: Interval
) -> tuple[Rows, npt.NDArray[np.intp], Array]:
    """Rows, which of them are the last of a symbol, and those ones' features, not yet rounded."""
    check_spec(spec)
    rows = read_candles(candles, interval).cut_to_last(spec.lookback)
    newest = np.flatnonzero(rows.last)
    return rows, newest, exact_features(rows, spec)[:, newest]


def _rounded(values: Array) -> Array:
    """``values``, rounded in place: there may be gigabytes of them."""
    # float32, as the trees of scikit-learn see them: the same branch of every split everywhere. Adding 0 makes
    # one zero of two.
    np.copyto(values, values.astype(np.float32))
    values += 0.0
    return values


def _table(keys: pl.DataFrame, values: Array, spec: FeatureSpec) -> pl.DataFrame:
    """The table of ``values``, which it rounds in place."""
    _rounded(values)
    columns = [
        pl.Series(name, column, pl.Float64, nan_to_null=True)
        for name, column in zip(spec.names, values, strict=True)
    ]
    return pl.DataFrame([*keys.get_columns(), *columns])


def exact_features(
    rows: Rows, spec: FeatureSpec, kinds: Mapping[str, Kind] = KINDS, rows_at_once: int = ROWS_AT_ONCE
) -> Array:
    """Unrounded features, shape (features, rows); NaN in rows whose window is not complete."""
    before = spec.lookback - 1
    complete: npt.NDArray[np.bool_] = rows.run >= before
    values = np.full((len(spec.features), len(rows.run)), np.nan)
    for start in range(0, len(rows.run), rows_at_once):
        stop = start + rows_at_once
        if not complete[start:stop].any():
            continue
        first = max(0, start - before)
        window = Window(rows.candles[first:stop])
        chunk = values[:, start:stop]
        for place, feature in enumerate(spec.features):
            chunk[place] = kinds[feature.kind].reduce(window, *feature.params)[start - first :]
        np.minimum(np.maximum(chunk, -LIMIT, out=chunk), LIMIT, out=chunk)
        chunk[:, ~complete[start:stop]] = np.nan
    return values
