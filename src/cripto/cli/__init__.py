"""The command line: the composition root. Reads settings, wires, prints; no logic."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; the console script ``cripto``."""
    import os
    import sys

    from cripto.cli.cpus import cpu_limit, pin_threads

    pin_threads(os.environ, cpu_limit())
    if sys.argv[1:] == ["serve"]:
        # the one command that somebody waits for: a pod that starts. It has no options to parse.
        from cripto.cli.ending import told
        from cripto.cli.serve import serve

        with told():
            serve()
    else:
        from cripto.cli.app import run

        run()
