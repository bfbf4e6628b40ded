"""What a service remembers of its work: problems, refusals and counts, shared between threads."""

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import get_args

from cripto.errors import CriptoError, NoRelease, ReleaseRefused
from cripto.forecasting.status import Part, Problem, Refusal, Status

__all__ = ["Journal"]

_LOG = logging.getLogger(__name__)
_ORDER = get_args(Part)


class Journal:
    """Entries only, no decisions. Counts only rise; a problem stays until its part is well again."""

    def __init__(self, empty: Status) -> None:
        self._status = empty
        self._lock = Lock()

    @property
    def status(self) -> Status:
        """Problems, refusals and counts as they are now; the rest as it was given."""
        return self._status

    def computed(self, count: int) -> None:
        """Count forecasts that were worked out."""
        self._change(lambda status: replace(status, computations=status.computations + count))

    def looked(self) -> None:
        """Count a look for news."""
        self._change(lambda status: replace(status, refreshes=status.refreshes + 1))

    def note(self, part: Part, error: Exception) -> None:
        """Keep why ``part`` could not be renewed; one log line for a fault that lasts, however often it is met."""
        known = {problem.part: repr(problem.error) for problem in self._status.problems}
        missing = isinstance(error, NoRelease)

        def change(status: Status) -> Status:
            others = tuple(problem for problem in status.problems if problem.part != part)
            refused = status.refused
            if part == "release" and isinstance(error, ReleaseRefused):
                refused = (Refusal(error.release, error.reason),)
            elif missing:
                refused = ()
            return replace(
                status,
                problems=tuple(sorted((*others, Problem(part, error)), key=lambda one: _ORDER.index(one.part))),
                refused=refused,
                release_failures=status.release_failures + (part == "release" and not missing),
                candle_failures=status.candle_failures + (part == "candles"),
            )

        self._change(change)
        if known.get(part) != repr(error):
            # what we raise ourselves needs no traceback
            unforeseen = None if isinstance(error, CriptoError) else error
            interval = self._status.interval
            _LOG.warning("the %s of %s could not be renewed: %s", part, interval, error, exc_info=unforeseen)

    def forget(self, part: Part) -> None:
        """``part`` is well."""
        self._change(
            lambda status: replace(
                status, problems=tuple(problem for problem in status.problems if problem.part != part)
            )
        )

    def refusal(self, release: str) -> Refusal | None:
        """Why the release of that name was refused, if it was."""
        return next((item for item in self._status.refused if item.release == release), None)

    def wanted(self, release: str) -> None:
        """The release of that name is to be served: that the pointer or any other was refused is history."""
        self._change(
            lambda status: replace(
                status, refused=tuple(item for item in status.refused if item.release == release)
            )
        )

    def taken_up(self) -> None:
        """What is to be served is."""
        self._change(lambda status: replace(status, refused=()))

    def _change(self, change: Callable[[Status], Status]) -> None:
        with self._lock:
            self._status = change(self._status)
