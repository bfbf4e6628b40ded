"""The command line: the composition root. Reads settings, wires, prints; no logic."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; the console script ``cripto``."""
    from cripto.cli.app import run

    run()
