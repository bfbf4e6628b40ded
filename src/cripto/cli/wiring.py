"""Settings to objects: the one place where the parts are put together. Imports are late, to start fast."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cripto.cli.keys import read_signer, read_trust
from cripto.domain.clock import Clock, SystemClock
from cripto.domain.interval import parse_interval
from cripto.settings import Settings, load_settings

if TYPE_CHECKING:
    from cripto.forecasting.last_good import LastGood
    from cripto.forecasting.release import Releases
    from cripto.forecasting.service import PredictionService
    from cripto.market.lake import CandleLake
    from cripto.registry import ReleaseRegistry, SigningKey, Trust
    from cripto.storage import ObjectStore

__all__ = ["Installation", "installation"]


@dataclass(frozen=True)
class Installation:
    """One configured installation; each part is made when it is first asked for."""

    settings: Settings
    clock: Clock

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
    def service(self) -> "PredictionService":
        """What answers: nothing is loaded until it is told to."""
        from cripto.forecasting.service import PredictionService

        releases, last_good = self._releases_and_last_good()
        return PredictionService(
            releases,
            self.lake,
            clock=self.clock,
            interval=self.settings.interval,
            quotes=self.settings.quotes,
            pin=self.settings.release,
            last_good=last_good,
        )

    @cached_property
    def disk(self) -> "ObjectStore | None":
        """Where this installation keeps copies: a store of its own below CRIPTO_CACHE_DIR, if that is set."""
        from cripto.storage import LocalStore

        settings = self.settings
        if settings.cache_dir is None:
            return None
        what = "\n".join((settings.store_url, settings.interval, settings.quote))
        return LocalStore(settings.cache_dir / hashlib.sha256(what.encode()).hexdigest()[:16])

    def _releases_and_last_good(self) -> "tuple[Releases, LastGood | None]":
        """Releases as the service reads them, and what keeps the last good one where there is a disk for it."""
        if self.disk is None:
            return self.registry, None
        from cripto.forecasting.last_good import KeptReleases, LastGood
        from cripto.registry import Mirror, ReleaseRegistry

        mirror = Mirror(self.registry, self.store, self.disk)
        kept = KeptReleases(mirror, ReleaseRegistry(self.disk))
        return mirror, LastGood(self.disk, parse_interval(self.settings.interval), releases=kept)


def installation() -> Installation:
    """Read the settings, and the keys they name, and return what they describe; nothing is connected to yet."""
    parts = Installation(load_settings(), SystemClock())
    # a key that cannot be used stops every command at start, as any other setting does
    _ = parts.trust, parts.signer
    return parts
