"""Reloads asked for over HTTP: one at a time, not too often, and what came of the last one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import Lock

from cripto.domain.clock import Clock
from cripto.forecasting import Status
from cripto.serving.aside import aside
from cripto.serving.metrics import Metrics
from cripto.serving.services import Services

__all__ = ["ReloadResult", "Reloader"]


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What a reload came to, by interval: what was served when it ended, and why those failed that did."""

    ended: datetime
    statuses: Mapping[str, Status]
    failures: Mapping[str, Exception]


class Reloader:
    """Single-flight reloads: whoever asks during one gets its result, and so does who asks too soon after it.

    ``announce`` is called after each in which an interval's succeeded, on its thread. One whose default interval
    failed has failed.
    """

    def __init__(
        self,
        services: Services,
        clock: Clock,
        metrics: Metrics,
        min_seconds: float,
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        self._services = services
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
            failures = await aside(self._attempt)
            self._metrics.reload(failed=self._services.default.interval.name in failures)
            self._last = ReloadResult(self._clock.now(), self._services.statuses(), failures)
            return self._last

    def _attempt(self) -> dict[str, Exception]:
        failures = self._services.load()
        if len(failures) < len(self._services.by_interval):
            self._announce()
        return failures

    def _is_recent(self, last: ReloadResult) -> bool:
        # a clock that was set back must not forbid reloads until it has caught up
        return timedelta(0) <= self._clock.now() - last.ended < self._wait
