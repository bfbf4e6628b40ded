"""The object the API asks: one immutable snapshot, replaced by one reference, and what keeps it fresh."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from cripto.domain.asset import parse_asset
from cripto.domain.clock import Clock
from cripto.domain.forecast import Forecast
from cripto.domain.interval import parse_interval
from cripto.domain.steps import step
from cripto.errors import CriptoError, ModelRefused, NoRelease, ReleaseRefused, StorageUnavailable
from cripto.forecasting._memory import give_back
from cripto.forecasting.answers import Answer
from cripto.forecasting.board import WARM_ASSETS, Board, lead_of
from cripto.forecasting.candle_feed import CandleFeed, HeldCandles
from cripto.forecasting.finder import BareJoblibs, Finder
from cripto.forecasting.journal import Journal
from cripto.forecasting.last_good import LastGood
from cripto.forecasting.release import LoadedRelease, Releases
from cripto.forecasting.status import Status, candle_state
from cripto.forecasting.windows import Windows
from cripto.market.lake import CandleLake
from cripto.market.listings import ListingBook, Listings

__all__ = ["PredictionService", "Snapshot"]

_LOG = logging.getLogger(__name__)
# where another release is served; where none is, a refused one is fetched again at each look
_LOOKS_BEFORE_ANOTHER_TRY = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is served: a release, the candles as last read, and the board of both. Parts not there are ``None``."""

    release: LoadedRelease | None = None
    loaded_at: datetime | None = None
    candles: HeldCandles | None = None
    board: Board | None = None


