"""Problems as RFC 9457 tells them: ``application/problem+json``, one shape on every route."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MEDIA_TYPE", "Problem"]

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: status, slug of its type, Portuguese title and detail, further members and headers."""

    status: int
    slug: str
    title: str
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> dict[str, Any]:
        """What is the same whoever asks: all but the members, and what names the request."""
        return {
            "type": f"urn:cripto:problema:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }

    def body(self, request_id: str) -> bytes:
        """The document, UTF-8 JSON. Everything in it is JSON-escaped; nothing of the request is echoed."""
        value = {
            **self.kind,
            "instance": f"urn:cripto:requisicao:{request_id}",
            "request_id": request_id,
            **self.members,
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with it: never cached, and when to come back where that helps."""
        headers = {"cache-control": "no-store", **self.extra_headers}
        if self.status == 503:
            headers["retry-after"] = str(_RETRY_AFTER_SECONDS)
        return headers
