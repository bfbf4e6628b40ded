"""The line per request, where one is wanted. Nothing a caller wrote reaches it: routes are templates."""

import logging

__all__ = ["RequestLog"]

_ACCESS = logging.getLogger("cripto.access")


class RequestLog:
    """Writes a line for each request if ``enabled``."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled

    def write(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered; ``method`` is one that HTTP knows, ``route`` a template."""
        if self.enabled:
            _ACCESS.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": method,
                    "route": route,
                    "status": status,
                    "milliseconds": round(seconds * 1000, 3),
                },
            )
