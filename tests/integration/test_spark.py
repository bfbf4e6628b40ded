"""Training on Spark: the release of this machine's threads, byte for byte, also through Glue's script."""

import json
import os
import platform
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.domain.clock import FixedClock
from cripto.errors import InvalidInput, ModelRefused, OperatorError, TrainingRefused
from cripto.features import build_features, default_spec
from cripto.market.lake import CandleLake, open_lake
from cripto.market.listings import Listings
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore, open_store
from cripto.training import TrainingPlan, train
from cripto.training._fingerprint import Fingerprint
from cripto.training.dataset import Dataset
from cripto.training.engine import Engine, LocalEngine
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.processes import command
from tests.doubles.spark import descendants, glue_environment, glue_script, install_as_glue, need_spark, running
from tests.unit.training.toys import NOW, QUICK, lake_of
from tests.unit.training.toys import dataset_of as toy_dataset

if TYPE_CHECKING:
    from cripto.training.spark import SparkEngine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("spark"),
    # Spark 3.5 leaves it to the collector to close the sockets that its results came through
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MASTERS = ["local[2]", "local-cluster[2,1,1024]"]


@pytest.fixture(scope="module", params=MASTERS)
def spark(request: pytest.FixtureRequest) -> "Iterator[SparkEngine]":
    need_spark()
    from cripto.training.spark import SparkEngine, spark_session

    with spark_session(request.param, {"spark.log.level": "FATAL"}) as session:
        yield SparkEngine(session)


@pytest.fixture(scope="module")
def candles() -> pl.DataFrame:
    """Two quotes, an old name and its new one, a gap, a price that breaks, and a coin that follows the dollar."""
    whole = random_walk(["BTC", "ETH", "USDC"], 200)
    broken = random_walk(["POL"], 180, start=START + 20 * DAILY.step).with_columns(
        pl.when(pl.col("time") > START + timedelta(days=150))
        .then(pl.col("open", "high", "low", "close") * 50)
        .otherwise(pl.col("open", "high", "low", "close"))
    )
    return pl.concat(
        [
            whole.filter((pl.col("symbol") != "ETH") | (pl.col("time") != START + timedelta(days=90))),
            random_walk(["BTC", "ADA"], 190, quote="EUR"),
            broken,
            random_walk(["MATIC"], 40),
        ]
    )


