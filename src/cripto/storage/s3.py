"""A store in an S3 bucket, or in anything that speaks S3 with conditional writes."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import NotModifiedError, PreconditionError
from obstore.store import S3Store as Client

from cripto.errors import StorageUnavailable
from cripto.storage._keys import check_key, check_prefix, is_key
from cripto.storage._s3_access import S3Access, boto3_credentials
from cripto.storage._s3_errors import FAILURES, translated
from cripto.storage.store import ObjectInfo, StoredObject

if TYPE_CHECKING:
    from obstore import GetResult, PutResult
    from obstore.store import S3Config

__all__ = ["S3Store"]

_PAGE = 1000


class S3Store:
    """Objects below ``prefix`` (empty, or ending in ``/``) of a bucket.

    Nothing is connected to until the first call. A request is given up after ``timeout`` seconds and tried
    ``retries`` times more, as long as ``retry_seconds`` have not passed since the first. A conditional write whose
    answer was lost may raise `WriteConflict` although it was this one that won: read again to know.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        access: S3Access,
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
        retries: int = 4,
        retry_seconds: float = 30.0,
    ) -> None:
        check_prefix(prefix)
        self._bucket = bucket
        self._prefix = prefix
        self._access = access
        self._timeout = timedelta(seconds=timeout)
        self._connect_timeout = timedelta(seconds=connect_timeout)
        self._retries = retries
        self._retry_timeout = timedelta(seconds=retry_seconds)
        self._made: Client | None = None
        self._lock = Lock()

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        check_key(key)
        try:
            return self._read(obstore.get(self._client, key), key)
        except FAILURES as error:
            raise translated(error, self.url, key) from error

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        check_key(key)
        try:
            return self._read(obstore.get(self._client, key, options={"if_none_match": etag}), key)
        except NotModifiedError:
            return None
        except FAILURES as error:
            raise translated(error, self.url, key) from error

    def create(self, key: str, data: bytes) -> str:
        """See `ObjectStore.create`."""
        check_key(key)
        try:
            return self._tag(obstore.put(self._client, key, data, mode="create"), key)
        except FAILURES as error:
            raise translated(error, self.url, key, writing=True) from error

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """See `ObjectStore.replace`."""
        check_key(key)
        try:
            try:
                return self._tag(obstore.put(self._client, key, data, mode={"e_tag": etag}), key)
            except PreconditionError:
                # Ceph's gateway (16 at least) knows a tag only without its quotes, and refuses the one it gave
                if not self._still_tagged(key, etag):
                    raise
                return self._tag(obstore.put(self._client, key, data, mode={"e_tag": etag.strip('"')}), key)
        except FAILURES as error:
            raise translated(error, self.url, key, writing=True) from error

    def put(self, key: str, data: bytes) -> str:
        """See `ObjectStore.put`."""
        check_key(key)
        try:
            return self._tag(obstore.put(self._client, key, data), key)
        except FAILURES as error:
            raise translated(error, self.url, key, writing=True) from error

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        check_key(key)
        try:
            obstore.delete(self._client, key)
        except FAILURES as error:
            raise translated(error, self.url, key, writing=True) from error

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`. Names that are no keys, and folder markers, are passed over."""
        check_prefix(prefix)
        try:
            for page in obstore.list(self._client, prefix=prefix or None, chunk_size=_PAGE):
                for item in page:
                    if is_key(item["path"]):
                        yield ObjectInfo(item["path"], item["size"], item["e_tag"] or "", item["last_modified"])
        except FAILURES as error:
            raise translated(error, self.url, prefix) from error

    @property
    def _client(self) -> Client:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Client:
        access = self._access
        return Client(
            self._bucket,
            prefix=self._prefix or None,
            config=self._config(),
            client_options={
                "allow_http": access.plain_http,
                "timeout": self._timeout,
                "connect_timeout": self._connect_timeout,
            },
            retry_config={
                "max_retries": self._retries,
                "retry_timeout": self._retry_timeout,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
            },
            credential_provider=boto3_credentials() if access.keys is None else None,
        )

    def _config(self) -> "S3Config":
        access = self._access
        config: S3Config = {
            "region": access.region,
            # Servers that are not AWS's own seldom answer at bucket.host.
            "virtual_hosted_style_request": access.endpoint is None and "." not in self._bucket,
        }
        if access.endpoint is not None:
            config["endpoint"] = access.endpoint
        if access.keys is not None:
            config["access_key_id"] = access.keys.key_id
            config["secret_access_key"] = access.keys.secret
            if access.keys.token is not None:
                config["session_token"] = access.keys.token
        return config

    def _still_tagged(self, key: str, etag: str) -> bool:
        """Whether the object is known to have just this tag, a quoted one."""
        try:
            return etag.startswith('"') and obstore.head(self._client, key)["e_tag"] == etag
        except FAILURES:
            return False

    def _read(self, result: "GetResult", key: str) -> StoredObject:
        tag = result.meta["e_tag"]
        data = bytes(result.bytes())
        if tag is None or len(data) != result.meta["size"]:
            raise StorageUnavailable(f"{self.url}: {key} came without an entity tag or not whole")
        return StoredObject(data, tag)

    def _tag(self, result: "PutResult", key: str) -> str:
        tag = result["e_tag"]
        if tag is None:
            raise StorageUnavailable(f"{self.url}: {key} was written without an answer that names its entity tag")
        return tag
