"""The object the API asks: one immutable snapshot, replaced by one reference, and what keeps it fresh."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from cripto.domain.asset import parse_asset
from cripto.domain.clock import Clock
from cripto.domain.interval import parse_interval
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import CriptoError, NoRelease, ReleaseRefused, StorageUnavailable
from cripto.forecasting.board import Answer, Board, Outcome
from cripto.forecasting.release import LoadedRelease, Releases, load_release
from cripto.forecasting.status import Problem, Refusal, Status, candle_state
from cripto.forecasting.windows import Windows, read_windows
from cripto.market.lake import CandleLake
from cripto.market.selection import preferred_series

__all__ = ["PredictionService", "Snapshot"]

_LOG = logging.getLogger(__name__)
_REFUSALS_KEPT = 10
# where another release is served; where none is, a refused one is fetched again at each look
_LOOKS_BEFORE_ANOTHER_TRY = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is served: a release, the candles as last read, and the board of both. Parts not there are ``None``."""

    release: LoadedRelease | None = None
    loaded_at: datetime | None = None
    windows: Windows | None = None
    lookback: int = 0
    lake_version: int | None = None
    board: Board | None = None


class PredictionService:
    """Forecasts by the store's current release on the lake's current candles.

    Blocking, and safe to share between threads. Starts empty: `refresh` (cheap when nothing changed) or `load`
    (reads the release anew) fill it. Both work aside and swap one reference at the end, so whatever fails leaves
    what was served.
    """

    def __init__(
        self,
        releases: Releases,
        lake: CandleLake,
        *,
        clock: Clock,
        interval: str,
        default_interval: str | None = None,
        quotes: Sequence[str] = (),
        pin: str | None = None,
        threads: int = 1,
    ) -> None:
        self.interval = parse_interval(interval)
        self._releases = releases
        self._lake = lake
        self._clock = clock
        self._default_interval = default_interval or interval
        self._quotes = tuple(quotes)
        self._pin = pin
        self._threads = threads
        self._snapshot = Snapshot()
        self._working = Lock()
        self._counting = Lock()
        self._status = Status(self.interval)

    @property
    def snapshot(self) -> Snapshot:
        """What is served at this moment. Keep the reference to see one state throughout."""
        return self._snapshot

    @property
    def ready(self) -> bool:
        """Whether a release is loaded."""
        return self._snapshot.release is not None

    def held(self, asset: str) -> Answer | None:
        """The answer of an upper-case symbol if it is at hand; never blocks, so the event loop may call it."""
        board = self._snapshot.board
        return None if board is None else board.held(asset, self._clock.now())

    def answer(self, asset: str) -> Answer:
        """The encoded answer of one asset, in any case.

        Raises `InvalidAsset`, `UnknownAsset`, `InsufficientHistory`, `HistoryGap`; `NoRelease` and
        `StorageUnavailable` while there is nothing to answer from; `ModelRefused` if a model fails.
        """
        symbol = parse_asset(asset)
        return self._board().answer(symbol, self._clock.now())

    def forecasts(self, assets: Iterable[str]) -> dict[str, Outcome]:
        """What becomes of each asset, in one batch, by upper-case symbol; raises what concerns no single one."""
        symbols = [parse_asset(asset) for asset in assets]
        return self._board().forecasts(symbols, self._clock.now())

    def load(self) -> Snapshot:
        """Resolve the release, load and prove it anew, read the candles, and swap.

        Raises what `load_release` and the registry raise; then what was served is served on, and `status`
        says why. Candles that cannot be read do not undo a release that can: the last ones stay.
        """
        with self._working:
            return self._renew(force=True)

    def refresh(self) -> Snapshot:
        """Look for another release or other candles and take them up; the same as `load` where nothing is loaded.

        Never raises for a store or lake that fails: what was served is served on, and `status` says why.
        """
        with self._working:
            self._count(refreshes=1)
            try:
                return self._renew(force=False)
            except Exception:  # already logged and kept in `status`; the loop that calls this must live
                return self._snapshot

    def status(self) -> Status:
        """What is served, how old it is and what is wrong, as of now."""
        snapshot, now = self._snapshot, self._clock.now()
        release = snapshot.release
        with self._counting:
            status = self._status
        return replace(
            status,
            release=None if release is None else release.version,
            release_created=None if release is None else release.manifest.created,
            models=() if release is None else tuple(model.name for model in release.models),
            loaded_at=snapshot.loaded_at,
            candles=candle_state(self.interval, snapshot.windows, now),
        )

    def _board(self) -> Board:
        snapshot = self._snapshot
        if snapshot.release is None:
            raise NoRelease
        if snapshot.board is None:
            raise StorageUnavailable("the candles have not been read yet")
        return snapshot.board

    def _renew(self, *, force: bool) -> Snapshot:
        release, loaded_at, failure = self._snapshot.release, self._snapshot.loaded_at, None
        try:
            found = self._current_release(force=force)
            if found is not None:
                release, loaded_at = found, self._clock.now()
            self._forget("release")
        except Exception as error:  # any failure at all must leave what is served
            self._note("release", error)
            failure = error
        self._swap(release, loaded_at)
        if failure is not None:
            raise failure
        return self._snapshot

    def _current_release(self, *, force: bool) -> LoadedRelease | None:
        """The release to serve from now on, or ``None`` if it is the one that is loaded."""
        version = self._releases.resolve(self.interval.name, self._default_interval, self._pin)
        loaded = self._snapshot.release
        if not force:
            if loaded is not None and loaded.version == str(version):
                return None
            # a release never changes, but what was read of it may have been broken on the way
            again = loaded is None or self._status.refreshes % _LOOKS_BEFORE_ANOTHER_TRY == 0
            for refusal in self._status.refused:
                if refusal.release == str(version) and not again:
                    raise ReleaseRefused(refusal.release, refusal.reason)
        release = self._load(version)
        self._drop_refusal(str(version))
        return release

    def _load(self, version: ReleaseVersion) -> LoadedRelease:
        release = load_release(self._releases, version, threads=self._threads)
        if release.interval != self.interval:
            raise ReleaseRefused(
                release.version, f"it was fitted on {release.interval} candles, not {self.interval}"
            )
        return release

    def _swap(self, release: LoadedRelease | None, loaded_at: datetime | None) -> None:
        old = self._snapshot
        windows, lookback, lake_version = old.windows, old.lookback, old.lake_version
        if release is not None:
            wanted = release.manifest.features.lookback
            try:
                version = self._lake.version()
                if windows is None or version != lake_version or wanted != lookback:
                    candles = self._lake.recent(self.interval.name, wanted)
                    windows = read_windows(preferred_series(candles, self._quotes), self.interval, wanted)
                    lookback, lake_version = wanted, version
                self._forget("candles")
            except Exception as error:  # any failure at all must leave the last good candles
                self._note("candles", error)
                if wanted != lookback:
                    windows = None
        if release is old.release and windows is old.windows:
            return
        board = None
        if release is not None and windows is not None:
            board = Board(release, windows, computed=self._add_computations, previous=old.board)
        self._snapshot = Snapshot(release, loaded_at, windows, lookback, lake_version, board)
        if release is not None and release is not old.release:
            _LOG.info("release %s is served, %d models", release.version, len(release.models))
        if windows is not None and windows is not old.windows:
            _LOG.info("candles of %d assets are served, lake version %s", len(windows.last_opens), lake_version)

    def _add_computations(self, count: int) -> None:
        self._count(computations=count)

    def _count(self, *, computations: int = 0, refreshes: int = 0) -> None:
        with self._counting:
            self._status = replace(
                self._status,
                computations=self._status.computations + computations,
                refreshes=self._status.refreshes + refreshes,
            )

    def _note(self, part: str, error: Exception) -> None:
        missing = isinstance(error, NoRelease)
        with self._counting:
            known = {problem.part: repr(problem.error) for problem in self._status.problems}
            problems = (
                *(problem for problem in self._status.problems if problem.part != part),
                Problem(part, error),
            )
            refused = self._status.refused
            if isinstance(error, ReleaseRefused):
                refused = tuple(refusal for refusal in refused if refusal.release != error.release)
                refused = (*refused, Refusal(error.release, error.reason))[-_REFUSALS_KEPT:]
            self._status = replace(
                self._status,
                problems=problems,
                refused=refused,
                release_failures=self._status.release_failures + (part == "release" and not missing),
                candle_failures=self._status.candle_failures + (part == "candles"),
            )
        if known.get(part) != repr(error):
            # one line for a fault that lasts, however often it is met; what we raise ourselves needs no traceback
            unforeseen = None if isinstance(error, CriptoError) else error
            _LOG.warning("the %s could not be renewed: %s", part, error, exc_info=unforeseen)

    def _forget(self, part: str) -> None:
        with self._counting:
            problems = tuple(problem for problem in self._status.problems if problem.part != part)
            self._status = replace(self._status, problems=problems)

    def _drop_refusal(self, version: str) -> None:
        with self._counting:
            refused = tuple(refusal for refusal in self._status.refused if refusal.release != version)
            self._status = replace(self._status, refused=refused)
