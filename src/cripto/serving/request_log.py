"""What is told of each request that was answered: a line, where one is wanted, and its trace, where one is taken.

Nothing a caller wrote reaches either, save a request id that is a sane one: routes are templates.
"""

import logging

from cripto.serving.tracing import Traces

__all__ = ["RequestLog"]

_ACCESS = logging.getLogger("cripto.access")


class RequestLog:
    """Writes a line for each request if ``enabled``, with the id of its trace if ``traces`` take one of it.

    The attribute ``enabled`` says whether there is anybody to tell, to who would rather not call for nothing.
    """

    def __init__(self, *, enabled: bool, traces: Traces | None = None) -> None:
        self.enabled = enabled or traces is not None
        self._lines = enabled
        self._traces = traces

    def write(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered; ``method`` is one that HTTP knows and ``route`` a template, or ``other``."""
        trace_id = None if self._traces is None else self._traces.answered(request_id, method, route, status)
        if self._lines:
            said: dict[str, str | int | float] = {
                "request_id": request_id,
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 3),
            }
            if trace_id is not None:
                said["trace_id"] = trace_id
            _ACCESS.info("request", extra=said)
