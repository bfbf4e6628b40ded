"""A live server while somebody hostile writes to its store: that is refused, and the old models answer on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.forecasting import PredictionService
from cripto.forecasting.bare import BareModels
from cripto.market.lake import MemoryLake
from cripto.registry import ANYONE, ReleaseRegistry, SigningKey, Trust, Watch
from cripto.serving import create_app
from cripto.storage import LocalStore
from tests.doubles.bare import bare_joblibs, put_bare, two_joblibs
from tests.doubles.hostile import CORPUS
from tests.doubles.keys import OURS, THEIRS
from tests.integration.live import live
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, VERSION, candles, draft

LATER = "20250801-0000"
CLOCK = FixedClock(LAST_CLOSE)
POINTER = "models/channels/production.json"
MANIFEST = f"models/releases/{LATER}/manifest.json"


class Server:
    """A server of the folder ``store``, and what it served before anything happened."""

    def __init__(self, api: httpx.Client, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.store = LocalStore(folder)
        self.before = self.answer()

    def answer(self) -> bytes:
        response = self.api.get("/symbol/BTC")
        assert response.status_code == 200, response.text
        return response.content

    def reload(self) -> list[dict[str, Any]]:
        """Make it look; what it refuses, after it has been seen to answer as before."""
        response = self.api.get("/reload")
        assert self.answer() == self.before
        refused: list[dict[str, Any]] = self.api.get("/models").json()["refused"]
        if response.status_code == 200:
            assert response.json()["refused"] == refused
        else:
            assert response.json()["causa"] == "release-recusada"
        return refused


@contextmanager
def serving(folder: Path, trust: Trust = ANYONE) -> Iterator[Server]:
    store = LocalStore(folder)
    lake = MemoryLake()
    lake.upsert(candles("BTC"))
    service = PredictionService(
        Watch(ReleaseRegistry(store, trust=trust), trust=trust),
        lake,
        clock=CLOCK,
        interval="1d",
        bare=None if trust.required else BareModels(store, DAILY),
    )
    service.load()
    app = create_app(service, version="1.2.3", clock=CLOCK, refresh_seconds=3600, reload_min_seconds=0)
    with live(app) as url, httpx.Client(base_url=url, timeout=60) as api:
        yield Server(api, folder)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of joblibs without a release."""
    folder = tmp_path_factory.mktemp("bare")
    put_bare(LocalStore(folder), VERSION, two_joblibs())
    with serving(folder) as server:
        yield server


@pytest.mark.xdist_group("hostile joblibs")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in {"builtins.eval", "bz2 bomb"} else pytest.mark.slow)
        for name in CORPUS
    ],
)
def test_a_hostile_joblib_is_passed_over(bare: Server, name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    key = f"models/regressor_rf_{LATER}.joblib"
    bare.store.put(key, CORPUS[name](canary))
    try:
        (refusal,) = bare.reload()
        assert (refusal["release"], refusal["file"]) == (LATER, key)
        assert refusal["reason"]
        assert not canary.exists()
        assert bare.api.get("/health").json()["status"] == "degraded"
    finally:
        bare.store.delete(key)
    assert bare.reload() == []


@pytest.mark.xdist_group("hostile joblibs")
def test_a_symbolic_link_is_no_joblib(bare: Server, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.joblib"
    elsewhere.write_bytes(bare_joblibs(seed=1)["regressor_rf"])
    link = bare.folder / "models" / f"regressor_rf_{LATER}.joblib"
    link.symlink_to(elsewhere)
    try:
        bare.reload()
    finally:
        link.unlink()


@pytest.fixture
def trusting(tmp_path: Path) -> Iterator[Server]:
    """A server that believes what `OURS` has signed."""
    publisher = signed_by(tmp_path, OURS)
    publisher.promote(publisher.publish(draft()).release, "1d", CLOCK)
    with serving(tmp_path, Trust((OURS.public,), required=True)) as server:
        yield server


def signed_by(folder: Path, key: SigningKey | None) -> ReleaseRegistry:
    return ReleaseRegistry(LocalStore(folder), signer=key)


def promote_later(server: Server, key: SigningKey = OURS) -> None:
    """Point the channel at `LATER`, as `OURS` alone can."""
    signed_by(server.folder, key).promote(ReleaseVersion.parse(LATER), "1d", CLOCK)


def reason_of(server: Server, what: str = LATER) -> str:
    return next(str(item["reason"]) for item in server.reload() if item["release"] == what)


def test_a_sound_signed_release_is_taken_up_by_the_same_server(trusting: Server) -> None:
    signed_by(trusting.folder, OURS).publish(draft(LATER))
    promote_later(trusting)
    assert trusting.api.get("/reload").json()["release"] == LATER


def test_a_release_that_nobody_signed_is_refused(trusting: Server) -> None:
    signed_by(trusting.folder, None).publish(draft(LATER))
    promote_later(trusting)
    assert reason_of(trusting) == "it is not signed"


def test_a_release_that_somebody_else_signed_is_refused(trusting: Server) -> None:
    signed_by(trusting.folder, THEIRS).publish(draft(LATER))
    promote_later(trusting)
    assert "none of which is trusted here" in reason_of(trusting)


def test_a_signature_of_another_release_is_refused(trusting: Server) -> None:
    signed_by(trusting.folder, None).publish(draft(LATER))
    old = trusting.store.get(f"models/releases/{VERSION}/manifest.sig").data
    trusting.store.put(f"models/releases/{LATER}/manifest.sig", old)
    promote_later(trusting)
    assert "not valid" in reason_of(trusting)


def test_a_manifest_that_names_its_own_trust_list_is_not_believed(trusting: Server) -> None:
    signed_by(trusting.folder, None).publish(draft(LATER))
    value = json.loads(trusting.store.get(MANIFEST).data)
    value |= {"trusted": ["builtins.exec"], "public_key": THEIRS.public.to_pem(), "require_signature": False}
    data = json.dumps(value).encode()
    trusting.store.put(MANIFEST, data)
    signed_by(trusting.folder, THEIRS).sign(ReleaseVersion.parse(LATER))
    promote_later(trusting)
    assert "none of which is trusted here" in reason_of(trusting)


def test_a_manifest_changed_after_it_was_signed_is_refused(trusting: Server) -> None:
    signed_by(trusting.folder, OURS).publish(draft(LATER))
    promote_later(trusting)
    data = trusting.store.get(MANIFEST).data
    trusting.store.put(MANIFEST, data.replace(b'"toy"', b'"tot"'))
    assert "not valid" in reason_of(trusting)


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", f"models/releases/{VERSION}/evil.onnx"])
def test_a_manifest_that_points_outside_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    registry = signed_by(tmp_path, None)
    registry.promote(registry.publish(draft()).release, "1d", CLOCK)
    with serving(tmp_path) as server:
        registry.publish(draft(LATER))
        promote_later(server, None)  # type: ignore[arg-type]
        value = json.loads(server.store.get(MANIFEST).data)
        value["models"][0]["onnx"]["path"] = path
        server.store.put(MANIFEST, json.dumps(value).encode())
        assert "is not a file of release" in reason_of(server)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"\x80\x04\x95", "malformed"),
        (b"[" * 200_000, "malformed"),
        (b'{"schema_version": 99}', "schema '99'"),
        (b" " * (5 << 20), "bytes long"),
    ],
    ids=["empty", "a pickle", "deep", "a later schema", "large"],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    registry = signed_by(tmp_path, None)
    registry.promote(registry.publish(draft()).release, "1d", CLOCK)
    with serving(tmp_path) as server:
        registry.publish(draft(LATER))
        promote_later(server, None)  # type: ignore[arg-type]
        server.store.put(MANIFEST, data)
        assert reason in reason_of(server)


