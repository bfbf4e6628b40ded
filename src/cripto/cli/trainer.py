"""What trains before a server begins: ``python -m cripto.cli.trainer INTERVAL``.

Run by `train_apart` alone, for ``cripto up``: a server that had trained would hold the libraries and the memory of
it for as long as it serves. It shows what ``cripto train`` shows, and ends with its parent.
"""

import subprocess
import sys

__all__ = ["main", "train_apart"]


def train_apart(interval: str) -> int:
    """Train ``interval`` in a process of its own, which says itself what came of it; its exit code."""
    # the pipe is never written to: its end is how the process learns of ours, where the kernel does not tell it
    command = [sys.executable, "-m", "cripto.cli.trainer", interval]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 - our own module
        code = process.wait()
    if code < 0:
        sys.stderr.write(f"cripto: the training was ended by signal {-code}\n")
        return 128 - code
    return code


def main(interval: str) -> None:
    """Train, and show what came of it, as ``cripto train`` does."""
    from cripto.cli.ending import told
    from cripto.cli.lifeline import end_with_parent, end_with_stdin
    from cripto.cli.train import show, train_release
    from cripto.cli.wiring import installation

    if not end_with_parent():
        end_with_stdin()
    with told():
        show(train_release(installation(interval)))


if __name__ == "__main__":
    main(sys.argv[1])
