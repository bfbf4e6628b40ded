"""How a command ends: what it cannot do is told in one line, and by its exit code."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cripto.cli.exits import exit_code
from cripto.errors import CriptoError

__all__ = ["told"]


@contextmanager
def told() -> Iterator[None]:
    """Exit with the code that `cripto.cli.exits` gives an error of ours, after one line on standard error."""
    # what a command cannot do is told once, below; only a server's log says it as well
    logging.getLogger("cripto").addHandler(logging.NullHandler())
    try:
        yield
    except CriptoError as error:
        sys.stderr.write(f"cripto: {error}\n")
        sys.exit(exit_code(error))
    except BrokenPipeError:
        # the reader of our output is gone, as with `| head`; that is no fault
        sys.stderr.close()
        sys.exit(0)