def test_a_file_that_claims_ten_gigabytes_is_not_read(tmp_path: Path) -> None:
    registry = signed_by(tmp_path, None)
    registry.promote(registry.publish(draft()).release, "1d", CLOCK)
    with serving(tmp_path) as server:
        registry.publish(draft(LATER))
        promote_later(server, None)  # type: ignore[arg-type]
        value = json.loads(server.store.get(MANIFEST).data)
        value["models"][0]["onnx"]["size"] = 10 << 30
        server.store.put(MANIFEST, json.dumps(value).encode())
        assert "is said to be 10737418240 bytes long" in reason_of(server)


def test_a_swapped_file_is_refused(trusting: Server) -> None:
    signed_by(trusting.folder, OURS).publish(draft(LATER))
    promote_later(trusting)
    other = trusting.store.get(f"models/releases/{LATER}/regressor_gbr.onnx").data
    trusting.store.put(f"models/releases/{LATER}/regressor_rf.onnx", other)
    assert "regressor_rf.onnx" in reason_of(trusting)


def test_a_file_that_is_a_symbolic_link_is_not_followed(trusting: Server, tmp_path: Path) -> None:
    signed_by(trusting.folder, OURS).publish(draft(LATER))
    promote_later(trusting)
    path = trusting.folder / f"models/releases/{LATER}/regressor_rf.onnx"
    (tmp_path / "same.onnx").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "same.onnx")
    response = trusting.api.get("/reload")
    assert (response.status_code, response.json()["causa"]) == (503, "armazenamento-negado")
    assert trusting.answer() == trusting.before


def test_a_replayed_pointer_is_refused(trusting: Server) -> None:
    first = trusting.store.get(POINTER).data
    signed_by(trusting.folder, OURS).publish(draft(LATER))
    promote_later(trusting)
    trusting.api.get("/reload")
    trusting.before = trusting.answer()
    assert json.loads(trusting.before)["release"] == LATER
    trusting.store.put(POINTER, first)
    assert "already" in reason_of(trusting, POINTER)


@pytest.mark.parametrize("key", [None, THEIRS], ids=["nobody", "somebody else"])
def test_a_pointer_that_the_wrong_one_signed_is_refused(trusting: Server, key: SigningKey | None) -> None:
    signed_by(trusting.folder, OURS).publish(draft(LATER))
    trusting.store.delete(POINTER)
    signed_by(trusting.folder, key).promote(ReleaseVersion.parse(LATER), "1d", CLOCK)
    assert "signed" in reason_of(trusting, POINTER)


def test_joblibs_that_nobody_signed_are_not_served_where_that_is_demanded(tmp_path: Path) -> None:
    put_bare(LocalStore(tmp_path), VERSION, two_joblibs())
    from cripto.cli.wiring import Installation
    from cripto.settings import Settings

    settings = Settings(store=tmp_path.as_uri(), public_key=OURS.public.to_pem(), require_signature=True)
    assert Installation(settings, CLOCK).service.refresh().release is None
