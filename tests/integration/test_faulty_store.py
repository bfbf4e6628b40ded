"""The server while S3 is down, slow, forbidding, failing, cutting bodies short or listing the past."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cripto.cli.serve import application
from cripto.cli.wiring import Installation
from cripto.domain.clock import FixedClock
from cripto.domain.release_version import ReleaseVersion
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.settings import Settings
from cripto.storage import S3Store, open_store
from cripto.storage._s3_access import Keys, S3Access
from tests.doubles.faulty_s3 import Fault, FaultyS3
from tests.integration.live import live, until
from tests.unit.forecasting.toys import LAST_CLOSE, VERSION, candles, draft
from tests.unit.serving.client import problem

LATER = "20250801-0000"
CLOCK = FixedClock(LAST_CLOSE + timedelta(hours=1))
POINTER = "models/channels/production.json"


class Site:
    """A store behind the proxy that holds candles and a promoted release, and servers of it."""

    def __init__(self, proxy: FaultyS3, bucket: str, cache: Path) -> None:
        self.proxy = proxy
        self.bucket = bucket
        self.url = f"s3://{bucket}/criptos"
        self.cache = cache
        self.registry = ReleaseRegistry(open_store(self.url))
        self.registry.publish(draft())
        self.promote(VERSION)
        open_lake(self.url).upsert(candles("BTC", "ETH"))

    def promote(self, version: str) -> None:
        self.registry.promote(ReleaseVersion.parse(version), "1d", CLOCK)

    def promote_behind(self, version: str) -> None:
        """Publish and promote a release past the proxy, as somebody elsewhere would whom no fault meets."""
        registry = ReleaseRegistry(
            S3Store(
                self.bucket, "criptos/", access=S3Access("us-east-1", self.proxy.upstream, Keys("test", "test"))
            )
        )
        registry.publish(draft(version))
        registry.promote(ReleaseVersion.parse(version), "1d", CLOCK)

    @contextmanager
    def server(self, *, cached: bool = False) -> Iterator[httpx.Client]:
        settings = Settings(store=self.url, refresh_seconds=0.2, cache_dir=self.cache if cached else None)
        with (
            live(application(Installation(settings, CLOCK))) as url,
            httpx.Client(base_url=url, timeout=60) as api,
        ):
            yield api

    def keep(self) -> bytes:
        """Run a server with a disk until it has served; its answer."""
        with self.server(cached=True) as api:
            until(lambda: served(api) is not None)
            until(lambda: any(self.cache.rglob("served.json")))
            return api.get("/symbol/BTC").content


@pytest.fixture
def site(s3_proxy: FaultyS3, s3_proxy_bucket: str, tmp_path: Path) -> Site:
    return Site(s3_proxy, s3_proxy_bucket, tmp_path / "cache")


def served(api: httpx.Client) -> str | None:
    response = api.get("/symbol/BTC")
    return str(response.json()["release"]) if response.status_code == 200 else None


def health(api: httpx.Client) -> dict[str, Any]:
    value: dict[str, Any] = api.get("/health").json()
    return value


def reasons(api: httpx.Client) -> set[tuple[str, str]]:
    return {(item["part"], item["reason"]) for item in health(api)["degraded"]}


def of_models(key: str) -> Callable[[str, str], bool]:
    """Picks requests for keys below models/ that end in ``key``."""
    return lambda method, asked: asked.startswith("criptos/models/") and asked.endswith(key)


OUTAGES = {
    "down": (Fault(down=True), "armazenamento-indisponivel"),
    "403": (Fault(status=403), "armazenamento-negado"),
    "500": (Fault(status=500), "armazenamento-indisponivel"),
}
outages = pytest.mark.parametrize(("fault", "reason"), OUTAGES.values(), ids=OUTAGES)


@outages
def test_an_outage_at_the_start_without_a_disk_is_waited_out(site: Site, fault: Fault, reason: str) -> None:
    site.proxy.fault = fault
    with site.server() as api:
        until(lambda: ("release", reason) in reasons(api))
        assert api.get("/health").status_code == 503
        assert api.get("/health", headers={"X-Probe": "liveness"}).status_code == 200
        problem(api.get("/symbol/BTC"), 503, "sem-release")
        site.proxy.fault = None
        until(lambda: served(api) == VERSION)
        until(lambda: health(api)["status"] == "healthy")


@outages
def test_an_outage_at_the_start_with_a_disk_is_not_noticed_by_callers(
    site: Site, fault: Fault, reason: str
) -> None:
    before = site.keep()
    site.proxy.fault = fault
    with site.server(cached=True) as api:
        until(lambda: served(api) is not None)
        assert api.get("/symbol/BTC").content == before
        until(lambda: ("release", reason) in reasons(api))
        assert (api.get("/health").status_code, health(api)["status"]) == (200, "degraded")
        site.promote_behind(LATER)
        site.proxy.fault = None
        until(lambda: served(api) == LATER)
        until(lambda: health(api)["status"] == "healthy")


@outages
def test_an_outage_while_serving_changes_no_answer(site: Site, fault: Fault, reason: str) -> None:
    with site.server() as api:
        until(lambda: served(api) == VERSION)
        before = api.get("/symbol/BTC").content
        site.proxy.fault = fault
        until(lambda: {("release", reason), ("candles", reason)} <= reasons(api))
        assert api.get("/symbol/BTC").content == before
        assert api.get("/health").status_code == 200
        failed = problem(api.get("/reload"), 503, "recarga-falhou")
        assert (failed["causa"], failed["release"]) == (reason, VERSION)
        site.proxy.fault = None
        until(lambda: health(api)["status"] == "healthy")


@pytest.mark.parametrize(
    "fault", [Fault(status=403), Fault(status=500), Fault(truncated=True), Fault(garbage=True)]
)
def test_a_pointer_that_cannot_be_read_is_never_taken_for_none(site: Site, fault: Fault) -> None:
    site.registry.publish(draft(LATER))  # newer, and not promoted
    site.proxy.fault = Fault(
        fault.down, fault.delay, fault.status, None, fault.truncated, fault.garbage, of_models(POINTER)
    )
    with site.server() as api:
        until(lambda: any(part == "release" for part, _ in reasons(api)))
        assert served(api) is None
        site.proxy.fault = None
        until(lambda: served(api) == VERSION)


def test_a_slow_store_at_the_start_is_waited_for_two_seconds_where_there_is_a_disk(site: Site) -> None:
    before = site.keep()
    site.promote_behind(LATER)
    site.proxy.fault = Fault(delay=4.0)
    with site.server(cached=True) as api:
        until(lambda: served(api) is not None)
        assert api.get("/symbol/BTC").content == before
        assert health(api)["status"] == "degraded"
        site.proxy.fault = None
        until(lambda: served(api) == LATER)


@pytest.mark.parametrize(
    ("fault", "refused"), [(Fault(truncated=True), False), (Fault(garbage=True), True)], ids=["cut", "other bytes"]
)
def test_a_model_that_arrives_broken_leaves_the_old_release(site: Site, fault: Fault, refused: bool) -> None:
    site.registry.publish(draft(LATER))
    with site.server() as api:
        until(lambda: served(api) == VERSION)
        site.proxy.fault = Fault(truncated=fault.truncated, garbage=fault.garbage, where=of_models(".onnx"))
        site.promote_behind(LATER)
        until(lambda: any(part == "release" for part, _ in reasons(api)))
        assert served(api) == VERSION
        assert [item["release"] for item in api.get("/models").json()["refused"]] == [LATER] * refused
        site.proxy.fault = None
        until(lambda: served(api) == LATER)
        assert api.get("/models").json()["refused"] == []


def test_a_listing_that_lags_delays_a_promotion_by_nothing(site: Site) -> None:
    site.proxy.freeze(site.bucket)
    with site.server() as api:
        until(lambda: served(api) == VERSION)
        site.registry.publish(draft(LATER))
        site.promote(LATER)
        until(lambda: served(api) == LATER)


def test_where_only_listings_tell_a_lagging_one_shows_the_release_before_and_never_half_of_one(site: Site) -> None:
    open_store(site.url).delete(POINTER)
    site.proxy.freeze(site.bucket)
    site.registry.publish(draft(LATER))
    with site.server() as api:
        until(lambda: served(api) == VERSION)
        site.proxy.thaw()
        until(lambda: served(api) == LATER)


def test_a_look_that_finds_nothing_new_is_one_small_conditional_request_for_the_release(site: Site) -> None:
    with site.server() as api:
        until(lambda: served(api) == VERSION)
        until(lambda: health(api)["status"] == "healthy")
        site.proxy.forget()
        until(lambda: site.proxy.counts["GET", f"criptos/{POINTER}"] >= 3)
    asked = [seen for seen in list(site.proxy.seen) if seen.key.startswith("criptos/models/")]
    assert {(seen.method, seen.key, seen.conditional) for seen in asked} == {("GET", f"criptos/{POINTER}", True)}
    assert {(seen.status, seen.size) for seen in asked if seen.status} == {(304, 0)}


def test_answers_of_a_server_that_started_from_disk_are_whole(site: Site) -> None:
    site.keep()
    site.proxy.fault = Fault(down=True)
    with site.server(cached=True) as api:
        until(lambda: served(api) is not None)
        answer = json.loads(api.get("/symbol/ETH").content)
    assert {model["versao"] for model in answer["modelos"].values()} == {answer["release"]}
