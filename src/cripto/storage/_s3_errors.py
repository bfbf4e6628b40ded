"""What obstore says went wrong, in this project's words."""

import re

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from cripto.errors import (
    CriptoError,
    InvalidSettings,
    ObjectNotFound,
    StorageDenied,
    StorageUnavailable,
    WriteConflict,
)

__all__ = ["FAILURES", "translated"]

FAILURES = (BaseError, FileNotFoundError, OSError, ValueError)
"""Everything obstore raises for a request that failed."""

_STATUS = re.compile(r"status code:?\s*\W*(\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_DENIED_CODES = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}


def translated(error: BaseException, where: str, key: str, *, writing: bool = False) -> CriptoError:
    """The error to raise for ``error``, met at ``where`` (the store's URL, no secrets) with ``key``.

    Only a "not found" becomes `ObjectNotFound`, and never that of the bucket itself. Bodies of answers are not
    repeated: S3 puts key ids into them.
    """
    text = str(error)
    status = match[1] if (match := _STATUS.search(text)) else ""
    code = match[1] if (match := _CODE.search(text)) else ""
    said = " ".join(part for part in (status, code) if part)
    if code == "NoSuchBucket":
        return StorageDenied(f"{where}: the bucket does not exist")
    if code in _DENIED_CODES or status in {"401", "403"}:
        return StorageDenied(f"{where}: access denied ({said})")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return StorageDenied(f"{where}: access denied")
    if isinstance(error, FileNotFoundError):
        return ObjectNotFound(key)
    if writing and isinstance(error, AlreadyExistsError | PreconditionError):
        return WriteConflict(key)
    if "incorrectly configured region" in text or code == "PermanentRedirect":
        return InvalidSettings(f"{where}: the bucket is in another region than AWS_DEFAULT_REGION says")
    return StorageUnavailable(f"{where}: {said or _first_line(text)}")


def _first_line(text: str) -> str:
    line = text.split("\n", 1)[0].split("<", 1)[0].strip()
    return line[:300] or "no answer"
