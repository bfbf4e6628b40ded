"""Logging: JSON lines on a server, readable ones in a terminal. The rest of the project uses ``logging`` alone."""

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["JsonLines", "configure_logging"]

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
"""Attributes every record has, and what uvicorn adds to say everything twice, in colour."""


class JsonLines(logging.Formatter):
    """One JSON object a line: ``event``, ``level``, ``logger``, ``timestamp``, the record's extras, ``exception``.

    structlog writes the same, but importing it imports rich: 0.12 s of the start of a server without colours.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        said: dict[str, object] = {
            "event": record.getMessage(),
            **{name: value for name, value in record.__dict__.items() if name not in _STANDARD},
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            said["stack"] = self.formatStack(record.stack_info)
        return json.dumps(said, ensure_ascii=False, default=repr)


def configure_logging(level: str, *, readable: bool) -> None:
    """Send every record to standard error: as coloured text if ``readable``, else as one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_readable() if readable else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # uvicorn's own handlers would print each line twice, its access log is ours to write
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    # one line per HTTP request to S3 or the metadata service is for debugging only
    for name in ("botocore", "boto3", "urllib3", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _readable() -> logging.Formatter:
    import structlog

    def without_colour(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        # uvicorn says everything twice, the second time with escape codes
        event.pop("color_message", None)
        return event

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            without_colour,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(),
        ],
    )
