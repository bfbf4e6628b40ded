"""The board: the encoded answers of one release on one state of the candles, each worked out once.

A board never changes what it stands for: another release or other candles make another board, which takes over
from the last one whatever still holds. Only the clock moves under it: how many candles an asset is behind changes
when one closes, so an answer expires at the next boundary of its interval and is then told anew, without being
worked out anew.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from cripto.domain.forecast import Forecast
from cripto.errors import CriptoError, UnknownAsset
from cripto.forecasting.encode import encode_answer
from cripto.forecasting.forecaster import forecast_windows, restate
from cripto.forecasting.release import LoadedRelease
from cripto.forecasting.windows import Window, Windows

__all__ = ["Answer", "Board", "Outcome"]

Outcome = Forecast | CriptoError
"""What became of one asset: a forecast, or why there is none."""

_UNKNOWN_KEPT = 1024
# few enough that requests find their turn between two batches, enough that a batch is worth its overhead
_WARMED_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """Encoded bytes, a strong entity tag with its quotes, and from when to when (UTC) they hold."""

    body: bytes
    etag: str
    since: datetime
    expires: datetime


class Board:
    """Answers for every asset of ``windows`` by ``release``. Safe to share between threads."""

    def __init__(
        self,
        release: LoadedRelease,
        windows: Windows,
        *,
        computed: Callable[[int], None] = lambda _: None,
        previous: "Board | None" = None,
    ) -> None:
        self.release = release
        self.windows = windows
        self._computed = computed
        self._lock = Lock()
        self._outcomes: dict[str, Future[Outcome]] = {}
        self._answers: dict[str, Answer] = {}
        self._unknown: OrderedDict[str, UnknownAsset] = OrderedDict()
        if previous is not None and previous.release.version == release.version:
            self._take_over(previous)

    def held(self, asset: str, now: datetime) -> Answer | None:
        """The answer at hand, if there is one that has not expired; never blocks."""
        answer = self._answers.get(asset)
        # a clock that was set back leaves the interval the answer was told in, just as one that goes on does
        return answer if answer is not None and answer.since <= now < answer.expires else None

    def answer(self, asset: str, now: datetime) -> Answer:
        """The answer of one asset, worked out now if need be, by one caller however many ask.

        Raises `UnknownAsset`, `InsufficientHistory`, `HistoryGap`, or `ModelRefused` where a model fails.
        """
        held = self.held(asset, now)
        if held is not None:
            return held
        outcome = self.forecasts([asset], now)[asset]
        if isinstance(outcome, CriptoError):
            raise outcome.with_traceback(None)
        return self._tell(asset, outcome, now)

    def answers_of(self, assets: Iterable[str], now: datetime) -> dict[str, Answer | CriptoError]:
        """The answer of each asset, or why there is none, in order; those not at hand are worked out in one batch.

        Raises `ModelRefused` if a model fails as a whole.
        """
        held = {asset: self.held(asset, now) for asset in assets}
        outcomes = self.forecasts([asset for asset, answer in held.items() if answer is None], now)
        answers: dict[str, Answer | CriptoError] = {}
        for asset, answer in held.items():
            if answer is not None:
                answers[asset] = answer
                continue
            outcome = outcomes[asset]
            answers[asset] = outcome if isinstance(outcome, CriptoError) else self._tell(asset, outcome, now)
        return answers

    def warm(self, now: datetime) -> dict[str, CriptoError]:
        """Work out and encode the answer of every asset, and say which have none, and why.

        Raises `ModelRefused` if a model fails as a whole.
        """
        without: dict[str, CriptoError] = {}
        assets = list(self.windows.by_symbol)
        for start in range(0, len(assets), _WARMED_AT_ONCE):
            for asset, outcome in self.forecasts(assets[start : start + _WARMED_AT_ONCE], now).items():
                if isinstance(outcome, CriptoError):
                    without[asset] = outcome
                elif self.held(asset, now) is None:
                    self._tell(asset, outcome, now)
        return without

    def answers(self, asset: str) -> bool:
        """Whether the asset has a forecast that was worked out."""
        future = self._outcomes.get(asset)
        if future is None or not future.done() or future.exception() is not None:
            return False
        return isinstance(future.result(), Forecast)

    def forecasts(self, assets: Iterable[str], now: datetime) -> dict[str, Outcome]:
        """What became of each asset at ``now``; those not yet worked out are, in one batch.

        Raises `ModelRefused` if a model fails as a whole; that is not remembered, so the next call tries again.
        """
        wanted = list(dict.fromkeys(assets))
        results: dict[str, Outcome] = {}
        waiting: dict[str, Future[Outcome]] = {}
        mine: list[tuple[Window, Future[Outcome]]] = []
        with self._lock:
            for asset in wanted:
                window = self.windows.by_symbol.get(asset)
                if window is None:
                    continue
                if isinstance(window, CriptoError):
                    results[asset] = window
                    continue
                future = self._outcomes.get(asset)
                if future is None:
                    future = self._outcomes[asset] = Future()
                    mine.append((window, future))
                waiting[asset] = future
        if mine:
            self._work_out(mine, now)
        for asset, future in waiting.items():
            outcome = future.result()
            results[asset] = outcome if isinstance(outcome, CriptoError) else restate(outcome, now)
        return {asset: results[asset] if asset in results else self._unknown_asset(asset) for asset in wanted}

    def _tell(self, asset: str, forecast: Forecast, now: datetime) -> Answer:
        body = encode_answer(forecast)
        interval = self.release.interval
        since = interval.floor(now)
        answer = Answer(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', since, interval.close_of(since))
        self._answers[asset] = answer
        return answer

    def _work_out(self, mine: Sequence[tuple[Window, "Future[Outcome]"]], now: datetime) -> None:
        try:
            outcomes = forecast_windows(self.release, [window for window, _ in mine], now)
        except BaseException as error:
            # whoever waits must be told, and whoever comes next must be free to try again
            with self._lock:
                for window, _ in mine:
                    self._outcomes.pop(window.symbol, None)
            for _, future in mine:
                future.set_exception(error)
            raise
        self._computed(len(mine))
        for window, future in mine:
            future.set_result(outcomes[window.symbol])

    def _unknown_asset(self, asset: str) -> UnknownAsset:
        with self._lock:
            found = self._unknown.get(asset)
            if found is not None:
                self._unknown.move_to_end(asset)
                return found
        error = UnknownAsset(asset, self.windows.neighbours.nearest(asset))
        with self._lock:
            self._unknown[asset] = error
            if len(self._unknown) > _UNKNOWN_KEPT:
                self._unknown.popitem(last=False)
        return error

    def _take_over(self, previous: "Board") -> None:
        with previous._lock:
            outcomes = dict(previous._outcomes)
        for asset, future in outcomes.items():
            now, before = self.windows.by_symbol.get(asset), previous.windows.by_symbol.get(asset)
            # windows compare by digest and source: the forecast is the same exactly when they do
            if now == before and future.done() and future.exception() is None:
                self._outcomes[asset] = future
                answer = previous._answers.get(asset)
                if answer is not None:
                    self._answers[asset] = answer
