import gzip
import threading

import anyio
import anyio.from_thread
import pytest
from starlette.requests import Request
from starlette.responses import Response

from cripto.serving.compression import Content, gzipped, send
from cripto.serving.desk import Desk
from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application

LONG = b"a packet and more, " * 100
TAG = '"tag"'


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


def answered(content: Content, **headers: str) -> Response:
    async def once() -> Response:
        return await send(request(**headers), content, Desk(1))

    return anyio.run(once)


def content(body: bytes = LONG) -> Content:
    return Content(body, "text/plain", {"cache-control": "public, max-age=9"}, TAG)


def test_equal_bodies_give_equal_bytes_that_hold_no_time() -> None:
    assert gzipped(LONG) == gzipped(bytes(bytearray(LONG)))
    assert gzip.decompress(gzipped(LONG)) == LONG
    assert gzipped(LONG)[4:8] == bytes(4)


def test_what_is_longer_than_a_packet_is_compressed_for_who_takes_it() -> None:
    response = answered(content(), accept_encoding="br, gzip")
    assert gzip.decompress(response.body) == LONG
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("headers", [{}, {"accept_encoding": "gzip;q=0"}, {"accept_encoding": "br"}])
def test_who_does_not_take_it_gets_it_plain(headers: dict[str, str]) -> None:
    response = answered(content(), **headers)
    assert response.body == LONG
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(("size", "compressed"), [(0, False), (1400, False), (1401, True)])
def test_a_packet_is_left_as_it_is(size: int, compressed: bool) -> None:
    response = answered(content(bytes(size)), accept_encoding="gzip")
    assert ("content-encoding" in response.headers) is compressed


def test_each_form_has_a_strong_tag_of_its_own_and_is_revalidated_by_it_alone() -> None:
    plain, zipped = answered(content()), answered(content(), accept_encoding="gzip")
    assert plain.headers["etag"] == TAG
    assert zipped.headers["etag"] == '"tag-gzip"'
    for form, encoding in ((plain, "identity"), (zipped, "gzip")):
        for tag in (TAG, '"tag-gzip"'):
            again = answered(content(), accept_encoding=encoding, if_none_match=tag)
            assert again.status_code == (304 if tag == form.headers["etag"] else 200)
            assert again.headers["etag"] == form.headers["etag"]
            assert again.headers["vary"] == "Accept-Encoding"
            assert again.headers["cache-control"] == "public, max-age=9"
            if again.status_code == 304:
                assert again.body == b""
                assert "content-encoding" not in again.headers


def test_a_header_in_two_lines_is_read_whole() -> None:
    both = request(accept_encoding="identity;q=0.1")
    both.scope["headers"].append((b"accept-encoding", b"gzip"))
    response = anyio.run(send, both, content(), Desk(1))
    assert response.headers["content-encoding"] == "gzip"


def test_compressing_waits_for_a_thread_and_nothing_else_does() -> None:
    async def busy() -> None:
        desk, begun, may_end = Desk(1), anyio.Event(), threading.Event()

        def work() -> None:
            anyio.from_thread.run_sync(begun.set)
            assert may_end.wait(120)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.run, work)
            await begun.wait()
            plain = await send(request(), content(), desk)
            assert "content-encoding" not in plain.headers
            with anyio.move_on_after(0.05) as waiting:
                await send(request(accept_encoding="gzip"), content(), desk)
            assert waiting.cancelled_caught
            may_end.set()
        zipped = await send(request(accept_encoding="gzip"), content(), desk)
        assert zipped.headers["content-encoding"] == "gzip"

    anyio.run(busy)


def test_an_answer_of_one_asset_is_never_compressed_and_metrics_are() -> None:
    house = House("BTC")
    house.service.load()
    client = Client(application(house))
    one = client.get("/symbol/BTC", {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in one.headers
    assert len(one.content) < 1400
    metrics = client.get("/metrics", {"Accept-Encoding": "gzip"})
    assert metrics.headers["content-encoding"] == "gzip"
    assert metrics.headers["cache-control"] == "no-store"
    assert "etag" not in metrics.headers
    assert metrics.text.startswith("# HELP")
    assert "content-encoding" not in client.get("/metrics", {"Accept-Encoding": "identity"}).headers
