"""A rolling update, a rollback and a broken version, under constant load, with the real server as the pods."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cripto.features import default_spec
from cripto.storage import open_store
from tests.doubles.load import Load, constant_load
from tests.doubles.releases import publish_toy_release
from tests.doubles.rollout import Deployment, RolloutStuck, proxy
from tests.integration.serving_store import filled_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OLD, NEW = "20250729-2130", "20250730-2130"
STUCK_SECONDS = 8


@pytest.fixture
def template(tmp_path: Path) -> dict[str, str]:
    """What the pods are told; `at` adds the release they serve, which tells a version's answers from another's."""
    store = filled_store(tmp_path, OLD)
    publish_toy_release(open_store(store), spec=default_spec(), version=NEW)
    return {"CRIPTO_STORE": store, "CRIPTO_REFRESH_SECONDS": "1"}


def at(template: Mapping[str, str], release: str, **more: str) -> dict[str, str]:
    return {**template, "CRIPTO_RELEASE": release, **more}


@contextmanager
def deployed(
    template: Mapping[str, str], cwd: Path, pre_stop: float = 2.0, lag: float = 1.0
) -> Iterator[tuple[Deployment, Load]]:
    """Two ready pods of the old version, asked without a pause."""
    with proxy() as (front, url):
        deployment = Deployment(front, cwd, lag=lag, pre_stop=pre_stop)
        try:
            deployment.start(at(template, OLD))
            with constant_load(url, "/symbol/BTC", threads=2) as load:
                yield deployment, load
        finally:
            deployment.close()


def releases(load: Load) -> set[str]:
    return {json.loads(body)["release"] for body in load.bodies}


def test_an_update_and_its_rollback_lose_no_request(template: dict[str, str], tmp_path: Path) -> None:
    with deployed(template, tmp_path) as (deployment, load):
        began = load.answers
        deployment.roll(at(template, NEW))
        load.bodies.clear()
        answered = load.answers
        deployment.roll(at(template, OLD))
    assert list(load.statuses) == [200]
    assert load.answers > answered > began, "it was asked all the while"
    assert releases(load) == {OLD, NEW}
    assert deployment.exits == [0, 0, 0, 0], "every pod drained and ended by itself"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"CRIPTO_RELEASE": "20990101-0000"}, id="never ready"),
        pytest.param({"CRIPTO_NO_SUCH_SETTING": "1"}, id="ends at once"),
    ],
)
def test_a_broken_version_is_never_sent_a_request_and_loses_none(
    broken: dict[str, str], template: dict[str, str], tmp_path: Path
) -> None:
    with deployed(template, tmp_path) as (deployment, load):
        deployment.deadline = STUCK_SECONDS
        began = load.answers
        with pytest.raises(RolloutStuck):
            deployment.roll({**at(template, NEW), **broken})
        deployment.undo()
        before = load.answers
        deployment.deadline = 180
        deployment.roll(at(template, NEW))
    assert list(load.statuses) == [200]
    assert load.answers > before > began, "it was asked all the while"
    assert releases(load) == {OLD, NEW}
    assert [pod.process.returncode for pod in deployment.started[:2]] == [0, 0]


def test_without_the_hook_requests_would_be_lost(template: dict[str, str], tmp_path: Path) -> None:
    """The control: what the preStop hook is for, and that the load sees what it should see."""
    with deployed(template, tmp_path, pre_stop=0.0, lag=2.0) as (deployment, load):
        deployment.roll(at(template, NEW))
    assert load.statuses.get(502, 0) > 0
