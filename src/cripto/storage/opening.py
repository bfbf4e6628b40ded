"""From a URL to a store, and to what a table below the same root needs."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cripto.errors import InvalidInput, InvalidSettings, StorageUnavailable
from cripto.storage._keys import check_prefix
from cripto.storage._s3_access import boto3_credentials, s3_access
from cripto.storage.local import LocalStore
from cripto.storage.memory import MemoryStore
from cripto.storage.s3 import S3Store
from cripto.storage.store import ObjectStore

__all__ = ["delta_options", "open_store"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_KNOWN = "a store is file:///folder, s3://bucket/prefix or memory://"


def open_store(url: str) -> ObjectStore:
    """Return the store at ``url``; raise `InvalidSettings` if it is no store's URL.

    ``memory://`` is a new, empty store each time. Nothing is connected to, and no folder made, until it is used;
    the AWS variables are read here, credentials of a role on the first call.
    """
    place = _parsed(url)
    if isinstance(place, Path):
        return LocalStore(place)
    if place is None:
        return MemoryStore()
    bucket, prefix = place
    return S3Store(bucket, prefix, access=s3_access())


def delta_options(url: str, table: str) -> tuple[str, dict[str, str]]:
    """Where the Delta table ``table`` below the store ``url`` lies, and the options that reach it.

    Options carry credentials as they are now: ask again for every operation. Raises `InvalidSettings` for a URL
    that holds no table (``memory://`` included), `StorageDenied` and `StorageUnavailable` for missing credentials.
    """
    place = _parsed(url)
    if place is None:
        raise InvalidSettings("memory:// holds no table")
    if isinstance(place, Path):
        return str(place / table), {}
    bucket, prefix = place
    return f"s3://{bucket}/{prefix}{table}", _s3_options(bucket)


def _s3_options(bucket: str) -> dict[str, str]:
    access = s3_access()
    options = {
        "aws_region": access.region,
        "aws_virtual_hosted_style_request": str(access.endpoint is None and "." not in bucket).lower(),
        "aws_conditional_put": "etag",
        "aws_allow_http": str(access.plain_http).lower(),
        "timeout": "60s",
        "connect_timeout": "5s",
        "max_retries": "4",
        "retry_timeout": "30s",
    }
    if access.endpoint is not None:
        options["aws_endpoint_url"] = access.endpoint
    keys = access.keys
    if keys is not None:
        key_id, secret, token = keys.key_id, keys.secret, keys.token
    else:
        key_id, secret, token = _role_keys()
    options |= {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    if token:
        options["aws_session_token"] = token
    return options


def _role_keys() -> tuple[str, str, str | None]:
    from botocore.exceptions import BotoCoreError

    try:
        found = boto3_credentials()()
    except BotoCoreError as error:
        raise StorageUnavailable(f"AWS credentials could not be refreshed: {type(error).__name__}") from error
    return found["access_key_id"], found["secret_access_key"], found.get("token")


def _parsed(url: str) -> Path | tuple[str, str] | None:
    """The folder, the bucket and prefix, or ``None`` for memory."""
    parts = urlsplit(url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidSettings(_KNOWN)
    if parts.scheme == "memory" and not parts.netloc and parts.path in {"", "/"}:
        return None
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        path = Path(unquote(parts.path))
        if "\0" in str(path) or path == path.parent:
            raise InvalidSettings(_KNOWN)
        return path
    if parts.scheme == "s3" and _BUCKET.fullmatch(parts.netloc):
        prefix = parts.path.strip("/")
        prefix = prefix + "/" if prefix else ""
        try:
            check_prefix(prefix)
        except InvalidInput as error:
            raise InvalidSettings(f"{_KNOWN}: {error}") from None
        return parts.netloc, prefix
    raise InvalidSettings(_KNOWN)
