"""Reloads asked for over HTTP: one at a time, not too often, and what came of the last one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import Lock

from cripto.domain.clock import Clock
from cripto.forecasting import PredictionService, Status
from cripto.serving.aside import aside
from cripto.serving.metrics import Metrics

__all__ = ["ReloadResult", "Reloader"]


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What a reload came to: what was served when it ended, and why it failed if it did."""

    ended: datetime
    status: Status
    error: Exception | None


class Reloader:
    """Single-flight reloads: whoever asks during one gets its result, and so does who asks too soon after it.

    ``announce`` is called after each that succeeded, on its thread.
    """

    def __init__(
        self,
        service: PredictionService,
        clock: Clock,
        metrics: Metrics,
        min_seconds: float,
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        self._service = service
        self._clock = clock
        self._metrics = metrics
        self._wait = timedelta(seconds=min_seconds)
        self._announce = announce
        self._lock = Lock()
        self._last: ReloadResult | None = None

    async def reload(self) -> ReloadResult:
        """Reload off the event loop, or the result of the reload that just ended."""
        before = self._last
        async with self._lock:
            last = self._last
            if last is not None and (last is not before or self._is_recent(last)):
                return last
            error = await aside(self._attempt)
            self._metrics.reload(failed=error is not None)
            self._last = ReloadResult(self._clock.now(), self._service.status(), error)
            return self._last

    def _attempt(self) -> Exception | None:
        try:
            self._service.load()
        except Exception as error:  # whatever it is, what was served is served on
            return error
        self._announce()
        return None

    def _is_recent(self, last: ReloadResult) -> bool:
        # a clock that was set back must not forbid reloads until it has caught up
        return timedelta(0) <= self._clock.now() - last.ended < self._wait
