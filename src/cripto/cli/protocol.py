"""uvicorn's HTTP protocol with bounds on what a caller may send.

uvicorn gathers a URL, headers and trailers without an end, and waits without an end for the rest of a request, and
until an answer is read: a few callers can so take all memory, or all connections. No route takes a body, so a
whole request is held to one bound.
"""

from asyncio import TimerHandle, Transport
from math import inf
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

__all__ = ["ANSWER_SECONDS", "REQUEST_BYTES", "REQUEST_SECONDS", "BoundedProtocol"]

REQUEST_BYTES = 64 * 1024
"""What a request may take, from its first byte to its last; nginx and AWS load balancers stop at 8 to 64 KiB."""
REQUEST_SECONDS = 10.0
"""How long a request may take to arrive whole, and a new connection to begin one."""
ANSWER_SECONDS = 60.0
"""How long a caller may read nothing of an answer that waits to be written."""

_INVALID = "Invalid HTTP request received."


class BoundedProtocol(HttpToolsProtocol):
    """Answers 414 or 431 to a head that is too long, 408 to one that does not end in time, and hangs up.

    Hangs up without a word where an answer is under way already, is not read, or nothing was asked. The piece of
    data in which a request begins is not counted (it may end others), so that the bound is met at twice its size
    at the latest.
    Whether a request is here whole is read off what uvicorn keeps anyway: callbacks of our own would cost four
    times as much.
    """

    request_bytes = REQUEST_BYTES
    request_seconds = REQUEST_SECONDS
    answer_seconds = ANSWER_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counted: object = None  # the request that `_seen` is of, by its scope
        self._seen = 0
        self._timer: TimerHandle | None = None
        self._unread: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Give a connection its time to ask something."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limit."""
        self._stop_timer()
        self._stop_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a caller who does not read its time to go on."""
        super().pause_writing()
        self._wait_for_a_reader()

    def resume_writing(self) -> None:
        """What was written has been read."""
        self._stop_unread()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, in parts where the data is longer than a request may be."""
        if len(data) > self.request_bytes:
            for start in range(0, len(data), self.request_bytes):
                if not self.transport.is_closing():
                    self.data_received(data[start : start + self.request_bytes])
            return
        # uvicorn's own lines, here since a call to them would double what all this costs
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            # no line in the log: whoever sends such things would write there as much as they like
            if len(self.url) >= self.request_bytes:
                self._hang_up(414)  # whole in one piece of data, and longer than the parser takes
            else:
                self.send_400_response(_INVALID)
            return
        except HttpParserUpgrade:
            pass  # nobody speaks WebSocket here: it is answered as if it had not asked
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says it is never None, and begins so
        if cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self._wait_for_the_rest(len(data))
        elif self._timer is not None:
            self._stop_timer()
        elif cycle.response_complete:
            # a stray line end between requests; uvicorn has called off its own time limit for it
            self._start_timer()

    def _wait_for_the_rest(self, size: int) -> None:
        scope: object = self.scope
        if scope is self._counted:
            self._seen += size
        else:
            self._counted, self._seen = scope, 0
        if self._seen > self.request_bytes:
            self._hang_up(431 if self.headers else 414)
        elif self._timer is None:
            self._start_timer()

    def _too_slow(self) -> None:
        self._timer = None
        cycle: RequestResponseCycle | None = self.cycle
        if self.flow.read_paused:
            self._start_timer()  # it is us who do not read on, until an answer to a request before it is out
        elif cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self._hang_up(408)
        elif cycle.response_complete:
            self.transport.close()

    def _hang_up(self, status: int) -> None:
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        scope: object = self.scope
        # only to a request, and where it cannot be taken for the answer to another, nor tear one
        if scope is not None and (cycle is None or (cycle.response_complete and cycle.scope is not scope)):
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _wait_for_a_reader(self, unread: float = inf) -> None:
        left = self.transport.get_write_buffer_size()
        if left < unread:
            self._unread = self.loop.call_later(self.answer_seconds, self._wait_for_a_reader, left)
        else:
            self._unread = None
            self.transport.abort()  # a close would wait until all is read

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.request_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
