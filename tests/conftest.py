"""Fixtures every suite shares: a clean environment, real candles where they are at hand, two S3 servers."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.doubles.faulty_s3 import FaultyS3, faulty_s3
from tests.doubles.radosgw import Gateway, missing_programs, radosgw

# A failure belongs to a change, not to a day: the default suite draws the same examples each time.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

ROOT = Path(__file__).parent.parent
PAGE = 100
BUCKETS = (
    pytest.param("radosgw_bucket", marks=pytest.mark.slow if missing_programs() else ()),
    pytest.param("s3_bucket", marks=() if missing_programs() else pytest.mark.slow),
)
"""For what holds on every S3: the real server where it is installed, and with the slow tests the played one, which
takes three times its time; without the real one the other way round."""
REAL_CANDLES = Path(os.environ.get("REAL_CANDLES", ROOT.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test, and no test an exchange unless it names one."""
    for name in list(os.environ):
        if name.startswith(("CRIPTO_", "AWS_")) or name in {"BUCKET_NAME", "LOG_LEVEL", "PORT"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CRIPTO_EXCHANGES", "none")


def real_candles(name: str) -> Path:
    """The file of real candles called ``name``, or a loud skip."""
    path = REAL_CANDLES / name
    if not path.exists():
        pytest.skip(f"REAL CANDLES MISSING: {name} is not in the folder REAL_CANDLES names")
    return path


@pytest.fixture(scope="session")
def daily_file() -> Path:
    """66,741 daily candles of 39 coins, without a defect."""
    return real_candles("daily_binance_spot.parquet")


@pytest.fixture(scope="session")
def hourly_file() -> Path:
    """667,703 hourly candles of 33 coins."""
    return real_candles("hourly_binance.parquet")


@pytest.fixture(scope="session")
def dirty_file() -> Path:
    """3,100 daily candles of 100 coins with known defects."""
    return real_candles("daily_cryptocompare_dirty.parquet")


@pytest.fixture(scope="session")
def gap_file() -> Path:
    """3,575 daily candles of BTC, ETH and LTC, with a 13-day gap and 11 flat zero-volume bars."""
    return real_candles("daily_bitstamp_apache2.parquet")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A moto server on 127.0.0.1 that lists `PAGE` keys at once; its URL."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(PAGE))
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A real S3 server on 127.0.0.1, one for each worker: it starts in a second and checks signatures."""
    if missing := missing_programs():
        pytest.skip(f"RADOSGW MISSING: {', '.join(missing)}; `make debian` installs what it takes (as root)")
    with radosgw(tmp_path_factory.mktemp("radosgw")) as gateway:
        yield gateway


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket on the moto server, with the environment that reaches it; its name."""
    return new_bucket(monkeypatch, s3_server, "test", "test")


@pytest.fixture
def radosgw_bucket(radosgw_server: Gateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket on the real server, with the environment that reaches it; its name."""
    return new_bucket(monkeypatch, radosgw_server.url, radosgw_server.key_id, radosgw_server.secret)


@pytest.fixture
def s3_proxy(s3_server: str) -> Iterator[FaultyS3]:
    """A proxy before the moto server: set its ``fault``, read what it has ``seen``."""
    with faulty_s3(s3_server) as proxy:
        yield proxy


@pytest.fixture
def s3_proxy_bucket(s3_proxy: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket behind the proxy, with the environment that reaches it there; its name."""
    bucket = new_bucket(monkeypatch, s3_proxy.url, "test", "test")
    s3_proxy.forget()
    return bucket


def new_bucket(monkeypatch: pytest.MonkeyPatch, url: str, key_id: str, secret: str) -> str:
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"criptos-{uuid.uuid4().hex[:12]}"
    # named, because boto3's shared session remembers the first keys it met; a session of its own costs 0.2 s
    client = boto3.client("s3", aws_access_key_id=key_id, aws_secret_access_key=secret)
    client.create_bucket(Bucket=bucket)
    return bucket
