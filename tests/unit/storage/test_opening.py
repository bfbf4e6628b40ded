from pathlib import Path

import pytest

from cripto.errors import InvalidSettings, StorageDenied
from cripto.storage import LocalStore, MemoryStore, S3Store, delta_options, open_store
from cripto.storage._s3_access import Keys, s3_access


def test_each_scheme_opens_its_store() -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    assert isinstance(open_store("file:///some/folder"), LocalStore)
    assert isinstance(open_store("s3://bucket/prefix"), S3Store)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("file:///some/a%20folder", "file:///some/a%20folder"),
        ("file:///some/folder/", "file:///some/folder"),
        ("s3://my-bucket", "s3://my-bucket"),
        ("s3://my-bucket/", "s3://my-bucket"),
        ("s3://my-bucket/a/b/", "s3://my-bucket/a/b"),
        ("memory://", "memory://"),
    ],
)
def test_a_store_says_its_url(url: str, same: str) -> None:
    assert open_store(url).url == same


@pytest.mark.parametrize(
    "url",
    [
        *("", "folder", "/folder", "file://host/folder", "file:relative", "file:///", "file:///a%00b"),
        *("s3://", "s3:///key", "s3://UPPER", "s3://b", "s3://key:secret@bucket", "s3://bucket/../other"),
        *("s3://bucket/.hidden", "s3://bucket/a b", "s3://bucket?x=1", "s3://bucket#x", "http://bucket"),
        *("memory://x", "memory:///x", "gs://bucket"),
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings):
        open_store(url)


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(InvalidSettings) as caught:
        open_store("s3://key:secret@bucket")
    assert "secret" not in str(caught.value)


def test_a_folder_needs_no_options() -> None:
    assert delta_options("file:///a%20store", "candles") == (str(Path("/a store/candles")), {})


def test_memory_holds_no_table() -> None:
    with pytest.raises(InvalidSettings):
        delta_options("memory://", "candles")


def test_a_bucket_gives_table_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    uri, options = delta_options("s3://bucket/a/b", "candles")
    assert uri == "s3://bucket/a/b/candles"
    wanted = {
        "aws_region": "sa-east-1",
        "aws_endpoint_url": "http://127.0.0.1:9",
        "aws_allow_http": "true",
        "aws_access_key_id": "id",
        "aws_secret_access_key": "secret",
        "aws_session_token": "token",
        "aws_virtual_hosted_style_request": "false",
    }
    assert wanted.items() <= options.items()


@pytest.fixture
def no_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.mark.usefixtures("no_role")
def test_without_credentials_everything_is_denied_when_used() -> None:
    store = open_store("s3://bucket")
    with pytest.raises(StorageDenied, match="no AWS credentials"):
        store.get("a")
    with pytest.raises(StorageDenied, match="no AWS credentials"):
        delta_options("s3://bucket", "candles")


@pytest.mark.usefixtures("no_role")
def test_credentials_of_a_profile_reach_bucket_and_table(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text("[batch]\naws_access_key_id = id\naws_secret_access_key = hidden\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "batch")
    store = open_store(f"s3://{s3_bucket}")
    store.put("a", b"1")
    assert store.get("a").data == b"1"
    options = delta_options(f"s3://{s3_bucket}", "candles")[1]
    assert (options["aws_access_key_id"], options["aws_secret_access_key"]) == ("id", "hidden")


def test_access_is_read_from_the_environment_given() -> None:
    access = s3_access({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-2"})
    assert (access.region, access.endpoint, access.keys) == ("eu-west-1", None, None)
    keyed = s3_access({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"})
    assert keyed.keys == Keys("id", "secret")
    assert "secret" not in repr(keyed)


def test_a_named_profile_comes_before_keys() -> None:
    env = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "batch"}
    assert s3_access(env).keys is None


def test_an_endpoint_that_is_no_http_url_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="AWS_ENDPOINT_URL"):
        s3_access({"AWS_ENDPOINT_URL": "localhost:9000"})
