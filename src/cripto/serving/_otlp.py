"""The way out for traces: spans in batches to an OTLP receiver, off every path that a request takes."""

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from cripto.serving.aside import give_way

__all__ = ["Complaints", "batches"]

_LOG = logging.getLogger("cripto.serving.traces")
_COMPLAINT_SECONDS = 60.0
# a span takes a few KB: what a receiver that does not answer can make us hold is a few MB
_QUEUED_SPANS = 2048
_BATCHED_SPANS = 512
_BATCH_MILLISECONDS = 5000


def batches(receiver: str) -> BatchSpanProcessor:
    """What gathers spans, and sends them to ``receiver`` (a base URL) from a thread of its own.

    What does not fit into the queue is dropped. Headers, certificates, compression and the time limit come from
    the environment, where OpenTelemetry's exporter looks for them (``OTEL_EXPORTER_OTLP_*``).
    """
    exporter = _Exporter(endpoint=f"{receiver.rstrip('/')}/v1/traces", session=_session())
    return BatchSpanProcessor(
        exporter,
        max_queue_size=_QUEUED_SPANS,
        max_export_batch_size=_BATCHED_SPANS,
        schedule_delay_millis=_BATCH_MILLISECONDS,
    )


class _Exporter(OTLPSpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, at the priority of all work that requests must not feel."""
        give_way()
        return super().export(spans)


def _session() -> requests.Session:
    """A session that reads no answer's body: nothing in one is used, and one may have no end."""
    session = requests.Session()
    session.stream = True
    session.hooks["response"].append(_closed)
    return session


def _closed(response: requests.Response, *_: Any, **__: Any) -> None:
    response.close()


class Complaints(logging.Handler):
    """What the libraries that export have to say, as one line of ours a minute at most.

    Once attached it takes the records of ``opentelemetry``, and nobody else gets them: a receiver that is down
    would fill a log.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._source = logging.getLogger("opentelemetry")
        self._next = clock()
        self._held_back = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the first, and count those that follow too soon; never called by two threads at once."""
        now = self._clock()
        if now < self._next:
            self._held_back += 1
            return
        self._next = now + _COMPLAINT_SECONDS
        _LOG.warning("%s (%d such lines were held back before)", record.getMessage(), self._held_back)
        self._held_back = 0

    def attach(self) -> None:
        """Take the records over."""
        self._source.addHandler(self)
        self._source.propagate = False

    def detach(self) -> None:
        """Let them go where they went."""
        self._source.removeHandler(self)
        self._source.propagate = True
