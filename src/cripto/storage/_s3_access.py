"""Where a bucket answers and with which credentials: the AWS environment, read when a client is first needed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cripto.errors import InvalidSettings, StorageDenied, StorageUnavailable

if TYPE_CHECKING:
    from obstore.auth.boto3 import Boto3CredentialProvider

__all__ = ["Keys", "S3Access", "boto3_credentials", "s3_access"]

_DEFAULT_REGION = "us-east-1"
# boto3 hands out credentials that stay valid for ten minutes at least.
_CREDENTIALS_LIVE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Keys:
    """Static credentials. ``repr`` shows none of them."""

    key_id: str
    secret: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Keys(***)"


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to reach S3: region, endpoint where it is not AWS's own, and keys, ``None`` to ask boto3's chain."""

    region: str = _DEFAULT_REGION
    endpoint: str | None = None
    keys: Keys | None = None

    @property
    def plain_http(self) -> bool:
        """Whether the endpoint speaks HTTP without TLS."""
        return self.endpoint is not None and self.endpoint.startswith("http://")


def s3_access(environ: Mapping[str, str] | None = None) -> S3Access:
    """Read the standard AWS variables; raise `InvalidSettings` for an endpoint that is no HTTP URL.

    Both keys in the environment are used as they are, unless a profile is named; anything else (EKS Pod
    Identity, a web identity, a profile, an instance's role) is left to boto3.
    """
    env = os.environ if environ is None else environ
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidSettings("AWS_ENDPOINT_URL is not an http:// or https:// URL")
    keys = None
    key_id, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret and not env.get("AWS_PROFILE"):
        keys = Keys(key_id, secret, env.get("AWS_SESSION_TOKEN") or None)
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION
    return S3Access(region, endpoint.rstrip("/") if endpoint else None, keys)


def boto3_credentials() -> "Boto3CredentialProvider":
    """Ask boto3's chain once; the provider refreshes what expires.

    Raises `StorageDenied` if the chain ends without credentials, `StorageUnavailable` if asking fails.
    """
    import boto3
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        session = boto3.Session()
        if session.get_credentials() is None:
            raise StorageDenied("no AWS credentials were found: neither keys in the environment nor a role")
        return Boto3CredentialProvider(session, ttl=_CREDENTIALS_LIVE)
    except BotoCoreError as error:
        raise StorageUnavailable(f"AWS credentials could not be read: {type(error).__name__}") from error
