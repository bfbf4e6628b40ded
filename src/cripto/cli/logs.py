"""Logging: JSON lines on a server, readable ones in a terminal. The rest of the project uses ``logging`` alone."""

import logging
import sys
from typing import Any

import structlog

__all__ = ["configure_logging"]


def _without_colour(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # uvicorn says everything twice, the second time with escape codes
    event.pop("color_message", None)
    return event


def configure_logging(level: str, *, readable: bool) -> None:
    """Send every record to standard error: as coloured text if ``readable``, else as one JSON object a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colour,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if readable:
        renderer: list[structlog.typing.Processor] = [structlog.dev.ConsoleRenderer()]
    else:
        renderer = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(ensure_ascii=False)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
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
