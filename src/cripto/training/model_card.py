"""The model card of a release: one page that says what it is, what it scored and what it must not be used for."""

from collections.abc import Mapping
from typing import Any, Final

from cripto.domain.model_name import MODEL_NAMES

__all__ = ["MODEL_CARD_FILE", "model_card"]

MODEL_CARD_FILE: Final = "model-card.md"
"""Name of the model card in a release."""

_CARD: Final = """\
# Release {release}

Five scikit-learn models that say, from the last {lookback} candles of an asset, where the next {interval} candle \
will close: three regressors (the log return) and two classifiers (whether it rises).

## Data

{rows:,} rows of {assets} assets, candles opened {first} to {last}, version {version} of the candle lake; \
sources: {sources}.
Scored on {test_rows:,} rows from {test_first} to {test_last}, which the scored fits never saw \
({train_rows:,} rows before them, {embargo} candle(s) left out in between); \
then fitted again on everything. Seed {seed}.

## Scores on the hold-out

| model | skill | standard errors | score | baseline | direction | verdict |
|---|---|---|---|---|---|---|
{table}

Regressors: RMSE of log returns, against "the price stays". Classifiers: Brier score, against the share of rises \
in the training rows. Skill is one minus the model's loss over the baseline's: 0 is what needs no model. \
`indícios` needs a daily advantage {evidence:g} standard errors above zero; everything else is `sem habilidade`.

## Limits

- One hold-out is one draw of history. What worked there may have stopped working.
- Probabilities are not calibrated; prices come without a range.
- Fees, spreads and slippage are in none of these numbers. This is not investment advice.
- Assets unlike those it was fitted on, and moves larger than any it saw, are extrapolation.
"""


def model_card(
    release: str,
    interval: str,
    lookback: int,
    training: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    evidence: float,
) -> bytes:
    """The card in Markdown, from the manifest's own ``training`` and the models' ``metrics``."""
    train, test = training["hold_out"]["train"], training["hold_out"]["test"]
    return _CARD.format(
        release=release,
        interval=interval,
        lookback=lookback,
        rows=training["rows"],
        assets=len(training["assets"]),
        first=training["first"],
        last=training["last"],
        version=training["candles"]["version"],
        sources=", ".join(training["candles"]["sources"]),
        test_rows=test["rows"],
        test_first=test["first"],
        test_last=test["last"],
        train_rows=train["rows"],
        embargo=training["hold_out"]["embargo_candles"],
        seed=training["seed"],
        table="\n".join(_line(name, metrics[name]) for name in MODEL_NAMES),
        evidence=evidence,
    ).encode()


def _line(name: str, metrics: Mapping[str, Any]) -> str:
    regressor = metrics["tipo"] == "regressor"
    score, direction = ("rmse", "directional_accuracy") if regressor else ("brier", "accuracy")
    baseline = metrics["baseline"]
    cells = (
        name,
        _number(metrics["skill"], "+.4f"),
        _number(metrics["standard_errors"], "+.1f"),
        f"{score} {_number(metrics[score], '.5f')}",
        _number(baseline[score], ".5f"),
        f"{_number(metrics[direction], '.4f')} (baseline {_number(baseline[direction], '.4f')})",
        metrics["verdict"] if metrics["reason"] is None else f"{metrics['verdict']}: {metrics['reason']}",
    )
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)
