"""Which release is to be served: the pinned, the promoted or the newest one, else the joblibs without any."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cripto.domain.interval import Interval
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import NoRelease, ReleaseRefused
from cripto.forecasting.release import LoadedRelease, Releases, load_release
from cripto.forecasting.status import Refusal

__all__ = ["BareJoblibs", "Candidate", "Finder"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be served: what answers would call it, and what loads it."""

    version: str
    load: Callable[[], LoadedRelease]


class BareJoblibs(Protocol):
    """What this room needs of joblibs that belong to no release."""

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The files that were passed over when last looked at, and why."""
        ...

    def find(self) -> Candidate:
        """The newest acceptable joblib of each name; raise `NoRelease` if there is none."""
        ...


class Finder:
    """Looks, and loads; remembers nothing of releases. ``threads`` is for one run of one model."""

    def __init__(
        self,
        releases: Releases,
        bare: BareJoblibs | None,
        *,
        interval: Interval,
        default_interval: str,
        pin: str | None,
        threads: int,
    ) -> None:
        self._releases = releases
        self._bare = bare
        self._interval = interval
        self._default_interval = default_interval
        self._pin = pin
        self._threads = threads
        self._looked_at_bare = False

    def find(self) -> Candidate:
        """What the store says is to be served now.

        Raises `NoRelease`, `ReleaseRefused` for a pinned or promoted release that must not be, and what the
        store raises.
        """
        self._looked_at_bare = False
        try:
            version = self._releases.resolve(self._interval.name, self._default_interval, self._pin)
        except NoRelease:
            if self._bare is None or self._pin is not None:
                raise
            self._looked_at_bare = True
            return self._bare.find()
        return Candidate(str(version), partial(self._load, version))

    @property
    def refused_files(self) -> tuple[Refusal, ...]:
        """Joblibs without a release that were passed over, where such were looked at."""
        return self._bare.refused if self._bare is not None and self._looked_at_bare else ()

    def _load(self, version: ReleaseVersion) -> LoadedRelease:
        release = load_release(self._releases, version, threads=self._threads)
        if release.interval != self._interval:
            raise ReleaseRefused(
                release.version, f"it was fitted on {release.interval} candles, not {self._interval}"
            )
        return release
