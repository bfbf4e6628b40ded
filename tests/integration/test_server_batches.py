"""Many assets at once, and the list of them, on a real server."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import httpx
import pytest

from cripto.forecasting import Board
from cripto.serving import create_app
from tests.integration.live import live, until
from tests.integration.test_server_routes import Fixed, Live, raw, serve
from tests.unit.forecasting.toys import House, SlowModel, candles, draft, toy_release
from tests.unit.serving.client import problem

ASSETS = [f"A{number}" for number in range(40)]


@pytest.fixture
def loaded() -> Iterator[Live]:
    with serve(House(*ASSETS)) as server:
        yield server


def test_entries_are_to_the_byte_those_of_each_asset(loaded: Live) -> None:
    alone = [loaded.get(f"/symbol/{asset}").content for asset in ASSETS]
    response = loaded.get(f"/predictions?ativos={','.join(ASSETS)}")
    assert response.content == b'{"total":40,"total_erros":0,"predicoes":[' + b",".join(alone) + b"]}"
    lines = loaded.client.get(
        f"/predictions?ativos={','.join(ASSETS)}", headers={"Accept": "application/x-ndjson"}
    )
    assert lines.content.splitlines() == alone


@pytest.mark.parametrize("path", [f"/predictions?ativos={','.join(ASSETS)}", "/symbols"])
def test_what_travels_compressed_is_a_gzip_file_of_the_plain_answer(loaded: Live, path: str) -> None:
    plain = loaded.client.get(path, headers={"Accept-Encoding": "identity"})
    with loaded.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as zipped:
        wire = b"".join(zipped.iter_raw())
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) == len(wire) < len(plain.content) / 3
    assert gzip.decompress(wire) == plain.content


def test_head_and_304_leave_the_connection_usable(loaded: Live) -> None:
    for path in ("/symbols", f"/predictions?ativos={','.join(ASSETS)}"):
        got = loaded.get(path)
        head = loaded.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        again = loaded.client.get(path, headers={"If-None-Match": got.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert loaded.get("/symbol/A1").status_code == 200


def test_a_batch_is_of_one_release_while_releases_are_swapped(loaded: Live) -> None:
    path = f"/predictions?ativos={','.join(ASSETS)}"
    seen: set[str] = set()

    def ask(_: int) -> None:
        releases = {entry["release"] for entry in loaded.get(path).json()["predicoes"]}
        assert len(releases) == 1
        seen.update(releases)

    def arrived(version: str) -> bool:
        list(pool.map(ask, range(12)))
        return version in seen

    with ThreadPoolExecutor(4) as pool:
        for number in range(8):
            version = f"20250801-00{number:02}"
            loaded.house.registry.publish(draft(version))
            until(partial(arrived, version))


def test_an_asset_that_arrives_is_listed_and_answered(loaded: Live) -> None:
    assert loaded.get("/predictions?ativos=NOVO").json()["total_erros"] == 1
    loaded.house.lake.upsert(candles("NOVO"))
    until(lambda: loaded.get("/symbols?apos=NOVN&limite=1").json()["total"] == len(ASSETS) + 1)
    (entry,) = loaded.get("/symbols?apos=NOVN&limite=1").json()["ativos"]
    assert (entry["ativo"], entry["predicao"]) == ("NOVO", True)
    assert loaded.get("/predictions?ativos=NOVO").json()["total_erros"] == 0


def test_nothing_loaded_is_a_reason_to_retry() -> None:
    with serve(House("BTC", publish=False)) as server:
        problem(server.get("/symbols"), 503, "sem-release")
        problem(server.get("/predictions?ativos=BTC,ETH"), 503, "sem-release")


def test_health_answers_while_a_batch_takes_long() -> None:
    house, slow = House("BTC", "ETH"), SlowModel("regressor_rf")
    service = Fixed(house.registry, house.lake, clock=house.clock, interval="1d")
    service.load()
    held = service.snapshot.candles
    assert held is not None
    release = toy_release(slow)
    service._snapshot = replace(service.snapshot, release=release, board=Board(release, held.windows))
    app = create_app(service, version="1.2.3", clock=house.clock)
    with live(app) as url, httpx.Client(base_url=url, timeout=120) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{url}/predictions?ativos=BTC,ETH,BTX", timeout=120)
        assert slow.entered.wait(120)
        assert client.get("/health").status_code == 200
        assert client.get("/symbols").json()["total"] == 2
        slow.release.set()
        assert waiting.result().json()["total_erros"] == 1
        assert slow.batches == [2]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (b"ativos=" + b",".join(b"X%d" % number for number in range(10_000)), 422),
        (b"ativos=" + b"," * 60_000, 422),
        (b"ativos=" + b"A" * 60_000, 200),
        (b"ativos=%00,%ff%fe,%0d%0aX-Evil:1", 200),
        (b"ativos=%", 200),
        (b"&" * 5000, 422),
    ],
)
def test_hostile_queries_are_answered_in_bounds(loaded: Live, query: bytes, status: int) -> None:
    request = b"GET /predictions?" + query + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got, body = raw(str(loaded.client.base_url), request)
    assert got == status
    assert len(body) < 2000
    assert isinstance(json.loads(body), dict)
    assert loaded.get("/").status_code == 200
