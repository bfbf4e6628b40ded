"""The programs do with no more than their roles give: a proxy refuses them everything else."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from cripto.market.listings import LISTINGS_KEY
from cripto.storage import delta_options
from tests.deploy import names
from tests.deploy.access import ACCESS
from tests.doubles.candles import random_walk
from tests.doubles.faulty_s3 import Fault, FaultyS3
from tests.doubles.processes import command, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AWS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
WRITING = {"PUT", "POST", "DELETE"}


@contextmanager
def role(proxy: FaultyS3, name: str) -> Iterator[None]:
    """Refuse what the role may not do; afterwards, nothing was asked for that had to be refused."""
    proxy.forget()
    proxy.fault = Fault(status=403, where=lambda method, key: not ACCESS[name].permits(method, key))
    yield
    proxy.fault = None
    assert [(seen.method, seen.key) for seen in proxy.seen if seen.status == 403] == []


def written(proxy: FaultyS3) -> set[str]:
    """The first part of each key that was written or deleted."""
    return {seen.key.partition("/")[0] for seen in proxy.seen if seen.method in WRITING and seen.key}


def done(*args: str | Path, env: Mapping[str, str], cwd: Path) -> None:
    answer = command(*args, env=env, cwd=cwd)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_each_program_does_with_its_role(s3_proxy: FaultyS3, s3_proxy_bucket: str, tmp_path: Path) -> None:
    env = {name: os.environ[name] for name in AWS} | {"BUCKET_NAME": s3_proxy_bucket}
    begin = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=260)
    candles = random_walk(["BTC", "ETH", "ADA"], 260, start=begin, source="exchange").drop("interval")
    for file, rows in {"old.parquet": candles.head(-3), "all.parquet": candles}.items():
        rows.write_parquet(tmp_path / file)

    with role(s3_proxy, names.COLLECTOR):
        for file in ("old.parquet", "all.parquet"):
            done("candles", "import", tmp_path / file, env=env, cwd=tmp_path)
        done("candles", "check", env=env, cwd=tmp_path)
        done("candles", "optimize", env=env, cwd=tmp_path)
        place, options = delta_options(f"s3://{s3_proxy_bucket}", "candles")
        # as optimize does, but of files that are not old enough yet
        removed = DeltaTable(place, storage_options=options).vacuum(0, False, enforce_retention_duration=False)
        assert removed
        assert written(s3_proxy) == {"candles"}
        assert s3_proxy.counts["POST", ""] + sum(seen.method == "DELETE" for seen in s3_proxy.seen) > 0

    with role(s3_proxy, names.TRAINER):
        done("train", "--promote", "--folds", "2", env=env, cwd=tmp_path)
        done("models", "list", env=env, cwd=tmp_path)
        assert written(s3_proxy) == {"models"}

    with role(s3_proxy, names.API):
        with serving("serve", env={**env, "CRIPTO_CACHE_DIR": str(tmp_path / "cache")}, cwd=tmp_path) as client:
            assert client.get("/symbol/BTC").status_code == 200
            assert client.get("/reload").status_code == 200
        done("doctor", env=env, cwd=tmp_path)
        assert written(s3_proxy) == set()
        # what only a right to list makes a 404: no pointer, no listings, no next commit
        missing = {seen.key for seen in s3_proxy.seen if seen.status == 404}
        assert LISTINGS_KEY in missing
        assert any(key.startswith("candles/_delta_log/") for key in missing)


def test_a_role_is_refused_what_another_may_do(s3_proxy: FaultyS3, s3_proxy_bucket: str, tmp_path: Path) -> None:
    env = {name: os.environ[name] for name in AWS} | {"BUCKET_NAME": s3_proxy_bucket}
    random_walk(["BTC"], 30, source="exchange").drop("interval").write_parquet(tmp_path / "candles.parquet")
    for name in (names.API, names.TRAINER):
        with pytest.raises(AssertionError, match="PUT"), role(s3_proxy, name):
            assert (
                command("candles", "import", tmp_path / "candles.parquet", env=env, cwd=tmp_path).returncode != 0
            )
