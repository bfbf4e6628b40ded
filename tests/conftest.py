"""Fixtures every suite shares: a clean environment, real candles where they are at hand, an S3 server."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A failure belongs to a change, not to a day: the default suite draws the same examples each time.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

ROOT = Path(__file__).parent.parent
REAL_CANDLES = Path(os.environ.get("REAL_CANDLES", ROOT.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("CRIPTO_", "AWS_")) or name in {"BUCKET_NAME", "LOG_LEVEL", "PORT"}:
            monkeypatch.delenv(name)


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
    """A moto server on 127.0.0.1; its URL."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket on the S3 server, with the environment that reaches it; its name."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"criptos-{uuid.uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return bucket