@pytest.fixture(scope="module")
def lake(candles: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> CandleLake:
    """The candles in several files of a folder, some of them revised since."""
    made = open_lake(tmp_path_factory.mktemp("a lake").as_uri())
    made.upsert(candles.head(300).with_columns(volume=pl.lit(1.5)))
    made.upsert(candles)
    return made


def released(lake: CandleLake, engine: Engine | None) -> dict[str, bytes]:
    store = MemoryStore()
    plan = TrainingPlan(recipes=QUICK, folds=2, quotes=("USDT", "EUR"))
    train(lake, ReleaseRegistry(store), plan, FixedClock(NOW), engine=engine)
    return {info.key: store.get(info.key).data for info in store.list("")}


@pytest.fixture(scope="module")
def expected(lake: CandleLake) -> dict[str, bytes]:
    return released(lake, None)


def test_a_release_is_the_same_to_the_last_byte(
    spark: Engine, lake: CandleLake, expected: dict[str, bytes]
) -> None:
    found = released(lake, spark)
    assert sorted(found) == sorted(expected)
    assert [key for key in found if found[key] != expected[key]] == []
    assert sum(key.endswith(".joblib") for key in found) == 5


def test_the_same_candles_are_read(spark: Engine, lake: CandleLake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cripto.training.spark")
    for quotes in (("USDT", "EUR"), ("EUR",)):
        found = spark.read(lake, DAILY, quotes, Listings())
        wanted = LocalEngine().read(lake, DAILY, quotes, Listings())
        assert found.version == wanted.version
        assert_frame_equal(found.candles, wanted.candles)
    until = START + 150 * DAILY.step
    found = spark.read(lake, DAILY, ("USDT",), Listings(), until)
    assert_frame_equal(found.candles, LocalEngine().read(lake, DAILY, ("USDT",), Listings(), until).candles)
    assert found.candles["time"].max() == until - DAILY.step
    assert caplog.messages == [], "Spark itself read them"


def test_a_lake_whose_files_spark_cannot_read_is_read_without_it(
    spark: Engine, candles: pl.DataFrame, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "cripto.training.spark")
    memory = lake_of(candles)
    found = spark.read(memory, DAILY, ("USDT",), Listings())
    assert_frame_equal(found.candles, LocalEngine().read(memory, DAILY, ("USDT",), Listings()).candles)
    assert "without Spark: it has no way to its files" in caplog.text
    monkeypatch.setattr(memory, "files", lambda *_: ["/nowhere/part-0.parquet"], raising=False)
    found = spark.read(memory, DAILY, ("USDT",), Listings())
    assert found.candles.height > 0
    assert "without Spark: Spark could not finish" in caplog.text


def toy(name: str, number: int) -> SimpleNamespace:
    return SimpleNamespace(name=name, number=number)


def toy_work(dataset: Dataset, task: SimpleNamespace) -> Any:
    if task.name == "refused":
        raise TrainingRefused(f"too little for {task.number}")
    if task.name == "model":
        raise ModelRefused("regressor_rf", "it disagrees", final=True)
    if task.name == "dies":
        os._exit(3)
    return task.number, len(dataset), os.environ.get("OPENBLAS_NUM_THREADS")


# what executors are sent whole, since they cannot import tests
toy_work.__module__ = "__main__"


def test_failures_are_raised_as_they_were_and_work_goes_on_after_them(spark: Engine) -> None:
    dataset, heard = toy_dataset(random_walk(["BTC"], 120)), list[int]()
    with pytest.raises(TrainingRefused, match="too little for 1"):
        spark.run(toy_work, [toy("fine", 0), toy("refused", 1)], dataset, heard.append)
    with pytest.raises(ModelRefused) as refused:
        spark.run(toy_work, [toy("model", 0)], dataset, heard.append)
    assert (refused.value.model, refused.value.reason, refused.value.final) == (
        "regressor_rf",
        "it disagrees",
        True,
    )
    with pytest.raises(OperatorError, match=r"Spark could not finish: .*SparkException"):
        spark.run(toy_work, [toy("dies", 0)], dataset, heard.append)
    heard.clear()
    tasks = [toy("fine", number) for number in range(5)]
    assert spark.run(toy_work, tasks, dataset, heard.append) == [
        (number, len(dataset), "1") for number in range(5)
    ]
    assert heard == [1, 2, 3, 4, 5]


def unlike() -> Fingerprint:
    return Fingerprint(str(os.getpid()), "a process")


unlike.__module__ = "__main__"


def test_executors_of_another_kind_than_the_driver_are_refused_before_they_fit(
    spark: "SparkEngine", monkeypatch: pytest.MonkeyPatch
) -> None:
    from cripto.training.spark import SparkEngine

    dataset, heard = toy_dataset(random_walk(["BTC"], 120)), list[int]()
    with pytest.raises(TrainingRefused, match=r"of another kind .*: a process; the driver is a process"):
        SparkEngine(spark._session, unlike).run(toy_work, [toy("dies", 0)], dataset, heard.append)
    if platform.machine() == "x86_64":
        # another processor for what computes: the oldest that OpenBLAS knows
        monkeypatch.setitem(spark._context.environment, "OPENBLAS_CORETYPE", "Prescott")
        with pytest.raises(TrainingRefused, match=r"for Katmai.*; the driver is x86_64"):
            spark.run(toy_work, [toy("dies", 0)], dataset, heard.append)
    assert heard == []


def test_what_the_builder_refuses_is_refused_in_its_words(spark: Engine) -> None:
    reading = LocalEngine().read(lake_of(random_walk(["BTC"], 120)), DAILY, ("USDT",), Listings())

    def refuses(*_: Any) -> pl.DataFrame:
        raise InvalidInput("these candles never")

    with pytest.raises(InvalidInput, match="these candles never"):
        spark.label(reading, default_spec(), DAILY, refuses)
    assert not spark.label(reading, default_spec(), DAILY, build_features).is_empty()


def comparable(store: Path) -> dict[str, Any]:
    """All of a store's one release but its version, the moment it was made and the code it was made by."""
    opened = open_store(store.as_uri())
    (version,) = {info.key.split("/")[2] for info in opened.list("models/releases/")}
    found = {}
    for info in opened.list("models/"):
        key, data = info.key.replace(version, "VERSION"), opened.get(info.key).data
        if key.endswith((".json", ".html", ".md")):
            text = data.decode().replace(version, "VERSION")
            if key.endswith("manifest.json"):
                manifest = json.loads(text)
                manifest["created"] = manifest["source_revision"] = None
                manifest["files"] = [entry["path"] for entry in manifest["files"]]
                text = json.dumps(manifest)
            found[key] = text
        elif not key.startswith("models/channels/"):
            found[key] = str(hash(data))
    return {key: value for key, value in found.items() if "model-card" not in key and "channels" not in key}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project and all it needs, installed as Glue does."""
    need_spark()
    return install_as_glue(tmp_path_factory.mktemp("glue"))


def test_glues_script_killed_leaves_nothing_and_run_again_gives_the_release_of_this_machine(
    tmp_path: Path, modules: Path
) -> None:
    stores = {name: tmp_path / name for name in ("glue", "here")}
    for store in stores.values():
        open_lake(store.as_uri()).upsert(random_walk(["BTC", "ETH"], 170))
    environment = glue_environment(modules, tmp_path / "not this one")
    arguments = ["--store", stores["glue"].as_uri(), "--folds", "2", "--promote=true", "--interval", "1d"]

    first = glue_script(environment, *arguments)
    assert first.stderr is not None
    seen = []
    for line in first.stderr:
        seen.append(line)
        if "walk-forward fits: 3 of" in line:
            break
    started = descendants(first.pid)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert started, "".join(seen)
    assert list(open_store(stores["glue"].as_uri()).list("models/")) == []
    deadline = time.monotonic() + 60
    while any(running(pid) for pid in started):
        assert time.monotonic() < deadline, "Spark outlived its driver"
        time.sleep(0.2)

    second = glue_script(environment, *arguments)
    _, told = second.communicate(timeout=900)
    assert second.returncode == 0, told
    assert '"training ends"' in told
    here = {"CRIPTO_STORE": stores["here"].as_uri()}
    local = command("train", "--folds", "2", "--promote", env=here, cwd=tmp_path)
    assert local.returncode == 0, local.stderr
    assert comparable(stores["glue"]) == comparable(stores["here"])


def test_glues_script_fails_aloud(modules: Path) -> None:
    environment = glue_environment(modules, modules / "nothing here")
    for arguments, said in (
        (["--promote", "perhaps"], "--promote is true or false"),
        ([], "no candles in the lake"),
    ):
        job = glue_script(environment, *arguments)
        _, told = job.communicate(timeout=600)
        assert job.returncode != 0
        assert said in told


def test_the_command_line_trains_on_spark(tmp_path: Path) -> None:
    need_spark()
    environment = {"CRIPTO_STORE": (tmp_path / "nothing here").as_uri()}
    done = command("train", "--engine", "spark", "--spark-master", "local[1]", env=environment, cwd=tmp_path)
    assert done.returncode == 3
    assert "cripto: there are no candles in the lake" in done.stderr
