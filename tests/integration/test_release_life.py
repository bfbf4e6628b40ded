"""The life of a release as an operator types it: trained, proven, promoted, challenged, retrained, rolled back."""

import json
from pathlib import Path
from typing import Any

import pytest

from cripto.domain.manifest import Manifest
from cripto.market.lake import open_lake
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.processes import command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_release_is_proven_challenged_retrained_and_rolled_back(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    lake = open_lake(url)

    def cripto(*args: str) -> dict[str, Any]:
        done = command(*args, "--json", env={"CRIPTO_STORE": url}, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    lake.upsert(random_walk(["BTC", "ETH"], 300))
    first = cripto("train", "--folds", "2", "--if-new", "30", "--promote")
    assert first["promoted"]
    assert first["challenge"] is None
    manifest = Manifest.from_bytes(open_store(url).get(f"models/releases/{first['release']}/manifest.json").data)
    assert manifest.unproven() is None
    card = open_store(url).get(f"models/releases/{first['release']}/model-card.md").data.decode()
    assert "## Proofs" in card

    again = cripto("train", "--folds", "2", "--if-new", "30", "--promote")
    assert again["trained"] is False

    lake.upsert(random_walk(["BTC", "ETH"], 450))
    later = cripto("train", "--folds", "2", "--if-new", "150", "--promote")
    assert later["promoted"], "noise is not worse than noise"
    assert f"not worse than {first['release']} on 300 rows, 150 days" in later["reason"]
    assert (later["challenge"]["days"], later["challenge"]["rows"]) == (150, 300)
    assert len(later["challenge"]["models"]) == 5

    assert cripto("models", "rollback")["release"] == first["release"]
    assert cripto("models", "promote", later["release"])["release"] == later["release"]


def test_release_clearly_worse_than_the_current_one_is_published_and_not_promoted(tmp_path: Path) -> None:
    """The champion learnt a secret of the market; the challenger's candles of that time were garbled since."""
    from cripto.domain.clock import FixedClock
    from cripto.registry import ReleaseRegistry
    from cripto.training import TrainingPlan, train
    from tests.unit.training.toys import NOW, lake_of, momentum

    registry = ReleaseRegistry(open_store((tmp_path / "store").as_uri()))
    symbols, long = ["BTC", "ETH", "SOL", "XRP"], 600
    candles = momentum(symbols, long, carried=0.25)
    plan = TrainingPlan(folds=2, promote=True)
    known = candles.filter(candles["time"] <= candles["time"].unique().sort()[420])
    first = train(lake_of(known), registry, plan, FixedClock(NOW), draw=lambda _: b"")
    assert first.promoted
    # the past turned into its opposite, the newest 180 days as they were
    opposite = momentum(symbols, 420, carried=-0.25)
    garbled = candles.update(opposite, on=["symbol", "time"])
    later = FixedClock(NOW.replace(day=3))
    second = train(lake_of(garbled), registry, plan, later, draw=lambda _: b"")
    assert second.challenge is not None
    assert not second.promoted, second.reason
    assert second.reason.startswith(f"worse than {first.manifest.release} on ")
    assert registry.resolve("1d", "1d") == first.manifest.release
    assert second.manifest.release in registry.versions()
