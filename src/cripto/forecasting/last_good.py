"""What was served last, on local disk: enough to start from while the store does not answer."""

import hashlib
import io
import json
import logging
import re
from typing import Protocol

import polars as pl

from cripto.domain.interval import Interval
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import CriptoError, InvalidInput, ObjectNotFound, ReleaseRefused
from cripto.forecasting.candle_feed import CandleFeed, HeldCandles
from cripto.forecasting.release import BARE, LoadedRelease, Releases, load_release
from cripto.market.listings import Listings
from cripto.market.schema import checked_candles
from cripto.storage import ObjectStore

__all__ = ["Keeper", "KeptReleases", "LastGood"]

_LOG = logging.getLogger(__name__)
_RECORD = "served.json"
_SCHEMA_VERSION = 1
_CANDLES = "recent/"
_LISTINGS = "listings.json"
_CANDLE_FILE = re.compile(r"recent/(\d{1,3})-([0-9a-f]{64})\.parquet")


class Keeper(Protocol):
    """What keeps one kind of release: those with a manifest, or joblibs without."""

    def keep(self, version: str) -> None:
        """Have the release of that name, which was just loaded, on disk; raise what a store raises."""
        ...

    def recall(self, version: str) -> LoadedRelease:
        """Load it from disk alone, proved as always; raise `CriptoError` if that cannot be done."""
        ...


class _Mirror(Protocol):
    def keep(self, version: ReleaseVersion) -> None: ...


class KeptReleases:
    """The keeper of releases: ``mirror`` copies them, ``copies`` reads them from disk and asks nobody else."""

    def __init__(self, mirror: _Mirror, copies: Releases, *, threads: int = 1) -> None:
        self._mirror = mirror
        self._copies = copies
        self._threads = threads

    def keep(self, version: str) -> None:
        """See `Keeper.keep`."""
        self._mirror.keep(ReleaseVersion.parse(version))

    def recall(self, version: str) -> LoadedRelease:
        """See `Keeper.recall`."""
        return load_release(self._copies, ReleaseVersion.parse(version), threads=self._threads)


class LastGood:
    """One release and the last candles, in ``local``, a store of its own per store, interval and quotes.

    ``releases`` and ``bare`` keep the two kinds of release. Whatever is not whole is as good as not there.
    """

    def __init__(
        self, local: ObjectStore, interval: Interval, *, releases: Keeper, bare: Keeper | None = None
    ) -> None:
        self._local = local
        self._interval = interval
        self._releases = releases
        self._bare = bare

    def keep(self, release: LoadedRelease | None, candles: HeldCandles | None) -> None:
        """Copy what has just been taken up; the record comes last. Raises what a store raises."""
        if candles is not None:
            self._keep_candles(candles)
        if release is not None:
            self._keeper_of(release.version).keep(release.version)
            record = {"schema_version": _SCHEMA_VERSION, "release": release.version}
            self._local.put(_RECORD, json.dumps(record).encode())

    def recall(self, feed: CandleFeed) -> tuple[LoadedRelease | None, HeldCandles | None]:
        """The release and the candles it looks back on; ``None`` for what is not there or not whole."""
        try:
            version = self._recorded()
            release = self._keeper_of(version).recall(version)
            if release.interval != self._interval:
                raise ReleaseRefused(version, f"it is of interval {release.interval}")
        except ObjectNotFound:
            return None, None
        except CriptoError as error:
            _LOG.warning("the release on disk cannot be used: %s", error)
            return None, None
        return release, self.candles(feed, release.features.lookback)

    def candles(self, feed: CandleFeed, lookback: int) -> HeldCandles | None:
        """The last candles, if they were kept for that ``lookback``."""
        try:
            for info in self._local.list(_CANDLES):
                found = _CANDLE_FILE.fullmatch(info.key)
                if found is not None and int(found[1]) == lookback:
                    frame = self._read_candles(info.key, found[2])
                    return feed.cut(frame, lookback, listings=self.listings())
        except CriptoError as error:
            _LOG.warning("the candles on disk cannot be used: %s", error)
        return None

    def listings(self) -> Listings:
        """What exchanges were last known to say; nothing, if that was not kept or cannot be read."""
        try:
            return Listings.from_bytes(self._local.get(_LISTINGS).data)
        except ObjectNotFound:
            pass
        except CriptoError as error:
            _LOG.warning("the listings on disk cannot be used: %s", error)
        return Listings()

    def _keeper_of(self, version: str) -> Keeper:
        keeper = self._bare if version.startswith(BARE) else self._releases
        if keeper is None:
            raise ReleaseRefused(version, "joblibs without a release are not served here")
        return keeper

    def _recorded(self) -> str:
        data = self._local.get(_RECORD).data
        try:
            record = json.loads(data)
            if record["schema_version"] != _SCHEMA_VERSION or not isinstance(record["release"], str):
                raise ValueError("unknown form")
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{_RECORD} is malformed: {error!r}") from error
        return str(record["release"])

    def _keep_candles(self, candles: HeldCandles) -> None:
        self._local.put(_LISTINGS, candles.listings.to_bytes())
        file = io.BytesIO()
        candles.frame.write_parquet(file, compression="zstd", compression_level=1)
        data = file.getvalue()
        key = f"{_CANDLES}{candles.lookback}-{hashlib.sha256(data).hexdigest()}.parquet"
        self._local.put(key, data)
        for info in list(self._local.list(_CANDLES)):
            if info.key != key:
                self._local.delete(info.key)

    def _read_candles(self, key: str, digest: str) -> pl.DataFrame:
        data = self._local.get(key).data
        # checked first: polars may end the process over bytes that are no Parquet
        if hashlib.sha256(data).hexdigest() != digest:
            raise InvalidInput(f"{key} is not what was written")
        try:
            frame = checked_candles(pl.read_parquet(data))
        except pl.exceptions.PolarsError as error:
            raise InvalidInput(f"{key} cannot be read: {type(error).__name__}") from error
        if set(frame["interval"].unique()) - {self._interval.name}:
            raise InvalidInput(f"{key} holds candles of another interval")
        return frame
