"""The model card of a release: one page that says what it is, what it scored and what it must not be used for."""

from collections.abc import Mapping
from typing import Any, Final

from cripto.domain.clock import rfc3339
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.proofs import Proofs
from cripto.training.scores.resampling import LEVEL
from cripto.training.verdict import MINIMUM_DAYS, PARTS_POSITIVE, SKILL_DAYS, SKILL_LEVEL, STRICT_LEVEL

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
Scored on {test_rows:,} rows from {test_first} to {test_last} in {folds} folds that follow one another, each \
fitted on earlier rows alone ({embargo} candle(s) left out in between, {window} window); \
then fitted again on everything. Seed {seed}.

## Scores, walking forward

| model | skill | {level} interval | score | strongest baseline | direction | verdict |
|---|---|---|---|---|---|---|
{table}

Regressors: RMSE of log returns. Classifiers: Brier score. Skill is one minus the model's loss over that of its \
strongest baseline: 0 is what needs no model. Intervals are from blocks of days drawn again.
`indícios` needs the lower end of the {strict} interval above zero, {days} days and most folds better than the \
baseline; `habilidade` also that of {strictest}, {skill_days} days, {positive} of the folds and the newest; \
everything else is `sem habilidade`.

## Proofs

{proofs}

## Limits

- One history is one draw. What worked in it may have stopped working; who chose these models knew most of it.
- {calibration}
- Fees, spreads and slippage are in none of these numbers. This is not investment advice.
- Assets unlike those it was fitted on, and moves larger than any it saw, are extrapolation.
"""


def model_card(
    release: str,
    interval: str,
    lookback: int,
    training: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    proofs: Proofs,
) -> bytes:
    """The card in Markdown, from the manifest's own ``training`` and ``proofs`` and the models' ``metrics``."""
    folds = training["walk_forward"]["folds"]
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
        test_rows=sum(fold["test"]["rows"] for fold in folds),
        test_first=folds[0]["test"]["first"],
        test_last=folds[-1]["test"]["last"],
        folds=len(folds),
        window=training["walk_forward"]["window"],
        embargo=folds[0]["embargo_candles"],
        seed=training["seed"],
        table="\n".join(_line(name, metrics[name]) for name in MODEL_NAMES),
        level=f"{LEVEL:.0%}",
        strict=f"{STRICT_LEVEL:.0%}",
        strictest=f"{SKILL_LEVEL:.1%}",
        days=MINIMUM_DAYS,
        skill_days=SKILL_DAYS,
        positive=f"{PARTS_POSITIVE:.0%}",
        calibration=_calibration(training["calibration"], metrics),
        proofs=_proofs(proofs),
    ).encode()


def _line(name: str, metrics: Mapping[str, Any]) -> str:
    regressor = metrics["tipo"] == "regressor"
    score, direction = ("rmse", "directional_accuracy") if regressor else ("brier", "accuracy")
    baseline = metrics["baseline"]
    cells = (
        name,
        _number(metrics["skill"], "+.4f"),
        _interval(metrics["intervals"]["skill"]),
        f"{score} {_number(metrics[score], '.5f')}",
        f"{baseline['name']} {_number(baseline[score], '.5f')}",
        f"{_number(metrics[direction], '.4f')} (baseline {_number(baseline[direction], '.4f')})",
        metrics["verdict"] if metrics["reason"] is None else f"{metrics['verdict']}: {metrics['reason']}",
    )
    return f"| {' | '.join(cells)} |"


def _calibration(fitted: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """What probabilities and ranges are worth, in a sentence or two."""
    if not fitted["fitted"]:
        return "Probabilities are not calibrated and prices have no range: there was too little to fit them to."
    found = [
        f"{100 * level['covered']:.1f} % of prices lay in the {level['level']:.0%} range of {name}"
        for name in MODEL_NAMES
        for level in metrics[name].get("coverage") or ()
    ]
    errors = [
        f"{name} {metrics[name]['ece']:.4f}"
        for name in MODEL_NAMES
        if name in fitted["fitted"] and "ece" in metrics[name]
    ]
    said = f"Expected calibration error, walking forward: {', '.join(errors)}." if errors else ""
    held = f" Walking forward, {'; '.join(found)}." if found else ""
    return f"{said}{held} Both are of many forecasts together, and of the past.".strip()


def _proofs(proofs: Proofs) -> str:
    """What was shown before this was published, a line each."""
    ahead, cut, warm = proofs.look_ahead, proofs.forecasts, proofs.warm_up
    return "\n".join(
        (
            f"- Look-ahead: candles after {len(ahead.cuts)} times taken away or replaced, {ahead.rows:,} rows of"
            f" {ahead.assets} assets the same to the last bit; all candles after {rfc3339(cut.cut)} taken away,"
            f" features and targets of {cut.known:,} rows and the forecasts of {cut.rows:,} the same.",
            f"- Warm-up: {warm.rows:,} rows the same from their last {warm.candles} candles alone.",
            f"- Determinism: {proofs.determinism.how}.",
        )
    )


def _interval(value: list[float] | None) -> str:
    return "none" if value is None else f"{value[0]:+.4f} to {value[1]:+.4f}"


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)