class PredictionService:
    """Forecasts by the store's current release on the lake's current candles.

    Blocking, and safe to share between threads. Starts empty: `refresh` (cheap when nothing changed) or `load`
    (reads the release anew) fill it. Both work aside - a release is read, proved and made to answer for every
    asset - and swap one reference at the end, so whatever fails leaves what was served. ``bare`` gives the
    joblibs without a release, ``last_good`` what to start from while the store does not answer, ``listings`` what
    exchanges say of their pairs.
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
        warm_assets: int = WARM_ASSETS,
        bare: BareJoblibs | None = None,
        last_good: LastGood | None = None,
        listings: ListingBook | None = None,
    ) -> None:
        self.interval = parse_interval(interval)
        self._clock = clock
        # a candle that has closed is missed once its grace is over, so boards live that much behind the clock
        self._grace = self.interval.grace
        self._finder = Finder(
            releases,
            bare,
            interval=self.interval,
            default_interval=default_interval or interval,
            pin=pin,
            threads=threads,
        )
        self._feed = CandleFeed(lake, self.interval, quotes)
        self._warm_assets = warm_assets
        self._last_good = last_good
        self._book = listings
        self._listings: Listings | None = None
        self._snapshot = Snapshot()
        self._working = Lock()
        self._swapping = Lock()
        self._journal = Journal(Status(self.interval))

    @property
    def snapshot(self) -> Snapshot:
        """What is served at this moment. Keep the reference to see one state throughout."""
        return self._snapshot

    @property
    def ready(self) -> bool:
        """Whether a release is loaded."""
        return self._snapshot.release is not None

    def held(self, asset: str, now: datetime | None = None) -> Answer | None:
        """The answer of an upper-case symbol if it is at hand; never blocks, so the event loop may call it."""
        board = self._snapshot.board
        return None if board is None else board.held(asset, (now or self._clock.now()) - self._grace)

    def all_held(self, assets: Iterable[str]) -> dict[str, Answer] | None:
        """The answers of all these upper-case symbols, of one state, if all are at hand; never blocks."""
        board, now = self._snapshot.board, self._settled()
        answers: dict[str, Answer] = {}
        for asset in assets:
            answer = None if board is None else board.held(asset, now)
            if answer is None:
                return None
            answers[asset] = answer
        return answers

    def answer(self, asset: str) -> Answer:
        """The encoded answer of one asset, in any case.

        Raises `InvalidAsset`, `UnknownAsset`, `RetiredAsset`, `InsufficientHistory`, `HistoryGap`; `NoRelease` and
        `StorageUnavailable` while there is nothing to answer from; `ModelRefused` if a model fails.
        """
        symbol = parse_asset(asset)
        return self._board().answer(symbol, self._settled())

    def forecasts(self, assets: Iterable[str]) -> dict[str, Forecast | CriptoError]:
        """What becomes of each asset, in one batch, by upper-case symbol; raises what concerns no single one."""
        symbols = [parse_asset(asset) for asset in assets]
        return self._board().forecasts(symbols, self._settled())

    def answers(self, assets: Iterable[str]) -> dict[str, Answer | CriptoError]:
        """The encoded answer of each upper-case symbol, or why it has none, in order and of one state.

        Raises what concerns no single asset, as `answer` does.
        """
        return self._board().answers_of(assets, self._settled())

    def windows(self) -> Windows:
        """The candles that answers are made from; raises as `answer` does while there is nothing."""
        return self._board().windows

    def load(self) -> Snapshot:
        """Find the release, load and prove it anew, read the candles, and swap.

        Raises what `load_release` and the registry raise; then what was served is served on, and `status`
        says why. Candles that cannot be read do not undo a release that can: the last ones stay.
        """
        with self._working:
            return self._renew(force=True)

    def refresh(self) -> Snapshot:
        """Look for another release or other candles and take them up; the same as `load` where nothing is loaded.

        Never raises for a store or lake that fails: what was served is served on, or the last good release and
        candles from disk where nothing was, and `status` says why.
        """
        with self._working:
            self._journal.looked()
            try:
                return self._renew(force=False)
            except Exception as error:  # already logged and kept in `status`; the loop that calls this must live
                if not isinstance(error, NoRelease):  # a store that answers so is believed
                    self.recall()
                return self._snapshot

    def follow(self) -> None:
        """Look for other candles alone, under the release that is served: one small request where nothing changed.

        Never raises for a lake that fails, as `refresh`.
        """
        with self._working:
            served = self._snapshot
            if served.release is None or served.candles is None:
                return
            try:
                listings = self._listings or served.candles.listings
                self._follow(self._candles(served.release.features.lookback, served, listings), served)
            except (
                Exception
            ) as error:  # any failure at all must leave what is served, and the loop that calls this
                self._journal.note("candles", error)

    def recall(self) -> None:
        """Take up the last good release and candles from disk where none is loaded; waits for no store.

        Nothing happens where nothing was kept, or what was kept cannot be used any more.
        """
        if self._last_good is None or self.ready:
            return
        release, candles = self._last_good.recall(self._feed)
        if release is None:
            return
        board = None if candles is None else self._new_board(release, candles)
        if board is not None:
            self._warm(board)
        give_back()
        with self._swapping:
            if self.ready:
                return  # the store has answered meanwhile
            self._snapshot = Snapshot(release, self._clock.now(), candles, board)
            if not any(problem.part == "release" for problem in self._journal.status.problems):
                self._journal.note("release", StorageUnavailable("the store has not answered yet"))
        _LOG.info("release %s is served from disk", release.version)

    def keep_told(self) -> float:
        """Have the answers of the coming interval encoded before they are told, so that nobody waits for them.

        Returns after how many seconds there is more of that to do.
        """
        board, now = self._snapshot.board, self._settled()
        if board is not None:
            board.keep_told(now)
        ends = self.interval.close_of(self.interval.floor(now))
        return (
            (ends if ends - now <= lead_of(self.interval) else ends - lead_of(self.interval)) - now
        ).total_seconds()

    def status(self) -> Status:
        """What is served, how old it is and what is wrong, as of now."""
        snapshot, status = self._snapshot, self._journal.status
        release, candles = snapshot.release, snapshot.candles
        return replace(
            status,
            release=None if release is None else release.version,
            release_created=None if release is None else release.created,
            models=() if release is None else tuple(model.name for model in release.models),
            versions={} if release is None else {model.name: model.version for model in release.models},
            loaded_at=snapshot.loaded_at,
            refused=status.refused + self._finder.refused_files,
            candles=candle_state(self.interval, None if candles is None else candles.windows, self._clock.now()),
        )

    def _settled(self) -> datetime:
        """The time by which a candle that is not there is missed."""
        return self._clock.now() - self._grace

    def _new_board(self, release: LoadedRelease, candles: HeldCandles, previous: Board | None = None) -> Board:
        return Board(
            release,
            candles.windows,
            computed=self._journal.computed,
            previous=previous,
            warm_assets=self._warm_assets,
        )

    def _board(self) -> Board:
        snapshot = self._snapshot
        if snapshot.release is None:
            raise NoRelease(interval=self.interval.name)
        if snapshot.board is None:
            raise StorageUnavailable("the candles have not been read yet")
        return snapshot.board

    def _renew(self, *, force: bool) -> Snapshot:
        """Take up what is new, the release and the candles each for itself, and raise what kept the release."""
        found: LoadedRelease | None = None
        failure: Exception | None = None
        try:
            found = self._found(force=force)
        except Exception as error:  # any failure at all must leave what is served
            failure = error
        served = self._snapshot
        wanted = found or served.release
        candles = None if wanted is None else self._candles(wanted.features.lookback, served)
        if found is not None:
            try:
                self._take_up(found, candles, served)
            except Exception as error:  # as above
                failure = error
        if failure is None:
            self._journal.forget("release")
        else:
            self._journal.note("release", failure)
        if served.release is not None and self._snapshot.release is served.release:
            if candles is not None and candles.lookback != served.release.features.lookback:
                candles = self._candles(served.release.features.lookback, served)
            self._follow(candles, served)
        if failure is not None:
            raise failure
        return self._snapshot

    def _found(self, *, force: bool) -> LoadedRelease | None:
        """The release to serve from now on, or ``None`` if it is the one that is loaded."""
        candidate = self._finder.find()
        self._journal.wanted(candidate.version)
        loaded = self._snapshot.release
        if not force:
            if loaded is not None and loaded.version == candidate.version:
                return None
            # a release never changes, but what was read of it may have been broken on the way
            again = loaded is None or self._journal.status.refreshes % _LOOKS_BEFORE_ANOTHER_TRY == 0
            refusal = self._journal.refusal(candidate.version)
            if refusal is not None and not again:
                raise ReleaseRefused(refusal.release, refusal.reason)
        with step("release.load", release=candidate.version):
            return candidate.load()

    def _take_up(self, release: LoadedRelease, candles: HeldCandles | None, served: Snapshot) -> None:
        """Swap ``release`` in, once it has answered for every asset; raise `ReleaseRefused` if it does not."""
        if candles is None and served.board is not None:
            raise StorageUnavailable(f"the candles that release {release.version} looks back on cannot be read")
        board = None
        if candles is not None:
            board = self._new_board(release, candles, served.board)
            self._prove(board, served.board)
        give_back()
        with self._swapping:
            self._snapshot = Snapshot(release, self._clock.now(), candles, board)
        self._journal.taken_up()
        _LOG.info("release %s is served, %d models", release.version, len(release.models))
        self._keep(release, candles)

    def _follow(self, candles: HeldCandles | None, served: Snapshot) -> None:
        """Swap in what is new of the candles, under the release that is served."""
        if candles is None or candles is served.candles or served.release is None:
            return
        board = self._new_board(served.release, candles, served.board)
        self._warm(board)
        with self._swapping:
            self._snapshot = replace(served, candles=candles, board=board)
        self._keep(None, candles)

    def _candles(self, lookback: int, served: Snapshot, listings: Listings | None = None) -> HeldCandles | None:
        """The last ``lookback`` candles: the lake's, or where it fails the last good ones.

        ``listings`` are those of the store where they are not given.
        """
        held = served.candles
        try:
            known = self._known_listings(held) if listings is None else listings
            candles = self._feed.read(lookback, held, known)
        except Exception as error:  # any failure at all must leave the last good candles
            self._journal.note("candles", error)
            if held is None and self._last_good is not None:
                held = self._last_good.candles(self._feed, lookback)
            return held if held is not None and held.lookback == lookback else None
        self._journal.forget("candles")
        return candles

    def _known_listings(self, held: HeldCandles | None) -> Listings:
        """What exchanges say: the store's, or where it fails what was last known."""
        if self._book is None:
            return Listings()
        try:
            self._listings = self._book.read(self._listings)
        except Exception as error:  # whatever it is, it must not keep candles from being served
            self._journal.note("listings", error)
            if self._listings is not None:
                return self._listings
            if held is not None:
                return held.listings
            return Listings() if self._last_good is None else self._last_good.listings()
        self._journal.forget("listings")
        return self._listings

    def _prove(self, board: Board, served: Board | None) -> None:
        """Refuse a release that fails on real candles where the one before it does not."""
        version = board.release.version
        try:
            without = board.warm(self._settled())
        except ModelRefused as error:
            raise ReleaseRefused(version, f"{error.model}: {error.reason}") from error
        failed = {asset: error for asset, error in without.items() if isinstance(error, ModelRefused)}
        for asset, fault in failed.items():
            # where nothing is served yet, an answer for some assets is better than none for any
            if served.answers(asset) if served is not None else len(without) == len(board.windows.by_symbol):
                raise ReleaseRefused(version, f"{fault.model}: {fault.reason} ({asset})")

    def _warm(self, board: Board) -> None:
        try:
            board.warm(self._settled())
        except CriptoError as error:  # the release is served already: who asks is told
            _LOG.warning("the new candles could not be answered for in advance: %s", error)

    def _keep(self, release: LoadedRelease | None, candles: HeldCandles | None) -> None:
        """Copy what is served to disk; a disk that fails is told, and keeps nobody from being served."""
        if self._last_good is None:
            return
        if any(problem.part == "cache" for problem in self._journal.status.problems):
            release = self._snapshot.release
        try:
            self._last_good.keep(release, candles)
            self._journal.forget("cache")
        except Exception as error:  # whatever a disk or a copy does wrong
            self._journal.note("cache", error)
