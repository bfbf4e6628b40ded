"""From windows to forecasts: features of all assets in one pass, five models in one batch.

One numeric layer serves one asset and thousands; nothing here knows of a clock but `restate`. Numbers are
rounded before anything is derived from them, so replicas on different CPUs answer with the same bytes: a price
to 10 significant digits, a change to 10 decimals, a probability to 9, a novelty to 4.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from cripto.domain.forecast import (
    ClassifierForecast,
    Forecast,
    ModelForecast,
    PriceRange,
    Provenance,
    RegressorForecast,
    state_at,
)
from cripto.domain.interval import parse_interval
from cripto.domain.model_name import tipo_of
from cripto.domain.ranges import LEVELS
from cripto.domain.steps import step
from cripto.errors import CriptoError, InvalidInput, ModelRefused, OperatorError
from cripto.features import latest_matrix
from cripto.forecasting._turns import in_turns
from cripto.forecasting.release import LoadedRelease
from cripto.forecasting.runtime import Matrix
from cripto.forecasting.windows import Window, candles_of

__all__ = ["forecast_windows", "restate"]

_PRICE_DIGITS = 10
_CHANGE_DECIMALS = 10
_PROBABILITY_DECIMALS = 9
_NOVELTY_DECIMALS = 4


def forecast_windows(
    release: LoadedRelease, windows: Sequence[Window], now: datetime
) -> dict[str, Forecast | CriptoError]:
    """Forecast every window in one batch; by symbol, a forecast or what is wrong with its numbers.

    Raises `ModelRefused` if a model fails as a whole.
    """
    results: dict[str, Forecast | CriptoError] = {}
    rows: list[Matrix] = []
    usable: list[Window] = []
    with step("features", assets=len(windows)):
        found = list(_feature_rows(release, windows))
    for window, row in found:
        if isinstance(row, CriptoError):
            results[window.symbol] = row
        else:
            rows.append(row)
            usable.append(window)
    if not usable:
        return results
    numbers = _numbers(release, np.vstack(rows))
    for window, values in in_turns(zip(usable, numbers, strict=True)):
        try:
            results[window.symbol] = _forecast(release, window, values, now)
        except ModelRefused as error:
            results[window.symbol] = error
    return results


def restate(forecast: Forecast, now: datetime) -> Forecast:
    """The same forecast as it is told at ``now``: how many candles have closed since, and so its state.

    A clock behind the last candle's close counts none.
    """
    provenance = forecast.provenance
    situacao, missed = state_at(provenance.situacao, forecast.closed, parse_interval(forecast.interval), now)
    return replace(forecast, provenance=replace(provenance, situacao=situacao, missed=missed))


def _feature_rows(
    release: LoadedRelease, windows: Sequence[Window]
) -> Iterator[tuple[Window, Matrix | CriptoError]]:
    """Each window with its row of features, shape (1, features), or with what is wrong with its candles."""
    try:
        yield from zip(windows, _features(release, windows), strict=True)
    except InvalidInput as error:
        if len(windows) == 1:
            # the lake holds a candle that validation would have refused: no request can help that
            yield windows[0], OperatorError(f"candles in the lake cannot be used: {error}")
            return
        for window in windows:
            yield from _feature_rows(release, [window])


def _features(release: LoadedRelease, windows: Sequence[Window]) -> list[Matrix]:
    spec = release.features
    if not windows:
        return []
    # sorted by symbol, as the builder gives its rows back
    ordered = sorted(windows, key=lambda window: window.symbol)
    symbols, matrix = latest_matrix(candles_of(ordered), spec, release.interval)
    rows = {symbol: matrix[place : place + 1] for place, symbol in enumerate(symbols)}
    return [rows[window.symbol] for window in windows]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row's numbers: outputs by model, half widths by regressor that has ranges, and novelty."""

    values: Mapping[str, float]
    half_widths: Mapping[str, Sequence[float]]
    novelty: float | None


def _numbers(release: LoadedRelease, matrix: Matrix) -> Iterator[_Row]:
    """The numbers of each row of ``matrix``, out of one batch."""
    with step("models", release=release.version, assets=len(matrix)):
        outputs = {name: column.tolist() for name, column in release.predict(matrix).items()}
        widths = {name: column.T.tolist() for name, column in release.half_widths(matrix).items()}
        novelty = None if release.novelty is None else release.novelty.of(matrix).tolist()
    for place in range(len(matrix)):
        yield _Row(
            {name: column[place] for name, column in outputs.items()},
            {name: column[place] for name, column in widths.items()},
            None if novelty is None else novelty[place],
        )


def _forecast(release: LoadedRelease, window: Window, row: _Row, now: datetime) -> Forecast:
    models: list[ModelForecast] = []
    for model in release.models:
        value = row.values[model.name]
        if tipo_of(model.name) == "regressor":
            half_widths = row.half_widths.get(model.name, ())
            models.append(_regressor(model.name, model.version, window.price, value, half_widths))
        else:
            models.append(_classifier(model.name, model.version, value, model.calibrated))
    forecast = Forecast(
        asset=window.symbol,
        quote=window.quote,
        interval=window.interval.name,
        opened=window.opened,
        closed=window.closed,
        price=window.price,
        target=window.interval.close_of(window.closed),
        release=release.version,
        models=tuple(models),
        provenance=Provenance(
            window.source, "amostra" if window.sample else "atual", 0, window.digest, window.pair, window.factor
        ),
        novelty=None if row.novelty is None else round(row.novelty, _NOVELTY_DECIMALS) + 0.0,
    )
    return restate(forecast, now)


def _regressor(
    name: str, version: str, close: float, log_return: float, half_widths: Sequence[float]
) -> RegressorForecast:
    try:
        price, change = close * math.exp(log_return), math.expm1(log_return)
        bounds = [
            (close * math.exp(log_return - width), close * math.exp(log_return + width)) for width in half_widths
        ]
    except OverflowError:
        price, change, bounds = math.inf, math.inf, []
    # written so that NaN, which fails every comparison, is refused too; a price of zero is an underflow
    if not 0.0 < price < math.inf:
        raise ModelRefused(name, "its forecast is not a price")
    ranges = tuple(
        PriceRange(level, _price(low), _price(high)) for level, (low, high) in zip(LEVELS, bounds, strict=False)
    )
    if not all(0.0 < item.low <= item.high < math.inf for item in ranges):
        raise ModelRefused(name, "its range is not one of prices")
    # adding zero turns a negative zero into the usual one
    return RegressorForecast(name, version, _price(price), round(change, _CHANGE_DECIMALS) + 0.0, ranges)


def _price(value: float) -> float:
    return float(f"{value:.{_PRICE_DIGITS}g}")


def _classifier(name: str, version: str, probability: float, calibrated: bool) -> ClassifierForecast:
    rounded = round(probability, _PROBABILITY_DECIMALS) + 0.0 if math.isfinite(probability) else math.nan
    if not 0.0 <= rounded <= 1.0:
        raise ModelRefused(name, "its forecast is not a probability")
    return ClassifierForecast(name, version, rounded, calibrated)
