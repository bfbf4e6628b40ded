"""The services of one application, one for each interval, and what is done to all of them: one after the other."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import Lock

from cripto.domain.interval import parse_interval
from cripto.errors import IntervalNotServed
from cripto.forecasting import PredictionService, Status

__all__ = ["Services"]


class Services:
    """The default interval's service and those of ``others``; safe to share between threads.

    Whatever renews one waits until no other is renewed, so that several intervals take no more of the processor,
    nor more memory at once, than one does. ``renewal`` is entered, with the name of its interval, while one is
    renewed.
    """

    def __init__(
        self,
        default: PredictionService,
        others: Iterable[PredictionService] = (),
        renewal: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self.default = default
        self.by_interval = {service.interval.name: service for service in (default, *others)}
        self._turn = Lock()
        self._renewal = renewal

    def __iter__(self) -> Iterator[PredictionService]:
        """Every service, the default one first."""
        return iter(self.by_interval.values())

    def of(self, interval: str | None) -> PredictionService:
        """The service of the interval of that name, the default one for ``None``.

        Raises `UnknownInterval`, and `IntervalNotServed` for one that is known.
        """
        if interval is None:
            return self.default
        name = parse_interval(interval).name
        try:
            return self.by_interval[name]
        except KeyError:
            raise IntervalNotServed(name, tuple(self.by_interval)) from None

    @property
    def predict(self) -> bool:
        """Whether there is a service that can predict."""
        return any(service.snapshot.board is not None for service in self)

    @property
    def all_predict(self) -> bool:
        """Whether there is none that cannot."""
        return all(service.snapshot.board is not None for service in self)

    def statuses(self) -> dict[str, Status]:
        """What each says of itself, by interval."""
        return {name: service.status() for name, service in self.by_interval.items()}

    def refresh(self, service: PredictionService) -> None:
        """See `PredictionService.refresh`."""
        with self._turn, self._renewal(service.interval.name):
            service.refresh()

    def follow(self, service: PredictionService) -> None:
        """See `PredictionService.follow`."""
        with self._turn, self._renewal(service.interval.name):
            service.follow()

    def refresh_all(self) -> None:
        """Refresh one after the other."""
        for service in self:
            self.refresh(service)

    def load(self) -> dict[str, Exception]:
        """Load each anew; why those failed that did, by interval. What such a one served is served on."""
        failures: dict[str, Exception] = {}
        for name, service in self.by_interval.items():
            try:
                with self._turn, self._renewal(name):
                    service.load()
            except Exception as error:  # whatever it is, the others are loaded all the same
                failures[name] = error
        return failures

    def recall(self) -> None:
        """See `PredictionService.recall`; waits for no renewal, which may be waiting for the store."""
        for name, service in self.by_interval.items():
            with self._renewal(name):
                service.recall()

    def keep_told(self) -> float:
        """See `PredictionService.keep_told`; the seconds of the one that has the least."""
        return min(service.keep_told() for service in self)
