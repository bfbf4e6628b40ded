"""Options that several commands share."""

from typing import Annotated

import typer

__all__ = ["AsJson", "OfInterval", "Version"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

OfInterval = Annotated[str | None, typer.Option("--interval", help="Candle interval; CRIPTO_INTERVAL by default.")]

Version = Annotated[str, typer.Argument(metavar="VERSAO", help="Version of the release: YYYYMMDD-HHMM.")]
