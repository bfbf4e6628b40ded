"""The board: the answers of one release on one state of the candles, each worked out once.

A board never changes what it stands for: another release or other candles make another board, which takes over
from the last one whatever still holds. Only the clock moves under it: how many candles an asset is behind changes
when one closes, so the table of encoded answers is for one interval of time, and the next interval's is made
before it is needed. Assets that are not answered in advance are worked out for whoever asks first, and kept while
they are asked for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType

from cripto.domain.forecast import Forecast
from cripto.domain.interval import Interval
from cripto.domain.steps import step, watched
from cripto.errors import CriptoError
from cripto.forecasting._turns import in_turns
from cripto.forecasting.answers import Answer, Table, tell
from cripto.forecasting.asked import Recent, UnknownAssets
from cripto.forecasting.encode import EncodedForecast, encode_forecast
from cripto.forecasting.forecaster import forecast_windows
from cripto.forecasting.release import LoadedRelease
from cripto.forecasting.windows import Window, Windows

__all__ = ["WARM_ASSETS", "Board", "Outcome", "lead_of"]

Outcome = EncodedForecast | CriptoError
"""What became of one asset: a forecast that only has to be told, or why there is none."""

WARM_ASSETS = 5000
"""How many assets are answered in advance, unless it is said otherwise."""

_ASKED_KEPT = 1024
_LONGEST_LEAD = timedelta(seconds=10)
_NOTHING: Mapping[str, Outcome] = MappingProxyType({})
# few enough that requests find their turn between two batches, enough that a batch is worth its overhead
_WARMED_AT_ONCE = 16


def lead_of(interval: Interval) -> timedelta:
    """How long before an interval begins its answers are told."""
    return min(_LONGEST_LEAD, interval.step / 4)


_Keep = Callable[[Mapping[str, Outcome]], None]


@dataclass(frozen=True, slots=True)
class _Asked:
    outcome: Outcome
    answer: Answer | None = None


class Board:
    """Answers for the assets of ``windows`` by ``release``. Safe to share between threads.

    The busiest ``warm_assets`` of them are answered in advance, by `warm`; ``computed`` is told how many forecasts
    were worked out, each time some were.
    """

    def __init__(
        self,
        release: LoadedRelease,
        windows: Windows,
        *,
        computed: Callable[[int], None] = lambda _: None,
        previous: "Board | None" = None,
        warm_assets: int = WARM_ASSETS,
    ) -> None:
        self.release = release
        self.windows = windows
        self._computed = computed
        self._warm_assets = warm_assets
        self._lock = Lock()
        self._flying: dict[str, Future[Outcome]] = {}
        self._asked: Recent[str, _Asked] = Recent(_ASKED_KEPT)
        self._unknown = UnknownAssets({*windows.by_symbol, *windows.aliases})
        self._outcomes: Mapping[str, Outcome] = _NOTHING
        self._tables: tuple[Table, ...] = ()
        if previous is not None and previous.release.version == release.version:
            self._take_over(previous)

    def held(self, asset: str, now: datetime) -> Answer | None:
        """The answer at hand, if there is one that has not expired; never waits for anything.

        Every name is an upper-case symbol or an alias of one, here and below.
        """
        asset = self.windows.resolve(asset)
        for table in self._tables:
            if table.since <= now < table.expires:
                answer = table.answers.get(asset)
                if answer is not None:
                    return answer
                break
        asked = self._asked.get(asset)
        answer = None if asked is None else asked.answer
        return answer if answer is not None and answer.holds(now) else None

    def answer(self, asset: str, now: datetime) -> Answer:
        """The answer of one asset, worked out now if need be, by one caller however many ask.

        Raises `UnknownAsset`, `InsufficientHistory`, `HistoryGap`, or `ModelRefused` where a model fails.
        """
        held = self.held(asset, now)
        if held is not None:
            return held
        answer = self.answers_of([asset], now)[asset]
        if isinstance(answer, CriptoError):
            raise answer.with_traceback(None)
        return answer

    def warm(self, now: datetime) -> dict[str, CriptoError]:
        """Work out and encode the answers that are to be at hand, and say which assets have none, and why.

        Raises `ModelRefused` if a model fails as a whole.
        """
        assets = self.windows.busiest(self._warm_assets)
        # filled while others may read it, and replaced when it is whole
        growing = self._outcomes = dict(self._outcomes)
        outcomes: dict[str, Outcome] = {}
        # one step, not some for each of hundreds of batches
        with step("board.warm", release=self.release.version, assets=len(assets)), watched(None):
            for start in in_turns(range(0, len(assets), _WARMED_AT_ONCE)):
                outcomes |= self._results(assets[start : start + _WARMED_AT_ONCE], now, growing.update)
            self._outcomes = MappingProxyType(outcomes)
            self._tables = (self._told(now),)
            self.keep_told(now)
        return {
            asset: outcome
            for asset, outcome in {**self.windows.by_symbol, **outcomes}.items()
            if isinstance(outcome, CriptoError)
        }

    def keep_told(self, now: datetime) -> None:
        """Have a table of answers for ``now`` and, where the next interval is near, for that one too.

        Nothing is worked out for it. Cheap where nothing is to be done.
        """
        interval = self.release.interval
        tables = [table for table in self._tables if table.holds(now)] or [self._told(now)]
        begins = tables[0].expires
        if begins - now <= lead_of(interval):
            tables += [table for table in self._tables if table.since == begins] or [self._told(begins)]
        self._tables = tuple(tables)

    def answers(self, asset: str) -> bool:
        """Whether the asset has a forecast that was worked out."""
        return isinstance(self._outcome(asset), EncodedForecast)

    def answers_of(self, assets: Iterable[str], now: datetime) -> dict[str, Answer | CriptoError]:
        """The answer of each asset, or why it has none; those not yet worked out are, in one batch.

        Raises `ModelRefused` if a model fails as a whole; that is not remembered, so the next call tries again.
        """
        symbols = {asset: self.windows.resolve(asset) for asset in assets}
        answers: dict[str, Answer | CriptoError | None] = {
            symbol: self.held(symbol, now) for symbol in symbols.values()
        }
        missing = [symbol for symbol, answer in answers.items() if answer is None]
        for symbol, outcome in self._results(missing, now, self._keep_asked).items():
            answers[symbol] = outcome if isinstance(outcome, CriptoError) else self._tell(symbol, outcome, now)
        return {asset: answer for asset, symbol in symbols.items() if (answer := answers[symbol]) is not None}

    def forecasts(self, assets: Iterable[str], now: datetime) -> dict[str, Forecast | CriptoError]:
        """What becomes of each asset at ``now``, as values, worked out in one batch and not kept.

        Raises `ModelRefused` if a model fails as a whole.
        """
        by_symbol, resolve = self.windows.by_symbol, self.windows.resolve
        found = {asset: by_symbol.get(resolve(asset)) or self._unknown.refusal(asset) for asset in assets}
        windows = {window.symbol: window for window in found.values() if isinstance(window, Window)}
        outcomes = forecast_windows(self.release, list(windows.values()), now)
        return {
            asset: outcomes[window.symbol] if isinstance(window, Window) else window
            for asset, window in found.items()
        }

    def _outcome(self, asset: str) -> Outcome | None:
        outcome = self._outcomes.get(asset)
        if outcome is None:
            asked = self._asked.get(asset)
            outcome = None if asked is None else asked.outcome
        return outcome

    def _results(self, assets: Iterable[str], now: datetime, keep: _Keep) -> dict[str, Outcome]:
        results: dict[str, Outcome | Future[Outcome]] = {}
        mine: list[tuple[Window, Future[Outcome]]] = []
        for asset in assets:
            window = self.windows.by_symbol.get(asset)
            if window is None:
                results[asset] = self._unknown.refusal(asset)
            elif isinstance(window, CriptoError):
                results[asset] = window
            elif asset not in results:
                with self._lock:
                    results[asset] = found = self._outcome(asset) or self._flying.get(asset) or Future()
                    if isinstance(found, Future) and asset not in self._flying:
                        self._flying[asset] = found
                        mine.append((window, found))
        if mine:
            self._work_out(mine, now, keep)
        return {asset: found.result() if isinstance(found, Future) else found for asset, found in results.items()}

    def _work_out(self, mine: Sequence[tuple[Window, "Future[Outcome]"]], now: datetime, keep: _Keep) -> None:
        interval = self.release.interval
        try:
            forecasts = forecast_windows(self.release, [window for window, _ in mine], now)
            with step("encode", assets=len(forecasts)):
                outcomes = {
                    asset: found if isinstance(found, CriptoError) else encode_forecast(found, interval)
                    for asset, found in in_turns(forecasts.items())
                }
        except BaseException as error:
            # whoever waits must be told, and whoever comes next must be free to try again
            with self._lock:
                for window, _ in mine:
                    del self._flying[window.symbol]
            for _, future in mine:
                future.set_exception(error)
            raise
        self._computed(len(mine))
        with self._lock:
            keep(outcomes)
            for window, _ in mine:
                del self._flying[window.symbol]
        for window, future in mine:
            future.set_result(outcomes[window.symbol])

    def _keep_asked(self, outcomes: Mapping[str, Outcome]) -> None:
        for asset, outcome in outcomes.items():
            self._asked.put(asset, _Asked(outcome))

    def _tell(self, asset: str, outcome: EncodedForecast, now: datetime) -> Answer:
        answer = tell(outcome, now)
        self._asked.put(asset, _Asked(outcome, answer))
        return answer

    def _told(self, now: datetime) -> Table:
        """What was worked out in advance, as it is told at ``now``."""
        interval = self.release.interval
        since = interval.floor(now)
        at_hand: Mapping[str, Answer] = next((t.answers for t in self._tables if t.since == since), {})
        answers = {
            asset: at_hand.get(asset) or tell(outcome, now)
            for asset, outcome in in_turns(self._outcomes.items())
            if isinstance(outcome, EncodedForecast)
        }
        return Table(since, interval.close_of(since), MappingProxyType(answers))

    def _take_over(self, previous: "Board") -> None:
        # windows compare by digest and source: the forecast is the same exactly when they do
        before = previous.windows.by_symbol
        same = {asset for asset, window in self.windows.by_symbol.items() if window == before.get(asset)}
        self._outcomes = MappingProxyType({a: found for a, found in previous._outcomes.items() if a in same})
        self._tables = tuple(table.of(same) for table in previous._tables)
        for asset, asked in previous._asked.items():
            if asset in same:
                self._asked.put(asset, asked)
