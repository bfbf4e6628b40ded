"""What an exchange's HTTP answer says about itself, before and after the client library has read it.

The library takes a body that is no JSON for an empty answer, a refusal by place (403, 451) for an outage, and lets
errors with status 200 pass that it has no rule for. None of these may become "no candles" or "no such coin".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Refused", "holds_rows", "names_rows", "refused_by_body", "refused_by_status", "told_date"]

_DENIED = {401, 403, 407, 451}
_SLOW_DOWN = {418, 429}
_TEXTS = ("msg", "message", "retMsg", "ret_msg")
_CODES = ("code", "retCode", "ret_code", "statusCode", "status")
_ERRORS = ("error", "errors", "error_message", "errorMessage")
_FINE = {"", "ok", "success", "successful"}
_SHOWN = 200


class Refused(Exception):
    """An answer that is none. ``denied``: for good, here; else for now, at least ``retry_after`` seconds."""

    def __init__(self, reason: str, *, denied: bool = False, retry_after: float | None = None) -> None:
        self.reason = reason
        self.denied = denied
        self.retry_after = retry_after
        super().__init__(reason)


def refused_by_status(status: int, headers: Mapping[str, str], now: datetime, *, is_json: bool) -> Refused | None:
    """What the status alone decides; ``None`` where the body decides (200 with JSON, 400, 404, ...)."""
    if status in _DENIED:
        return Refused(f"status {status}", denied=True)
    if status in _SLOW_DOWN or status >= 500 or status == 408:
        return Refused(f"status {status}", retry_after=_retry_after(headers, now))
    if status < 400 and not is_json:
        return Refused(f"status {status} with a body that is not JSON")
    return None


def refused_by_body(body: object) -> Refused | None:
    """An error that the body of an answer with status 200 carries, by the forms exchanges give it."""
    if not isinstance(body, Mapping):
        return None
    for name in _ERRORS:
        if body.get(name):
            return Refused(f"status 200 with the error {str(body[name])[:_SHOWN]!r}")
    text = next((str(body[name]) for name in _TEXTS if body.get(name)), "")
    if body.get("success") is False:
        return Refused(f"status 200 without success: {text[:_SHOWN]!r}")
    if text.lower() in _FINE:
        return None
    failed = any(_is_failure(body[name]) for name in _CODES if name in body)
    if failed or set(body) <= {*_TEXTS, *_CODES}:
        return Refused(f"status 200 with the error {text[:_SHOWN]!r}")
    return None


def names_rows(body: object) -> bool:
    """Whether a body holds a list, even an empty one, of anything but errors: only then is "none" an answer."""
    return bool(_lists(body))


def holds_rows(body: object) -> bool:
    """Whether a body holds a list with something in it."""
    return any(_lists(body))


def told_date(headers: Mapping[str, str]) -> datetime | None:
    """The time of the header ``Date``, UTC, cut to the second; ``None`` if there is none."""
    return _http_date(_header(headers, "date"))


def _lists(body: object) -> list[list[object]]:
    if isinstance(body, list):
        return [body]
    if isinstance(body, Mapping):
        return [found for name, value in body.items() if name not in _ERRORS for found in _lists(value)]
    return []


def _is_failure(code: object) -> bool:
    try:
        number = float(str(code))
    except ValueError:
        return False
    return number != 0 and not 200 <= number < 300


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    text = _header(headers, "retry-after").strip()
    if text.isdecimal():
        return float(text)
    date = _http_date(text)
    return None if date is None else max(0.0, (date - now).total_seconds())


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
