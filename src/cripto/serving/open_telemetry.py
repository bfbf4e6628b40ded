"""Traces by OpenTelemetry, sent to an OTLP receiver. Imported only where they are on: its SDK takes a while.

Whether a request is traced is decided before the SDK is asked, since even a span that is not taken costs it more
than an answer at hand costs us.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from random import random
from threading import Thread
from time import time_ns
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cripto.domain.steps import Fact, watched, watcher
from cripto.errors import InvalidSettings
from cripto.serving._otlp import Complaints, batches
from cripto.serving.tracing import Allowance

__all__ = ["OpenTelemetryTraces", "send_traces"]

_LOG = logging.getLogger("cripto.serving.traces")
_SERVICE = "cripto-prediction-api"
_NOTHING = Context()
_ASKED_PER_SECOND = 10
"""Requests a second that are traced because their callers say so: anybody may, and what is kept costs money."""
_LONGEST_TRACEPARENT = 512
_CLOSE_SECONDS = 2.0


def send_traces(receiver: str, *, share: float, version: str) -> "OpenTelemetryTraces":
    """Traces of this process, sent to ``receiver``, the base URL of an OTLP/HTTP one.

    ``share`` (0 to 1) of the requests are traced that no caller has decided about. ``OTEL_RESOURCE_ATTRIBUTES``
    and ``OTEL_SERVICE_NAME`` say more of this process, or otherwise. Raises `InvalidSettings` for an ``OTEL_``
    variable that cannot be used.
    """
    try:
        return OpenTelemetryTraces(batches(receiver), share=share, version=version)
    except ValueError as error:
        raise InvalidSettings(f"a variable that begins with OTEL_ cannot be used: {error}") from error


class OpenTelemetryTraces:
    """Keeps `cripto.serving.tracing.Traces`; ``processor`` takes the spans that have ended.

    ``chance`` gives numbers from 0 to 1, ``allowance`` says whether one more caller gets the trace it asks for.
    Requests begin on one thread.
    """

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        share: float,
        version: str,
        chance: Callable[[], float] = random,
        allowance: Allowance | None = None,
    ) -> None:
        self._complaints = Complaints()
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=_resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("cripto", version)
        self._share = share
        self._chance = chance
        self._allowance = allowance or Allowance(_ASKED_PER_SECOND)
        self._propagator = TraceContextTextMapPropagator()
        self._complaints.attach()

    def request(self, traceparent: bytes | None) -> AbstractContextManager[None] | None:
        """See `Traces.request`: what the caller has decided holds, as long as not too many decide."""
        if traceparent is None:
            return self._traced_request(_NOTHING) if self._chance() < self._share else None
        parent = self._parent(traceparent)
        caller = get_current_span(parent).get_span_context()
        if caller.is_valid:
            wanted = caller.trace_flags.sampled and self._allowance.take()
        else:
            wanted = self._chance() < self._share
        return self._traced_request(parent) if wanted else None

    def answered(self, request_id: str, method: str, route: str, status: int) -> str | None:
        """See `Traces.answered`."""
        taken = watcher()
        return taken.answered(request_id, method, route, status) if isinstance(taken, _Request) else None

    @contextmanager
    def renewal(self, interval: str) -> Iterator[None]:
        """See `Traces.renewal`: most looks find nothing, and nothing is told of them."""
        outer = watcher()
        parent = outer.context if isinstance(outer, _Taken) else _NOTHING
        look = _Look(self._tracer, parent, interval)
        try:
            with watched(look):
                yield
        finally:
            look.end()

    def close(self) -> None:
        """Send what there is, for two seconds at most; nothing is traced afterwards."""
        # the SDK would wait for half a minute for a receiver that does not answer
        closing = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)
        if closing.is_alive():
            _LOG.warning("the last traces could not be sent in %g s", _CLOSE_SECONDS)
        else:
            self._complaints.detach()

    def _parent(self, traceparent: bytes) -> Context:
        if len(traceparent) > _LONGEST_TRACEPARENT:
            return _NOTHING
        # without the caller's tracestate, which is theirs to write at length and nobody's to read here
        return self._propagator.extract({"traceparent": traceparent.decode("latin-1")}, _NOTHING)

    @contextmanager
    def _traced_request(self, parent: Context) -> Iterator[None]:
        span = self._tracer.start_span("HTTP", parent, SpanKind.SERVER)
        with _ended(span), watched(_Request(self._tracer, span)):
            yield


class _Taken:
    """A span that is being taken, and so are the steps within."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self.context = set_span_in_context(span, _NOTHING)

    @contextmanager
    def step(self, name: str, facts: Mapping[str, Fact]) -> Iterator[None]:
        """See `Watcher.step`."""
        span = self._tracer.start_span(name, self.context, attributes=_attributes(facts))
        with _ended(span), watched(_Taken(self._tracer, span)):
            yield


class _Request(_Taken):
    """A request that is being traced, by OpenTelemetry's conventions for HTTP servers.

    Neither its path nor its query is told: both are what a stranger wrote.
    """

    def answered(self, request_id: str, method: str, route: str, status: int) -> str | None:
        span = self._span
        known = method != "other"
        name = method if known else "HTTP"
        if route != "other":
            name = f"{name} {route}"
            span.set_attribute("http.route", route)
        span.update_name(name)
        span.set_attribute("http.request.method", method if known else "_OTHER")
        span.set_attribute("cripto.request_id", request_id)
        if status:
            span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", str(status))
        return format_trace_id(span.get_span_context().trace_id) if span.is_recording() else None


class _Look:
    """A look for news, which becomes a span with the first step that it finds a reason for."""

    def __init__(self, tracer: Tracer, parent: Context, interval: str) -> None:
        self._tracer = tracer
        self._parent = parent
        self._interval = interval
        self._began = time_ns()
        self._span: Span | None = None

    def step(self, name: str, facts: Mapping[str, Fact]) -> AbstractContextManager[None]:
        """See `Watcher.step`."""
        if self._span is None:
            attributes = _attributes({"interval": self._interval})
            self._span = self._tracer.start_span(
                "renew", self._parent, attributes=attributes, start_time=self._began
            )
        return _Taken(self._tracer, self._span).step(name, facts)

    def end(self) -> None:
        if self._span is not None:
            self._span.end()


def _resource(version: str) -> Resource:
    ours = {"service.name": _SERVICE, "service.version": version, "service.instance.id": str(uuid4())}
    # the SDK lets what a program says go before what its operator says
    return Resource.create(ours).merge(OTELResourceDetector().detect())


def _attributes(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {f"cripto.{name}": fact for name, fact in facts.items()}


@contextmanager
def _ended(span: Span) -> Iterator[None]:
    """End ``span``, with the kind of the error that left it if one did, and never with its text."""
    try:
        yield
    except BaseException as error:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", type(error).__name__)
        raise
    finally:
        span.end()
