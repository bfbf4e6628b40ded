"""Exit codes: one table from the branches of the error tree."""

from cripto.errors import CallerError, CriptoError, RetryLater

__all__ = ["CALLER", "FOUND", "LATER", "OPERATOR", "exit_code"]

FOUND = 1
"""The command ran to its end and found something wrong."""
CALLER = 2
"""The request must be changed; also what a misspelt option gives."""
OPERATOR = 3
"""The installation must be changed."""
LATER = 75
"""Try again later (the ``EX_TEMPFAIL`` of sysexits)."""


def exit_code(error: CriptoError) -> int:
    """The code a command ends with when ``error`` ended it."""
    if isinstance(error, CallerError):
        return CALLER
    return LATER if isinstance(error, RetryLater) else OPERATOR
