"""Where a run's work is done: on the threads of this machine, or wherever another engine sends it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import polars as pl

from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.training.dataset import Dataset, labelled_rows, read_candles
from cripto.training.fitting import one_thread, side_by_side
from cripto.training.leaks import Builder

__all__ = ["Engine", "LocalEngine", "Reading", "gathered"]

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Reading:
    """The candles of one version of the lake, one series per symbol as `asset_series` gives them."""

    candles: pl.DataFrame
    version: int


class Engine(Protocol):
    """Reads candles, computes features and runs fits; which engine did moves no bit of a release."""

    def read(
        self,
        lake: CandleLake,
        interval: Interval,
        quotes: Sequence[str],
        listings: Listings,
        until: datetime | None = None,
    ) -> Reading:
        """The candles to train on; raises as `cripto.training.dataset.read_candles`."""
        ...

    def label(self, reading: Reading, spec: FeatureSpec, interval: Interval, build: Builder) -> pl.DataFrame:
        """Features and target of the candles that have both, as `cripto.training.dataset.labelled_rows`."""
        ...

    def run(
        self,
        work: Callable[[Dataset, Task], Result],
        tasks: Sequence[Task],
        dataset: Dataset,
        done: Callable[[int], None],
    ) -> list[Result]:
        """``work`` of each of ``tasks``, in their order; ``done`` hears how many are, on the thread that called.

        ``work`` is a pure function that other processes can import, and runs with BLAS on one thread. The first
        failure is raised; what has not begun by then is not begun.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Threads of this process, ``jobs`` of them; no bit depends on how many."""

    jobs: int = 1

    def read(
        self,
        lake: CandleLake,
        interval: Interval,
        quotes: Sequence[str],
        listings: Listings,
        until: datetime | None = None,
    ) -> Reading:
        """See `Engine.read`."""
        return Reading(*read_candles(lake, interval, quotes, listings, until=until))

    def label(self, reading: Reading, spec: FeatureSpec, interval: Interval, build: Builder) -> pl.DataFrame:
        """See `Engine.label`."""
        return labelled_rows(reading.candles, spec, interval, build)

    def run(
        self,
        work: Callable[[Dataset, Task], Result],
        tasks: Sequence[Task],
        dataset: Dataset,
        done: Callable[[int], None],
    ) -> list[Result]:
        """See `Engine.run`."""
        with one_thread(), side_by_side(), ThreadPoolExecutor(self.jobs, "fit") as pool:
            return gathered(pool, [pool.submit(work, dataset, task) for task in tasks], done)


def gathered(
    pool: ThreadPoolExecutor,
    futures: Sequence[Future[Result]],
    done: Callable[[int], None],
    stop: Callable[[], None] = lambda: None,
) -> list[Result]:
    """The results of ``futures``, in their order; ``done`` hears how many are there.

    The first failure is raised, once what ``pool`` has begun has ended, which ``stop`` may hasten; it begins
    nothing more.
    """
    try:
        for count, future in enumerate(as_completed(futures), start=1):
            future.result()
            done(count)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        stop()
        raise
    return [future.result() for future in futures]
