"""Training's work on Spark: the same bits as on this machine's threads, on as many machines as there are.

Spark reads the lake's Parquet files, computes features asset by asset with the builder that serving uses, and runs
each fit as a job of one task. Candles and features pass through the driver, which sorts them, proves that nothing
leaks, and publishes; every Python process of an executor holds a copy of the dataset, `BROADCAST_BYTES` at most.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.errors import OperatorError
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.market.schema import sorted_by
from cripto.training._fingerprint import Fingerprint, fingerprint, refuse_unlike
from cripto.training._spark_tables import BROADCAST_BYTES, candles_of, frame_of, packed, rows_of, unpacked
from cripto.training._spark_words import (
    CANDLE_FIELDS,
    Failure,
    checked_master,
    is_local,
    reason_of,
    sources,
    wanted_series,
)
from cripto.training.dataset import Dataset, labelled_rows, read_candles
from cripto.training.engine import Reading, gathered
from cripto.training.fitting import one_thread
from cripto.training.leaks import Builder

__all__ = ["BROADCAST_BYTES", "SparkEngine", "spark_session"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)
_KEYS: Final = ("symbol", "quote")
_GROUPS = count(1)
# jobs that wait cost a thread each, and let an elastic cluster see how much there is to do
_WAITING: Final = 64
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
_LOCAL_SETTINGS: Final = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
}


@contextmanager
def spark_session(master: str | None, settings: Mapping[str, str] | None = None) -> Iterator[Any]:
    """A Spark session on ``master``, or the one that runs (``None``, as on AWS Glue), stopped if it was made here.

    ``settings`` are Spark's own. Raises `InvalidInput` for what is no master, and `OperatorError` where Spark or
    Java is missing or does not start.
    """
    if master is not None:
        checked_master(master)
    try:
        import pyspark
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise OperatorError(f"Spark is not installed here, pip install 'cripto[spark]' does: {error}") from error
    held = SparkSession.getActiveSession()
    builder = SparkSession.builder.appName("cripto train")
    chosen = {f"spark.executorEnv.{name}": "1" for name in _ONE_THREAD}
    if master is not None:
        builder = builder.master(master)
        if is_local(master):
            chosen |= _LOCAL_SETTINGS
            # executors run what this process runs, from where it is installed
            os.environ["PYSPARK_PYTHON"] = sys.executable
            os.environ["SPARK_HOME"] = str(Path(pyspark.__file__).parent)
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    for name, value in {**chosen, **(settings or {})}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise OperatorError(f"Spark does not start; it needs Java 17: {reason_of(str(error))}") from error
    try:
        yield session
    finally:
        if held is None:
            session.stop()


class SparkEngine:
    """Where ``session`` computes. One run at a time; see `cripto.training.engine.Engine` for each method.

    ``print_of`` tells machines apart that would fit other bits.
    """

    def __init__(self, session: Any, print_of: Callable[[], Fingerprint] = fingerprint) -> None:
        self._session = session
        self._print_of = print_of
        self._context = session.sparkContext
        self._sent: tuple[Dataset, Any] | None = None
        # the frames that cross do so as Arrow's columns
        session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
        session.conf.set("spark.sql.execution.arrow.pyspark.fallback.enabled", "false")
        session.conf.set("spark.sql.session.timeZone", "UTC")

    def read(
        self,
        lake: CandleLake,
        interval: Interval,
        quotes: Sequence[str],
        listings: Listings,
        until: datetime | None = None,
    ) -> Reading:
        """See `Engine.read`; where Spark cannot read the lake's files, the lake does."""

        def of_version(version: int) -> pl.DataFrame:
            files = lake.files(interval.name, version)
            paths = None if not files else sources(files, is_local(self._context.master), self._schemes(files))
            reason = "it has no way to its files"
            if paths is not None:
                try:
                    with _told(), _quiet():
                        return self._read(paths, interval, quotes, listings, until)
                except OperatorError as error:
                    reason = str(error)
            _LOG.warning("the lake is read without Spark: %s", reason)
            return lake.read(interval.name, until=until, version=version)

        return Reading(*read_candles(lake, interval, quotes, listings, of_version, until))

    def label(self, reading: Reading, spec: FeatureSpec, interval: Interval, build: Builder) -> pl.DataFrame:
        """See `Engine.label`: one asset at a time, in whichever process has it."""
        from pyspark.errors import PythonException

        def labelled(asset: Any) -> Any:
            return frame_of(labelled_rows(candles_of(asset), spec, interval, build))

        numbers = ", ".join(f"`{name}` double" for name in (*spec.names, "log_return"))
        fields = f"interval string, {CANDLE_FIELDS.format(time='long')}"
        columns = [field.split()[0] for field in fields.split(", ")]
        try:
            with _told(PythonException), _quiet():
                candles = self._session.createDataFrame(frame_of(reading.candles.select(columns)), schema=fields)
                parts = min(reading.candles["symbol"].n_unique(), 2 * self._context.defaultParallelism)
                by_asset = candles.repartition(max(parts, 1), "symbol").groupBy("symbol")
                found = by_asset.applyInPandas(labelled, schema=f"symbol string, time long, {numbers}").toPandas()
        except PythonException as error:
            # candles that the builder refuses are refused here in its own words
            labelled_rows(reading.candles, spec, interval, build)
            raise OperatorError(f"Spark could not compute features: {reason_of(str(error))}") from error
        return sorted_by(rows_of(found), "symbol", "time")

    def run(
        self,
        work: Callable[[Dataset, Task], Result],
        tasks: Sequence[Task],
        dataset: Dataset,
        done: Callable[[int], None],
    ) -> list[Result]:
        """See `Engine.run`: a job of one task each, in their order, all of them waiting at once.

        Before a process of an executor does its first, it is held against this one: raises `TrainingRefused` where
        the proofs, which fit again here, would find other bits.
        """
        from pyspark import inheritable_thread_target

        alike = partial(refuse_unlike, self._print_of(), self._print_of)
        shared, group = self._broadcast(dataset), f"cripto-{next(_GROUPS)}"

        def remote(task: Task) -> Result:
            self._context.setJobGroup(group, f"{work.__name__} {getattr(task, 'name', '')}".strip(), True)
            one = self._context.range(1, numSlices=1)
            with _told():
                told = one.map(lambda _: _outcome(shared, alike, work, task)).collect()[0]
            if isinstance(told, Failure):
                raise told.error()
            result: Result = told
            return result

        with ThreadPoolExecutor(max(1, min(len(tasks), _WAITING)), "spark") as pool:
            # each closes its connection to Java, and has properties of its own
            futures = [pool.submit(inheritable_thread_target(remote), task) for task in tasks]
            return gathered(pool, futures, done, stop=lambda: self._context.cancelJobGroup(group))

    def _read(
        self,
        paths: Sequence[str],
        interval: Interval,
        quotes: Sequence[str],
        listings: Listings,
        until: datetime | None,
    ) -> pl.DataFrame:
        from pyspark.sql import functions

        candles = self._session.read.schema(CANDLE_FIELDS.format(time="timestamp")).parquet(*paths)
        if until is not None:
            candles = candles.filter(functions.col("time") < functions.lit(until))
        candles = candles.withColumns(
            {"time": functions.unix_micros("time"), "interval": functions.lit(interval.name)}
        ).select(*CANDLE_COLUMNS)
        last = candles.groupBy(*_KEYS).agg(functions.max("time").alias("time")).toPandas()
        wanted = wanted_series(rows_of(last), quotes, listings)
        if wanted:
            series = self._session.createDataFrame(wanted, schema="symbol string, quote string")
            candles = candles.join(functions.broadcast(series), on=list(_KEYS), how="left_semi")
        return sorted_by(candles_of(candles.toPandas()), *_KEYS, "time")

    def _schemes(self, files: Sequence[str]) -> set[str]:
        """Which of the files' schemes this Spark has a file system for."""
        from py4j.protocol import Py4JJavaError

        known = set()
        for scheme in {file.partition("://")[0] for file in files if "://" in file}:
            java = self._context._jvm.org.apache.hadoop.fs.FileSystem
            try:
                java.getFileSystemClass(scheme, self._context._jsc.hadoopConfiguration())
            except Py4JJavaError:
                continue
            known.add(scheme)
        return known

    def _broadcast(self, dataset: Dataset) -> Any:
        """The dataset as executors find it; sent once however many runs there are."""
        if self._sent is not None:
            if self._sent[0] is dataset:
                return self._sent[1]
            self._sent[1].destroy()
            self._sent = None
        shared = self._context.broadcast(packed(dataset))
        self._sent = dataset, shared
        return shared


def _outcome(
    shared: Any, alike: Callable[[], None], work: Callable[[Dataset, Task], Result], task: Task
) -> "Result | Failure":
    """On an executor: what comes of one task. A failure is told once, not tried again."""
    try:
        with one_thread():
            alike()
            return work(unpacked(shared.value), task)
    except Exception as error:
        return Failure.of(error)


@contextmanager
def _told(*passed: type[Exception]) -> Iterator[None]:
    """What goes wrong with Spark itself as an error that an operator can act on; ``passed`` goes through."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except passed:
        raise
    except (Py4JError, PySparkException) as error:
        raise OperatorError(f"Spark could not finish: {reason_of(str(error))}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Spark 3.5 asks pandas 2 in words that pandas 3 will not know, and warns of what it raises: neither is shown.

    Not for several threads at once.
    """
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category, module=r"pyspark\.")
        yield
