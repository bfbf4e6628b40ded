"""``cripto predict``: the API's answers, in the terminal."""

import json
from typing import Annotated, Any

import typer

from cripto.cli.console import errors, output, print_json, table
from cripto.cli.exits import exit_code
from cripto.cli.options import AsJson, OfInterval
from cripto.cli.wiring import installation
from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import CallerError, CriptoError

__all__ = ["predict"]


def predict(
    assets: Annotated[list[str], typer.Argument(metavar="ATIVO...", help="Asset symbols: BTC ETH.")],
    interval: OfInterval = None,
    as_json: AsJson = False,
) -> None:
    """Print the predictions for some assets, by the same release and candles as the API serves.

    Below a price stands its 80 % range, where the release knows ranges; p is the probability of a rise.
    An asset that cannot be predicted is named on standard error, and the others are printed all the same.
    """
    service = installation(interval).service
    service.load()
    answers: list[dict[str, Any]] = []
    failures: list[tuple[str, CriptoError]] = []
    for asset in assets:
        try:
            answers.append(json.loads(service.answer(asset).body))
        except CallerError as error:
            failures.append((asset, error))
    if as_json:
        print_json(
            {"predictions": answers, "errors": [{"ativo": asset, "error": str(e)} for asset, e in failures]}
        )
    else:
        rows = table("ativo", "preco>", *(f"{name}>" for name in MODEL_NAMES), "alvo", "situacao")
        for answer in answers:
            rows.add_row(
                answer["ativo"],
                f"{answer['candle']['preco']:g} {answer['cotacao']}",
                *(_cell(answer["modelos"].get(name)) for name in MODEL_NAMES),
                answer["alvo"],
                answer["dados"]["situacao"],
            )
        if answers:
            output.print(rows)
        for asset, failure in failures:
            errors.print(f"{asset!r}: {failure}", markup=False)
    if failures:
        raise typer.Exit(exit_code(failures[0][1]))


def _cell(model: dict[str, Any] | None) -> str:
    if model is None:
        return "-"
    if model["tipo"] == "regressor":
        told = f"{model['predicao']:g} ({model['variacao']:+.2%})"
        around = model.get("faixa")
        return told if around is None else f"{told}\n{around['minimo']:g} - {around['maximo']:g}"
    return f"{model['predicao']} (p={model['probabilidade']:.3f})"
