"""The main job as a user types it: other processes, a real port, nothing but the command line and HTTP."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.processes import command, kill_after, kill_once, serving

GOLDEN = Path(__file__).parents[1] / "golden" / "seed"
QUICKLY = ("--folds", "2")
ROUTES = {"/": "root", "/health": "health", "/models": "models", "/symbol/BTC": "symbol", "/reload": "reload"}


def assert_holds(example: Any, answer: Any) -> None:
    """The answer has each name of the seed's example, with its type, all the way down; versions are free."""
    assert isinstance(answer, type(example)) or {type(answer), type(example)} <= {int, float}
    if isinstance(example, dict):
        assert example.keys() <= answer.keys()
        for name, value in example.items():
            assert_holds(value, answer[name])


def assert_the_seeds_endpoints_answer(client: httpx.Client) -> None:
    for route, name in ROUTES.items():
        response = client.get(route)
        assert response.status_code == 200, (route, response.text)
        assert_holds(json.loads((GOLDEN / f"{name}.json").read_text()), response.json())


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    path = tmp_path / "candles.parquet"
    random_walk(["BTC", "ETH", "ADA"], 260, source="exchange").drop("interval").write_parquet(path)
    return path


def test_up_does_everything_from_nothing(tmp_path: Path) -> None:
    with serving("up", env={}, cwd=tmp_path) as client:
        assert_the_seeds_endpoints_answer(client)
        answer = client.get("/symbol/btc").json()
        assert (answer["dados"]["situacao"], answer["dados"]["fonte"]) == ("amostra", "amostra")
        assert list(answer["modelos"]) == list(MODEL_NAMES)
        assert client.get("/health").json()["status"] == "healthy"
        # what was trained with is not held on to by what serves
        held = Path(f"/proc/{client.pid}/maps").read_text()
        assert "onnxruntime" in held
        assert "sklearn" not in held
    log = (tmp_path / "up.log").read_text()
    assert "bundled sample" in log
    assert (tmp_path / "var" / "store" / "models" / "channels" / "production.json").exists()

    # the second time there is a release: nothing is trained
    with serving("up", env={}, cwd=tmp_path) as client:
        assert client.get("/symbol/BTC").json()["release"] == answer["release"]
    assert "training" not in (tmp_path / "up.log").read_text()


@pytest.mark.slow
def test_the_same_works_with_the_store_on_s3(tmp_path: Path, s3_bucket: str, candles: Path) -> None:
    env = {"BUCKET_NAME": s3_bucket}
    imported = command("candles", "import", candles, "--json", env=env, cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout)["files"][0]["inserted"] == 780
    trained = command("train", *QUICKLY, "--json", env=env, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    release = json.loads(trained.stdout)
    assert release["promoted"]
    with serving("serve", env=env, cwd=tmp_path) as client:
        assert_the_seeds_endpoints_answer(client)
        answers = [client.get(f"/symbol/{asset}").json() for asset in ("BTC", "ETH", "ADA")]
        assert {answer["release"] for answer in answers} == {release["release"]}
        assert {answer["dados"]["fonte"] for answer in answers} == {"exchange"}
    assert not (tmp_path / "var").exists()


@pytest.mark.slow
def test_a_release_published_meanwhile_is_taken_up_by_the_running_server(tmp_path: Path, candles: Path) -> None:
    env = {"CRIPTO_STORE": (tmp_path / "store").as_uri(), "CRIPTO_REFRESH_SECONDS": "0.2"}
    assert command("candles", "import", candles, env=env, cwd=tmp_path).returncode == 0
    assert command("train", *QUICKLY, env=env, cwd=tmp_path).returncode == 0
    with serving("serve", env=env, cwd=tmp_path) as client:
        first = client.get("/symbol/BTC").json()["release"]
        published = command("train", *QUICKLY, "--seed", "7", "--json", env=env, cwd=tmp_path)
        assert json.loads(published.stdout)["promoted"] is False
        second = json.loads(published.stdout)["release"]
        assert client.get("/symbol/BTC").json()["release"] == first
        assert command("models", "promote", second, env=env, cwd=tmp_path).returncode == 0
        assert client.get("/reload").json()["release"] == second
        assert client.get("/symbol/BTC").json()["release"] == second


@pytest.mark.parametrize(
    "seconds", [None, *(pytest.param(seconds, marks=pytest.mark.slow) for seconds in (0.9, 1.2, 1.5, 1.8))]
)
def test_a_killed_import_leaves_a_readable_lake_and_importing_again_completes_it(
    seconds: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "many.parquet"
    walk = random_walk([f"A{number}" for number in range(40)], 3000, start=datetime(2015, 1, 1, tzinfo=UTC))
    walk.drop("interval").write_parquet(path)
    url = (tmp_path / "store").as_uri()
    env = {"CRIPTO_STORE": url}
    if seconds is None:  # as soon as it has begun to write

        def due() -> bool:
            return any((tmp_path / "store").rglob("*.parquet*"))

        assert kill_once(due, "candles", "import", path, env=env, cwd=tmp_path)
    else:
        kill_after(seconds, "candles", "import", path, env=env, cwd=tmp_path)
    partial = open_lake(url).read("1d")
    assert partial.select("symbol", "time").n_unique() == partial.height
    assert partial.join(walk, on=walk.columns, how="anti").is_empty()
    assert command("candles", "import", path, env=env, cwd=tmp_path).returncode == 0
    whole = open_lake(url).read("1d")
    assert whole.select("symbol", "time").n_unique() == whole.height == 120_000


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2.0, 4.0, 5.0])
def test_a_killed_training_leaves_no_half_release(seconds: float, tmp_path: Path, candles: Path) -> None:
    url = (tmp_path / "store").as_uri()
    env = {"CRIPTO_STORE": url}
    assert command("candles", "import", candles, env=env, cwd=tmp_path).returncode == 0
    kill_after(seconds, "train", *QUICKLY, env=env, cwd=tmp_path)
    registry = ReleaseRegistry(open_store(url))
    for version in registry.versions():
        assert registry.verify(registry.manifest(version)) == []
    rerun = command("train", *QUICKLY, "--json", env=env, cwd=tmp_path)
    assert rerun.returncode == 0, rerun.stderr
    assert registry.channel("1d", "1d") is not None


@pytest.mark.slow
def test_a_training_killed_while_it_publishes_leaves_no_half_release(tmp_path: Path, candles: Path) -> None:
    url, models = (tmp_path / "store").as_uri(), tmp_path / "store" / "models"
    env = {"CRIPTO_STORE": url}
    assert command("candles", "import", candles, env=env, cwd=tmp_path).returncode == 0
    registry = ReleaseRegistry(open_store(url))

    def written() -> int:
        return sum(1 for path in models.rglob("*") if path.is_file())

    for files in (1, 7, 13):
        enough = written() + files
        assert kill_once(lambda: written() >= enough, "train", *QUICKLY, env=env, cwd=tmp_path)  # noqa: B023
        for version in registry.versions():
            assert registry.verify(registry.manifest(version)) == []
    rerun = command("train", *QUICKLY, "--json", env=env, cwd=tmp_path)
    assert rerun.returncode == 0, rerun.stderr
    current = registry.channel("1d", "1d")
    assert current is not None
    assert registry.verify(registry.manifest(current.release)) == []
