"""The command tree, and what happens when a command ends in an error."""

from importlib.metadata import version
from typing import Annotated

import typer

from cripto.cli import candles, doctor, evaluate, models, predict, serve, train, up
from cripto.cli.ending import told

__all__ = ["build", "run"]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(version("cripto"))
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train, publish, check and serve predictions for any crypto asset.

    Settings come from the environment; docs/configuration.md lists them.
    """


def build() -> typer.Typer:
    """Return the whole command tree."""
    app = typer.Typer(
        name="cripto",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    app.command("up")(up.up)
    app.add_typer(candles.build(), name="candles")
    app.command("train")(train.train)
    app.command("evaluate")(evaluate.evaluate)
    app.add_typer(models.build(), name="models")
    app.command("predict")(predict.predict)
    app.command("serve")(serve.serve)
    app.command("doctor")(doctor.doctor)
    return app


def run() -> None:
    """Run the command line and exit with the code that `cripto.cli.exits` gives the outcome."""
    with told():
        build()()
