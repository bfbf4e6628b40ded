"""``cripto doctor``: the seed's troubleshooting lists, run for the user."""

import typer

from cripto.cli.checks import GROUPS, every_check
from cripto.cli.console import output, print_json, table
from cripto.cli.exits import FOUND
from cripto.cli.options import AsJson, OfInterval
from cripto.cli.wiring import installation

__all__ = ["doctor"]

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def doctor(interval: OfInterval = None, as_json: AsJson = False) -> None:
    """Check what usually goes wrong: permissions, files, integrity, the server, resources, candles, predictions.

    Exit code 1 if a check failed.
    """
    checks = list(every_check(installation(interval)))
    if as_json:
        print_json({"checks": [check.to_json() for check in checks]})
    else:
        for group in GROUPS:
            rows = table("check", "outcome", "what was seen", title=f"when {group}")
            for check in checks:
                if check.group == group:
                    style = _STYLES[check.outcome]
                    rows.add_row(check.name, f"[{style}]{check.outcome}[/]", check.detail.replace("[", r"\["))
                    if check.remedy:
                        rows.add_row("", "", f"-> {check.remedy}".replace("[", r"\["))
            output.print(rows, "")
    if any(check.outcome == "failed" for check in checks):
        raise typer.Exit(FOUND)
