import socket
from collections.abc import Callable

import pytest

from cripto.errors import (
    CriptoError,
    InvalidSettings,
    ObjectNotFound,
    StorageDenied,
    StorageUnavailable,
    WriteConflict,
)
from cripto.storage import ObjectStore, S3Store
from cripto.storage._s3_access import Keys, S3Access
from tests.doubles.faulty_s3 import Fault, faulty_s3

CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "get": lambda store: store.get("a"),
    "get_if_changed": lambda store: store.get_if_changed("a", '"tag"'),
    "create": lambda store: store.create("a", b"1"),
    "replace": lambda store: store.replace("a", b"1", '"tag"'),
    "put": lambda store: store.put("a", b"1"),
    "delete": lambda store: store.delete("a"),
    "list": lambda store: list(store.list("")),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def store_at(endpoint: str, *, timeout: float = 30.0, retries: int = 1) -> S3Store:
    access = S3Access(endpoint=endpoint, keys=Keys("AKIASECRET", "very-secret"))
    return S3Store(
        "bucket", access=access, timeout=timeout, connect_timeout=10.0, retries=retries, retry_seconds=20.0
    )


def failure(endpoint: str, call: Callable[[ObjectStore], object], **options: float) -> CriptoError:
    with pytest.raises(CriptoError) as caught:
        call(store_at(endpoint, **options))  # type: ignore[arg-type]
    assert "SECRET" not in str(caught.value)
    assert "very-secret" not in str(caught.value)
    return caught.value


@every_call
@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (403, ""), (401, ""), (403, "SignatureDoesNotMatch"), (400, "ExpiredToken")],
)
def test_refused_credentials_are_denied_and_never_not_found(
    status: int, code: str, call: Callable[[ObjectStore], object]
) -> None:
    with faulty_s3(fault=Fault(status=status, code=code)) as server:
        error = failure(server.url, call)
    assert isinstance(error, StorageDenied)
    assert str(error).startswith("s3://bucket: ")


@every_call
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_fault_of_the_server_is_tried_again_and_then_unavailable(
    status: int, call: Callable[[ObjectStore], object]
) -> None:
    with faulty_s3(fault=Fault(status=status, code="InternalError")) as server:
        error = failure(server.url, call)
        assert len(server.seen) == 2
    assert isinstance(error, StorageUnavailable)
    assert str(status) in str(error)


@every_call
def test_a_missing_bucket_is_denied_and_never_a_missing_object(call: Callable[[ObjectStore], object]) -> None:
    with faulty_s3(fault=Fault(status=404, code="NoSuchBucket")) as server:
        error = failure(server.url, call)
    assert isinstance(error, StorageDenied)
    assert "the bucket does not exist" in str(error)


@every_call
def test_a_refused_connection_is_unavailable(call: Callable[[ObjectStore], object]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        error = failure(f"http://127.0.0.1:{taken.getsockname()[1]}", call)
    assert isinstance(error, StorageUnavailable)


def test_a_host_without_address_is_unavailable() -> None:
    assert isinstance(failure("http://nowhere.invalid", CALLS["get"]), StorageUnavailable)


def test_a_server_that_does_not_answer_in_time_is_unavailable() -> None:
    with faulty_s3(fault=Fault(status=500, delay=30.0)) as server:
        error = failure(server.url, CALLS["get"], timeout=0.2, retries=0)
    assert isinstance(error, StorageUnavailable)


@pytest.mark.parametrize(("status", "code"), [(409, "ConditionalRequestConflict"), (412, "PreconditionFailed")])
@pytest.mark.parametrize("name", ["create", "replace"])
def test_a_lost_condition_is_a_conflict(status: int, code: str, name: str) -> None:
    with faulty_s3(fault=Fault(status=status, code=code)) as server:
        error = failure(server.url, CALLS[name])
    assert isinstance(error, WriteConflict)


def test_a_missing_object_is_not_found() -> None:
    with faulty_s3(fault=Fault(status=404, code="NoSuchKey")) as server:
        error = failure(server.url, CALLS["get"])
    assert isinstance(error, ObjectNotFound)
    assert error.key == "a"


def test_replacing_a_missing_object_is_a_conflict() -> None:
    with faulty_s3(fault=Fault(status=404, code="NoSuchKey")) as server:
        assert isinstance(failure(server.url, CALLS["replace"]), WriteConflict)


def test_the_wrong_region_is_a_setting_to_change() -> None:
    with faulty_s3(fault=Fault(status=301, code="PermanentRedirect")) as server:
        error = failure(server.url, CALLS["get"])
    assert isinstance(error, InvalidSettings)
    assert "AWS_DEFAULT_REGION" in str(error)


def test_nothing_is_connected_to_before_the_first_call() -> None:
    with faulty_s3(fault=Fault(status=500)) as server:
        assert store_at(server.url).url == "s3://bucket"
        assert len(server.seen) == 0
