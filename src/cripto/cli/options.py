"""Options that several commands share."""

from typing import Annotated

import typer

__all__ = ["AsJson", "Version"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

Version = Annotated[str, typer.Argument(metavar="VERSAO", help="Version of the release: YYYYMMDD-HHMM.")]
