"""The proxy that other suites put between a client and S3 does what it says, and nothing else."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import httpx
import pytest

from tests.doubles.faulty_s3 import Fault, FaultyS3, faulty_s3
from tests.doubles.radosgw import Gateway

# moto reads the signer and checks no signature
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/s3/aws4_request, Signature=0"}
BODY = bytes(range(256)) * 8


@pytest.fixture
def client(s3_proxy: FaultyS3, s3_proxy_bucket: str) -> Iterator[httpx.Client]:
    """Speaks plain HTTP to the bucket, which holds ``a`` and ``b/c``."""
    with httpx.Client(base_url=f"{s3_proxy.url}/{s3_proxy_bucket}/", headers=SIGNED, timeout=60) as client:
        for key in ("a", "b/c"):
            assert client.put(key, content=BODY).status_code == 200
        s3_proxy.forget()
        yield client


def keys(client: httpx.Client, **query: str | int) -> list[str]:
    text = client.get("", params={"list-type": 2, **query}).text
    return [part.split("</Key>")[0] for part in text.split("<Key>")[1:]]


def test_without_a_fault_everything_passes(client: httpx.Client) -> None:
    answer = client.get("a")
    assert (answer.status_code, answer.content) == (200, BODY)
    assert client.get("a", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert client.put("a", content=b"1", headers={"if-none-match": "*"}).status_code == 412
    assert client.head("a").headers["content-length"] == str(len(BODY))
    assert client.get("none").status_code == 404
    assert client.delete("a").status_code == 204
    assert keys(client) == ["b/c"]


def test_down_resets_connections(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(down=True)
    with pytest.raises(httpx.ReadError):
        client.get("a")
    s3_proxy.fault = None
    assert client.get("a").content == BODY


def test_a_delay_is_waited_and_the_answer_is_whole(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(delay=0.3)
    start = time.monotonic()
    assert client.get("a").content == BODY
    assert time.monotonic() - start >= 0.3
    with pytest.raises(httpx.ReadTimeout):
        client.get("a", timeout=0.05)


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (500, "InternalError"), (503, "SlowDown")])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_a_status_is_answered_in_the_servers_stead(
    client: httpx.Client, s3_proxy: FaultyS3, method: str, status: int, code: str
) -> None:
    s3_proxy.fault = Fault(status=status)
    answer = client.request(method, "a")
    assert answer.status_code == status
    assert (f"<Code>{code}</Code>" in answer.text) == (method != "HEAD")
    s3_proxy.fault = None
    assert client.get("a").content == BODY


def test_a_truncated_body_is_half_of_what_is_announced(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(truncated=True)
    with client.stream("GET", "a") as answer:
        assert answer.headers["content-length"] == str(len(BODY))
        received = answer.iter_raw(len(BODY) // 2)
        assert next(received) == BODY[: len(BODY) // 2]
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            next(received)


def test_garbage_has_the_length_and_the_tag_of_the_object(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    tag = client.get("a").headers["etag"]
    s3_proxy.fault = Fault(garbage=True)
    answer = client.get("a")
    assert (answer.status_code, answer.headers["etag"], len(answer.content)) == (200, tag, len(BODY))
    assert answer.content != BODY


def test_a_fault_meets_only_the_requests_it_picks(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    s3_proxy.fault = Fault(status=500, where=lambda method, key: (method, key) == ("GET", "b/c"))
    assert [client.get(key).status_code for key in ("a", "b/c")] == [200, 500]
    assert client.put("b/c", content=b"1").status_code == 200
    s3_proxy.fault = Fault(status=503, where=lambda method, key: method == "LIST")
    assert client.get("", params={"list-type": 2}).status_code == 503
    assert client.get("b/c").content == b"1"


def test_a_frozen_listing_lags_while_objects_are_current(
    client: httpx.Client, s3_proxy: FaultyS3, s3_proxy_bucket: str
) -> None:
    s3_proxy.freeze(s3_proxy_bucket)
    client.put("new", content=b"1")
    client.delete("a")
    assert keys(client) == ["a", "b/c"]
    assert keys(client, prefix="b/") == ["b/c"]
    assert client.get("new").content == b"1"
    assert client.get("a").status_code == 404
    s3_proxy.thaw()
    assert keys(client) == ["b/c", "new"]


def test_a_frozen_listing_is_that_of_the_server_page_by_page(
    client: httpx.Client, s3_proxy: FaultyS3, s3_proxy_bucket: str
) -> None:
    for number in range(5):
        client.put(f"many/{number} & <{number}>", content=b"1")
    pages = boto3.Session().client("s3").get_paginator("list_objects_v2")

    def listed() -> list[dict[str, object]]:
        asked = pages.paginate(Bucket=s3_proxy_bucket, Prefix="many/", PaginationConfig={"PageSize": 2})
        return [
            {name: item[name] for name in ("Key", "Size", "ETag")} for page in asked for item in page["Contents"]
        ]

    current = listed()
    s3_proxy.freeze(s3_proxy_bucket)
    s3_proxy.forget()
    assert listed() == current
    assert s3_proxy.counts == {("LIST", "many/"): 3}


def test_requests_are_counted_and_remembered_in_order(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    tag = client.get("a").headers["etag"]
    client.get("a", headers={"if-none-match": tag})
    keys(client, prefix="b/")
    s3_proxy.fault = Fault(down=True)
    with pytest.raises(httpx.TransportError):
        client.delete("a")
    assert [(seen.method, seen.key, seen.conditional, seen.status) for seen in s3_proxy.seen] == [
        ("GET", "a", False, 200),
        ("GET", "a", True, 304),
        ("LIST", "b/", False, 200),
        ("DELETE", "a", False, 0),
    ]
    assert [seen.size for seen in s3_proxy.seen][:2] == [len(BODY), 0]
    assert s3_proxy.counts["GET", "a"] == 2
    s3_proxy.forget()
    assert (len(s3_proxy.seen), sum(s3_proxy.counts.values())) == (0, 0)


def test_a_fault_may_change_under_clients_that_use_it(client: httpx.Client, s3_proxy: FaultyS3) -> None:
    def ask(number: int) -> int:
        s3_proxy.fault = Fault(status=503) if number % 2 else None
        return client.get("a").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(200))) == {200, 503}
    assert s3_proxy.counts == {("GET", "a"): 200}


def test_a_proxy_without_a_server_answers_its_fault_alone() -> None:
    with faulty_s3(fault=Fault(status=418, code="Teapot")) as proxy, httpx.Client() as client:
        assert client.get(f"{proxy.url}/bucket/a").status_code == 418
        proxy.fault = None
        assert client.get(f"{proxy.url}/bucket/a").status_code == 502


def test_it_stops_although_a_client_waits_and_another_stays_connected() -> None:
    with ThreadPoolExecutor(1) as pool, httpx.Client() as idle:
        with faulty_s3(fault=Fault(status=500)) as proxy:
            idle.get(proxy.url)
            proxy.fault = Fault(status=500, delay=60)
            waiting = pool.submit(httpx.get, proxy.url, timeout=120)
            while len(proxy.seen) < 2:
                time.sleep(0.01)
            start = time.monotonic()
        assert time.monotonic() - start < 30
        assert isinstance(waiting.exception(), httpx.TransportError) or waiting.result().status_code == 500


def test_what_a_client_signed_stays_signed(radosgw_server: Gateway) -> None:
    with faulty_s3(radosgw_server.url) as proxy:
        client = boto3.Session(radosgw_server.key_id, radosgw_server.secret, region_name="us-east-1").client(
            "s3", endpoint_url=proxy.url
        )
        client.create_bucket(Bucket="behind-the-proxy")
        assert "behind-the-proxy" in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
