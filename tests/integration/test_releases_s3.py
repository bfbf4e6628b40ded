"""Releases on a folder and on S3 over HTTP: the registry's promises, held by the stores that are really used."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import NoRelease, ReleaseRefused, StorageUnavailable, WriteConflict
from cripto.registry import Channel, ReleaseRegistry, Trust, bare_files, read_bare
from cripto.storage import ObjectStore, open_store
from tests.conftest import BUCKETS
from tests.doubles.keys import OURS, THEIRS
from tests.doubles.releases import TOY_SPEC, fake_draft, publish_toy_release
from tests.doubles.stores import FailingStore, WatchedStore

NOW = datetime(2025, 7, 29, 21, 30, 7, tzinfo=UTC)
CLOCK = FixedClock(NOW)

Opener = Callable[[], ObjectStore]


@pytest.fixture(params=BUCKETS)
def bucket(request: pytest.FixtureRequest) -> str:
    name: str = request.getfixturevalue(request.param)
    return name


@pytest.fixture(params=["folder", *BUCKETS])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same empty store, each time anew, as another process would."""
    if request.param == "folder":
        url = f"file://{tmp_path}/store"
    else:
        url = f"s3://{request.getfixturevalue(request.param)}/some/prefix"
    return lambda: open_store(url)


def test_a_release_is_published_resolved_and_read_back_whole(opened: Opener) -> None:
    with pytest.raises(NoRelease):
        ReleaseRegistry(opened()).resolve("1d", "1d")
    manifest = publish_toy_release(opened(), spec=TOY_SPEC)
    registry = ReleaseRegistry(opened())
    assert registry.resolve("1d", "1d") == manifest.release
    assert registry.manifest(manifest.release) == manifest
    assert registry.verify(manifest) == []


def test_a_release_is_promoted_and_rolled_back(opened: Opener) -> None:
    for version in ("20250729-2130", "20250730-2130"):
        manifest = ReleaseRegistry(opened()).publish(fake_draft(version))
        ReleaseRegistry(opened()).promote(manifest.release, "1d", CLOCK)
    registry = ReleaseRegistry(opened())
    assert str(registry.resolve("1d", "1d")) == "20250730-2130"
    assert registry.rollback("1d", "1d", CLOCK).sequence == 3
    assert str(registry.resolve("1d", "1d")) == "20250729-2130"


@pytest.mark.parametrize("writes", [0, 1, 6, 10])
def test_a_publication_that_dies_shows_no_release_and_can_be_done_again(opened: Opener, writes: int) -> None:
    with pytest.raises(StorageUnavailable):
        ReleaseRegistry(FailingStore(opened(), writes)).publish(fake_draft())
    registry = ReleaseRegistry(opened())
    assert registry.versions() == []
    assert registry.verify(registry.publish(fake_draft())) == []


def test_of_publishers_of_one_version_exactly_one_wins(opened: Opener) -> None:
    start = Barrier(3)

    def publish(number: int) -> Manifest | None:
        registry = ReleaseRegistry(opened())
        start.wait(120)
        try:
            return registry.publish(fake_draft(content=str(number)))
        except WriteConflict:
            return None

    with ThreadPoolExecutor(3) as pool:
        won = [manifest for manifest in pool.map(publish, range(3)) if manifest is not None]
    assert len(won) == 1
    assert ReleaseRegistry(opened()).verify(won[0]) == []


def test_of_two_promotions_of_the_same_pointer_exactly_one_wins(opened: Opener) -> None:
    versions = [
        ReleaseRegistry(opened()).publish(fake_draft(version)).release
        for version in ("20250729-2130", "20250730-2130", "20250731-2130")
    ]
    ReleaseRegistry(opened()).promote(versions[0], "1d", CLOCK)
    both_have_read = Barrier(2)

    def wait(method: str, key: str) -> None:
        if method == "replace":
            both_have_read.wait(120)

    def promote(version: ReleaseVersion) -> Channel | None:
        try:
            return ReleaseRegistry(WatchedStore(opened(), wait)).promote(version, "1d", CLOCK)
        except WriteConflict:
            return None

    with ThreadPoolExecutor(2) as pool:
        won = [channel for channel in pool.map(promote, versions[1:]) if channel is not None]
    assert won == [ReleaseRegistry(opened()).channel("1d", "1d")]
    assert won[0].sequence == 2


def test_a_release_and_its_pointer_are_signed_and_keys_change(opened: Opener) -> None:
    both = Trust((OURS.public, THEIRS.public), required=True)
    old = ReleaseRegistry(opened(), trust=both, signer=OURS)
    version = old.publish(fake_draft()).release
    known = old.promote(version, "1d", CLOCK)
    assert old.channel_since("1d", "1d", known) is known

    new = ReleaseRegistry(opened(), trust=both, signer=THEIRS)
    assert len(new.sign(version)) == 2
    assert new.promote(version, "1d", CLOCK).sequence == known.sequence + 1
    reader = ReleaseRegistry(opened(), trust=Trust((THEIRS.public,), required=True))
    assert reader.resolve("1d", "1d") == version
    assert reader.channel_since("1d", "1d", known) == reader.channel("1d", "1d")

    opened().put(f"models/releases/{version}/manifest.sig", b"{}")
    with pytest.raises(ReleaseRefused, match="signatures are malformed"):
        reader.resolve("1d", "1d")


def test_a_file_that_was_cut_off_is_refused(opened: Opener) -> None:
    manifest = ReleaseRegistry(opened()).publish(fake_draft())
    entry = manifest.models[4].onnx
    opened().put(entry.path, b"half")
    with pytest.raises(ReleaseRefused, match="4 bytes long"):
        ReleaseRegistry(opened()).read(manifest, entry)


@pytest.mark.slow
def test_the_next_version_is_found_behind_more_objects_than_one_page_lists(bucket: str) -> None:
    store = open_store(f"s3://{bucket}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.put(f"models/aaa_{number:04d}", b""), range(1001)))
    store.put("models/regressor_rf_20250729-2130.joblib", b"")
    assert str(ReleaseRegistry(store).next_version(CLOCK)) == "20250729-213007"


@pytest.mark.slow
def test_bare_joblibs_are_found_behind_more_objects_than_one_page_lists(s3_bucket: str) -> None:
    store = open_store(f"s3://{s3_bucket}")
    versions = [
        f"202501{day:02}-{hour:02}{minute:02}" for day in range(1, 8) for hour in range(24) for minute in range(6)
    ]
    keys = [f"models/classifier_log_{version}.joblib" for version in versions]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b"bare"), keys))
    store.put("models/regressor_rf_20250729-2130.joblib", b"bare")
    store.put("models/regressor_gbr_20250729-2131.joblib", b"of a release")
    store.put("models/releases/20250729-2131/classifier_log.onnx", b"of a release")
    found = bare_files(store)
    assert len(keys) > 1000
    assert [str(file.version) for file in found["classifier_log"]] == sorted(versions, reverse=True)
    assert [file.key for file in found["regressor_rf"]] == ["models/regressor_rf_20250729-2130.joblib"]
    assert "regressor_gbr" not in found
    assert read_bare(store, found["classifier_log"][0]) == b"bare"
