"""Settings to objects: the one place where the parts are put together. Imports are late, to start fast."""

import hashlib
import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cripto.cli.keys import read_signer, read_trust
from cripto.domain.clock import Clock, SystemClock
from cripto.domain.interval import parse_interval
from cripto.errors import CriptoError

if TYPE_CHECKING:
    from cripto.forecasting.bare import BareModels
    from cripto.forecasting.release import Releases
    from cripto.forecasting.service import PredictionService
    from cripto.market.lake import CandleLake
    from cripto.market.listings import ListingBook
    from cripto.registry import ReleaseRegistry, SigningKey, Trust
    from cripto.settings import Settings
    from cripto.storage import ObjectStore

__all__ = ["Installation", "installation"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Installation:
    """One configured installation; each part is made when it is first asked for.

    ``chosen`` is the interval it is about where that is not CRIPTO_INTERVAL, see `at`.
    """

    settings: "Settings"
    clock: Clock
    chosen: str | None = None

    @property
    def interval(self) -> str:
        """The name of the candle interval it is about."""
        return self.chosen or self.settings.interval

    def at(self, interval: str | None) -> "Installation":
        """The same installation for another interval, which shares store and lake; itself for ``None``.

        Raises `UnknownInterval`.
        """
        if interval is None or parse_interval(interval).name == self.interval:
            return self
        other = replace(self, chosen=interval)
        for part in ("store", "trust", "signer", "registry", "lake", "listings"):
            other.__dict__[part] = getattr(self, part)
        return other

    @cached_property
    def store(self) -> "ObjectStore":
        """The object store."""
        from cripto.storage import open_store

        return open_store(self.settings.store_url)

    @cached_property
    def trust(self) -> "Trust":
        """Whose signatures count."""
        return read_trust(self.settings)

    @cached_property
    def signer(self) -> "SigningKey | None":
        """The key that signs what is published and promoted, if there is one."""
        return read_signer(self.settings)

    @cached_property
    def registry(self) -> "ReleaseRegistry":
        """The releases in the store."""
        from cripto.registry import ReleaseRegistry

        return ReleaseRegistry(self.store, trust=self.trust, signer=self.signer)

    @cached_property
    def lake(self) -> "CandleLake":
        """The candles in the store."""
        from cripto.market.lake import open_lake

        return open_lake(self.settings.store_url)

    @cached_property
    def listings(self) -> "ListingBook":
        """What exchanges say of their pairs, in the store."""
        from cripto.market.listings import ListingBook

        return ListingBook(self.store)

    @cached_property
    def service(self) -> "PredictionService":
        """What answers: nothing is loaded until it is told to."""
        from cripto.forecasting.last_good import KeptReleases, LastGood
        from cripto.forecasting.service import PredictionService
        from cripto.registry import Mirror, ReleaseRegistry, Watch

        settings, disk = self.settings, self.disk
        watch = Watch(self.registry, trust=self.trust, local=disk)
        releases: Releases = watch
        bare, last_good = self.bare, None
        if disk is not None:
            releases = mirror = Mirror(watch, self.store, disk)
            kept = KeptReleases(mirror, ReleaseRegistry(disk, trust=self.trust))
            last_good = LastGood(disk, parse_interval(self.interval), releases=kept, bare=bare)
        return PredictionService(
            releases,
            self.lake,
            clock=self.clock,
            interval=self.interval,
            default_interval=settings.interval,
            quotes=settings.quotes,
            pin=settings.pin(self.interval),
            warm_assets=settings.warm_assets,
            bare=bare,
            last_good=last_good,
            listings=self.listings,
        )

    @cached_property
    def bare(self) -> "BareModels | None":
        """Joblibs without a release, which do not say their interval: they are taken for the default one's.

        Nobody has signed them, so none are served where that is demanded.
        """
        if self.trust.required or self.interval != self.settings.interval:
            return None
        from cripto.forecasting.bare import BareModels, Disk
        from cripto.registry.convert import ConversionCache

        disk = None
        if self.disk is not None:
            disk = Disk(ConversionCache(self.disk, _warn), self.disk)
        return BareModels(self.store, parse_interval(self.interval), disk)

    @cached_property
    def disk(self) -> "ObjectStore | None":
        """Where copies of this interval are kept: a store of its own below CRIPTO_CACHE_DIR, if that is set."""
        from cripto.storage import LocalStore

        settings = self.settings
        if settings.cache_dir is None:
            return None
        what = "\n".join((settings.store_url, self.interval, settings.quote))
        return LocalStore(settings.cache_dir / hashlib.sha256(what.encode()).hexdigest()[:16])


def _warn(error: CriptoError) -> None:
    _LOG.warning("a conversion could not be kept on disk, or read from it: %s", error)


def installation(interval: str | None = None) -> Installation:
    """Read the settings, and the keys they name, and return what they describe; nothing is connected to yet.

    ``interval`` is what it is about, if not CRIPTO_INTERVAL; raise `UnknownInterval` if there is none of the name.
    """
    from cripto.settings import load_settings

    parts = Installation(load_settings(), SystemClock())
    # a key that cannot be used stops every command at start, as any other setting does
    _ = parts.trust, parts.signer
    return parts.at(interval)
