"""What Prometheus reads. No label comes from a request: routes are templates, errors are slugs."""

from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from cripto.domain.clock import Clock
from cripto.serving.figures import Figures, figures_of
from cripto.serving.fleet import Fleet
from cripto.serving.services import Services

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# From an answer at hand (tens of microseconds) to a cold one behind a busy machine.
_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """The metrics of one application, in a registry of their own; with a ``fleet``, those of all its processes.

    Processes of a fleet count in files that they share: that takes three times as long as counting in memory.
    """

    def __init__(self, services: Services, clock: Clock, fleet: Fleet | None = None) -> None:
        # a second series per counter that only tells when this process began
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._services = services
        self._fleet = fleet
        self._registry = CollectorRegistry()
        # what is told: this registry, or what all processes have counted
        self._told = self._registry if fleet is None else CollectorRegistry()
        self._told.register(_ServiceCollector(self._figures, clock))
        if fleet is not None:
            values.ValueClass = values.MultiProcessValue(lambda: fleet.slot)  # type: ignore[no-untyped-call]
            collector = MultiProcessCollector(None, str(fleet.folder))  # type: ignore[no-untyped-call]
            self._told.register(collector)
        self._prediction_seconds = Histogram(
            "cripto_prediction_seconds",
            "Time to answer for one asset, worked out or at hand, refusals included.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._observe = self._prediction_seconds.observe
        self._prediction_errors = Counter(
            "cripto_prediction_errors",
            "Predictions refused or failed, by kind of error.",
            ["kind"],
            registry=self._registry,
        )
        self._requests = Counter(
            "cripto_http_requests",
            "HTTP requests answered, by route template, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        # looking a child up by its labels costs four times as much as counting
        self._counted: dict[tuple[str, str, int], Callable[[], None]] = {}
        self._reloads = Counter(
            "cripto_reloads", "Reloads asked for over HTTP and carried out.", registry=self._registry
        )
        self._reload_failures = Counter(
            "cripto_reload_failures", "Reloads asked for over HTTP that failed.", registry=self._registry
        )

    def known_method(self, method: str) -> str:
        """The method, or ``other`` for one that HTTP does not know."""
        return method if method in _METHODS else "other"

    def request(self, route: str, method: str, status: int) -> None:
        """Count an answered request; status 0 is one whose client or server left before an answer."""
        self.counter(route, method, status)()

    def counter(self, route: str, method: str, status: int) -> Callable[[], None]:
        """What counts such a request, for those who count many."""
        key = (route, self.known_method(method), status)
        count = self._counted.get(key)
        if count is None:
            count = self._counted[key] = self._requests.labels(route, key[1], str(status)).inc
        return count

    def prediction(self, seconds: float, assets: int = 1) -> None:
        """Count a prediction that took ``seconds``, or those of several ``assets`` that took it together."""
        if assets == 1:
            self._observe(seconds)
            return
        for _ in range(assets):
            self._observe(seconds / assets)

    def prediction_error(self, slug: str, assets: int = 1) -> None:
        """Count a prediction, or those of several ``assets``, that ended in the error called ``slug``."""
        self._prediction_errors.labels(slug).inc(assets)

    def reload(self, *, failed: bool) -> None:
        """Count a reload that was carried out."""
        self._reloads.inc()
        if failed:
            self._reload_failures.inc()

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._told)

    def tell(self) -> None:
        """Leave this process's figures to the others of its fleet, if it has one."""
        if self._fleet is not None:
            self._fleet.tell(self._own())

    def _figures(self) -> Figures:
        own = self._own()
        return own if self._fleet is None else self._fleet.figures(own)

    def _own(self) -> Figures:
        return figures_of(self._services.statuses().values())


class _ServiceCollector(Collector):
    """What the service knows anyway, read when it is asked for."""

    def __init__(self, figures: Callable[[], Figures], clock: Clock) -> None:
        self._figures = figures
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        told, now = self._figures(), self._clock.now().timestamp()
        yield GaugeMetricFamily(
            "cripto_models_loaded",
            "Models loaded and ready to predict, of the interval that has the fewest.",
            value=told.models,
        )
        info = GaugeMetricFamily(
            "cripto_release_info",
            "The release that is served, as labels; always 1.",
            labels=["release", "interval"],
        )
        age = _by_interval("cripto_release_age_seconds", "Age of the release that is served.")
        lag = GaugeMetricFamily(
            "cripto_candle_age_seconds",
            "Age of the last candle's close, of the freshest and of the stalest asset.",
            labels=["interval", "which"],
        )
        assets = _by_interval("cripto_assets", "Assets that have candles.")
        behind = _by_interval("cripto_assets_behind", "Assets that miss at least one candle.")
        gapped = _by_interval(
            "cripto_assets_with_gaps",
            "Assets that miss candles among the last ones, which a forecast looks back on.",
        )
        missing = _by_interval("cripto_candles_missing", "All the candles that these assets miss there.")
        for one in told.intervals:
            for release in one.releases:
                info.add_metric([release, one.interval], 1)
            if one.created is not None:
                age.add_metric([one.interval], max(0.0, now - one.created))
            for which, close in (("freshest", one.newest_close), ("stalest", one.oldest_close)):
                if close is not None:
                    lag.add_metric([one.interval, which], max(0.0, now - close))
            assets.add_metric([one.interval], one.assets)
            behind.add_metric([one.interval], one.behind)
            gapped.add_metric([one.interval], one.gapped)
            missing.add_metric([one.interval], one.missing)
        yield from (info, age, lag, assets, behind, gapped, missing)
        yield GaugeMetricFamily(
            "cripto_refused", "Releases, and model files without one, that are refused.", value=told.refused
        )
        yield CounterMetricFamily(
            "cripto_predictions_computed",
            "Forecasts worked out: one per release, asset and candle.",
            value=told.counts.computations,
        )
        yield CounterMetricFamily(
            "cripto_refreshes", "Looks for another release or other candles.", value=told.counts.refreshes
        )
        failures = CounterMetricFamily(
            "cripto_refresh_failures", "Renewals of a part that failed, on any occasion.", labels=["part"]
        )
        failures.add_metric(["release"], told.counts.release_failures)
        failures.add_metric(["candles"], told.counts.candle_failures)
        yield failures


def _by_interval(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["interval"])
