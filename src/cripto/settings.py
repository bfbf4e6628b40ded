"""Settings: the environment, read once by the composition root and checked whole.

Every field's docstring is what `docs/configuration.md` explains; a test holds the two together. A variable
that begins with ``CRIPTO_`` and is not known here is a start-up error: a misspelt setting must not be ignored.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cripto.domain.asset import parse_quote
from cripto.domain.exchange import parse_exchange
from cripto.domain.interval import INTERVALS, parse_interval
from cripto.domain.release_version import ReleaseVersion
from cripto.domain.universe import parse_universe
from cripto.errors import InvalidInput, InvalidSettings

__all__ = ["Settings", "load_settings"]

_PREFIX = "CRIPTO_"
# Kubernetes injects CRIPTO_PREDICTION_API_SERVICE_HOST and its kin for a Service of the seed's name
_INJECTED = "CRIPTO_PREDICTION_API_"


_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?", re.ASCII)


def _store(url: str) -> str:
    if not url.startswith(("file:///", "s3://", "memory://")):
        raise ValueError("a store is file:///folder, s3://bucket/prefix or memory://")
    return url


def _interval(name: str) -> str:
    try:
        return parse_interval(name).name
    except InvalidInput as error:
        raise ValueError(str(error)) from error


def _intervals(text: str) -> str:
    names = dict.fromkeys(_interval(part.strip()) for part in text.split(",") if part.strip())
    return ",".join(sorted(names, key=list(INTERVALS).index))


def _quotes(text: str) -> str:
    try:
        quotes = [parse_quote(part.strip()) for part in text.split(",")]
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    return ",".join(dict.fromkeys(quotes))


def _origins(text: str) -> str:
    origins = [part.strip() for part in text.split(",") if part.strip()]
    for origin in origins:
        if origin != "*" and _ORIGIN.fullmatch(origin) is None:
            raise ValueError("an origin is https://host or https://host:port, without a path, or * alone")
    if "*" in origins and len(origins) > 1:
        raise ValueError("* names all origins: nothing may stand beside it")
    return ",".join(dict.fromkeys(origins))


def _receiver(url: str) -> str:
    try:
        parts = urlsplit(url)
        bare = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        plain = parts.port != 0 and not parts.query and not parts.fragment and url.isascii() and url.isprintable()
    except ValueError:  # a port that is none, or half an address
        bare = plain = False
    if not (bare and plain) or " " in url:
        raise ValueError(
            "a receiver of traces is http://host:port or https://host:port, without a user or a query"
        )
    return url


def _exchanges(text: str) -> str:
    entries = [part.strip() for part in text.split(",") if part.strip()]
    if entries == ["none"]:
        return "none"
    try:
        named = [parse_exchange(entry) for entry in entries]
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    names = [name for name, _ in named]
    if not names or "none" in names or len(set(names)) < len(names):
        raise ValueError("exchanges are names, each once and separated by commas, or `none` alone")
    return ",".join(entries)


def _universe(text: str) -> str:
    try:
        return str(parse_universe(text))
    except InvalidInput as error:
        raise ValueError(str(error)) from error


def _release(version: str) -> str:
    try:
        return str(ReleaseVersion.parse(version))
    except InvalidInput as error:
        raise ValueError(str(error)) from error


def _level(name: str) -> str:
    if name.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError("a log level is DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return name.upper()


class Settings(BaseSettings):
    """All settings of all commands; each command uses what it needs."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        use_attribute_docstrings=True,
        extra="forbid",
    )

    store: Annotated[str, AfterValidator(_store)] | None = None
    """Where everything is kept: `file:///folder`, `s3://bucket/prefix` or `memory://`; before `BUCKET_NAME`."""
    bucket_name: str | None = Field(
        default=None, validation_alias="BUCKET_NAME", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    )
    """S3 bucket of the store, used where `CRIPTO_STORE` is not set. Without either, the folder `var/store`."""
    interval: Annotated[str, AfterValidator(_interval)] = "1d"
    """Candle interval that is trained on and served."""
    intervals: Annotated[str, NoDecode, AfterValidator(_intervals)] | None = None
    """Further intervals served beside it, for who asks `?intervalo=`, separated by commas. Default none."""
    quote: Annotated[str, NoDecode, AfterValidator(_quotes)] = "USDT,USDC,USD,EUR,BRL"
    """Quotes in order of preference, separated by commas. An asset known only in another is served in that one."""
    exchanges: Annotated[str, NoDecode, AfterValidator(_exchanges)] = "binance,bybit,kraken,coinbaseexchange"
    """Exchanges to fetch candles from, in order of preference: `name` or `name=https://mirror`; or `none`."""
    universe: Annotated[str, NoDecode, AfterValidator(_universe)] = "all"
    """Assets that candles are fetched of: `all`, `top:N` by volume, or a list such as `BTC,ETH`."""
    release: Annotated[str, AfterValidator(_release)] | None = None
    """Version of the release to serve, whatever the channel says."""
    cache_dir: Path | None = None
    """Folder on local disk for copies of what is served, so that a server starts while its store is down."""
    refresh_seconds: float = Field(default=30.0, ge=0.1, le=86400)
    """How often the server looks for new candles and releases, in seconds."""
    candle_seconds: float = Field(default=2.0, ge=0.1, le=86400)
    """How often the server looks between these for candles alone, in seconds: one small request to the store."""
    reload_seconds: float = Field(default=5.0, ge=0, le=3600)
    """Least time between two reloads asked for over HTTP, in seconds; sooner ones get the last result."""
    warm_assets: int = Field(default=5000, ge=0, le=1_000_000)
    """How many assets, the busiest first, are answered in advance; the others when somebody asks."""
    cors_origins: Annotated[str, AfterValidator(_origins)] | None = None
    """Origins whose pages may read the answers in a browser, separated by commas, or `*` for all. Default none."""
    admin_token: SecretStr | None = Field(default=None, min_length=16)
    """Token that `GET /reload` demands, as `Authorization: Bearer`. At least 16 characters; open where unset."""
    public_key: str | None = None
    """Ed25519 public keys whose signatures count, as PEM text or the path of a PEM file; one or several."""
    require_signature: bool = False
    """Whether a release or a channel pointer that no key in `CRIPTO_PUBLIC_KEY` signed is refused."""
    signing_key: SecretStr | None = None
    """Ed25519 private key that signs what is published and promoted, as PEM text or the path of a PEM file."""
    access_log: bool = False
    """Whether the server writes a line per request."""
    traces: Annotated[str, AfterValidator(_receiver)] | None = None
    """Base URL of an OTLP/HTTP receiver that traces are sent to, such as `http://127.0.0.1:4318`. Default none."""
    traces_sample: float = Field(default=0.01, ge=0, le=1)
    """Share of requests that are traced where no caller has decided about it, from 0 to 1."""
    workers: int = Field(default=1, ge=1, le=64)
    """How many processes serve, on one port. Each holds the models and the candles in memory of its own."""
    host: str = "127.0.0.1"
    """Address the server listens on. A container needs `0.0.0.0`."""
    port: int = Field(default=8000, ge=0, le=65535, validation_alias="PORT")
    """Port the server listens on; 0 picks a free one and prints it."""
    log_level: Annotated[str, AfterValidator(_level)] = Field(default="INFO", validation_alias="LOG_LEVEL")
    """Least severity that is logged."""

    @property
    def store_url(self) -> str:
        """The store's URL: `CRIPTO_STORE`, else the bucket, else ``var/store`` under the working folder."""
        if self.store is not None:
            return self.store
        if self.bucket_name is not None:
            return f"s3://{self.bucket_name}"
        return (Path.cwd() / "var" / "store").as_uri()

    @property
    def further_intervals(self) -> tuple[str, ...]:
        """The intervals served beside the default one, shortest first."""
        return tuple(name for name in (self.intervals or "").split(",") if name not in ("", self.interval))

    def pin(self, interval: str) -> str | None:
        """The release pinned for ``interval``: it is of the default one, and others follow their channels."""
        return self.release if interval == self.interval else None

    @property
    def quotes(self) -> tuple[str, ...]:
        """Quotes in order of preference."""
        return tuple(self.quote.split(","))

    @property
    def exchange_entries(self) -> tuple[tuple[str, str | None], ...]:
        """Names of exchanges in order of preference, each with the URL of its mirror, if it has one."""
        if self.exchanges == "none":
            return ()
        return tuple(parse_exchange(entry) for entry in self.exchanges.split(","))

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins whose pages may read the answers."""
        return tuple(self.cors_origins.split(",")) if self.cors_origins else ()

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable that sets ``field``."""
        alias = cls.model_fields[field].validation_alias
        return alias if isinstance(alias, str) else _PREFIX + field.upper()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the process environment; raise `InvalidSettings` naming every variable that is unknown or unusable.

    ``environ`` only replaces the environment that is searched for unknown names. Values never appear in the error.
    """
    known = {Settings.variable(field) for field in Settings.model_fields}
    unknown = sorted(
        name
        for name in (os.environ if environ is None else environ)
        if name.startswith(_PREFIX) and not name.startswith(_INJECTED) and name not in known
    )
    problems = [f"{name} is not a setting" for name in unknown]
    settings: Settings | None = None
    try:
        settings = Settings()
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            field = str(item["loc"][0])
            name = Settings.variable(field) if field in Settings.model_fields else field
            problems.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
    if settings is not None and settings.require_signature and settings.public_key is None:
        problems.append("CRIPTO_REQUIRE_SIGNATURE: it says nothing of whom to trust without CRIPTO_PUBLIC_KEY")
    if problems or settings is None:
        raise InvalidSettings("; ".join(problems))
    return settings
