"""What deltalake says went wrong, in this project's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cripto.errors import CriptoError, ObjectNotFound, OperatorError, StorageDenied, StorageUnavailable

__all__ = ["reason", "translated"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STATUS = re.compile(r"status code\W*(\d{3})")
_DENIED = (
    "lacked the necessary privileges",
    "lacked valid authentication",
    "Permission denied",
    "PermissionDenied",
)
_UNREACHABLE = (
    "error sending request",
    "timed out",
    "Connection refused",
    "request or response body error",
)
# by the words of the system: deltalake's own call these a file that cannot be parsed
_NO_ROOM = {
    "No space left": "the disk is full",
    "quota exceeded": "the disk quota is used up",
    "File too large": "a file would be larger than is allowed here",
}
_GONE = ("No such file", "not found", "NoSuchKey")
_DATA_FILE = re.compile(r"[\w=/-]+-c\d+\.[\w.]*parquet")


@contextmanager
def translated(table: str) -> Iterator[None]:
    """Raise this project's errors for those of deltalake; ``table`` is where it lies, without secrets."""
    try:
        yield
    except CriptoError:
        raise
    except Exception as error:
        raise _of(error, table) from error
    except BaseException as error:
        # Rust code that meets a damaged file may panic, which is no Exception to Python.
        if type(error).__name__ != "PanicException":
            raise
        raise OperatorError(f"the candle table at {table} is damaged") from error


def reason(error: BaseException) -> str:
    """The error's own words on one line, without colours and without bodies of answers (they may name keys)."""
    text = _COLOUR.sub("", str(error)).split("<", 1)[0]
    return " ".join(text.replace("↳", " ").split())[:300]


def _of(error: Exception, table: str) -> CriptoError:
    text = _COLOUR.sub("", str(error)).replace("↳", " ")
    said = reason(error)
    match = _STATUS.search(text)
    status = match[1] if match else ""
    if "NoSuchBucket" in text:
        return StorageDenied(f"{table}: the bucket does not exist")
    if status in {"400", "401", "403"} or any(sign in text for sign in _DENIED):
        return StorageDenied(f"{table}: access denied ({said})")
    for sign, words in _NO_ROOM.items():
        if sign in text:
            return StorageUnavailable(f"{table} could not be written: {words}")
    if status.startswith("5") or any(sign in text for sign in _UNREACHABLE):
        return StorageUnavailable(f"{table}: {said}")
    if any(sign in text for sign in _GONE):
        file = _DATA_FILE.search(text)
        return ObjectNotFound(file[0] if file else table)
    return OperatorError(f"the candle table at {table} cannot be used: {said}")
