"""What gzip saves and costs, by level: one answer, 200 of them, a page of 1,000 assets.

The numbers in the answers are random to their last digit, as real ones are to whoever compresses them. Where the
package ``brotli`` is installed it is measured beside gzip; the project does not depend on it.
"""

import hashlib
import random
import statistics
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from time import perf_counter

from cripto.domain.forecast import ClassifierForecast, Forecast, PriceRange, Provenance, RegressorForecast
from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.domain.ranges import LEVELS
from cripto.forecasting import encode_answer
from cripto.serving.schemas import ListedAsset, SymbolList

ROUNDS = 200
OPENED = datetime(2025, 7, 29, tzinfo=UTC)
VERSION = "20250729-2130"


def main() -> None:
    """Print bytes and median microseconds of every level on every body."""
    chance = random.Random(4)
    answers = [answer(f"A{number}X", chance) for number in range(200)]
    bodies = {
        "one answer": answers[0],
        "200 answers": b'{"total":200,"total_erros":0,"predicoes":[' + b",".join(answers) + b"]}",
        "1,000 assets": page(1000),
    }
    for name, body in bodies.items():
        print(f"{name}: {len(body)} bytes")
        for way, compress in ways().items():
            microseconds, size = measured(compress, body)
            print(f"  {way:9} {size:7} bytes  {size / len(body):6.1%}  {microseconds:9.1f} us")


def ways() -> dict[str, Callable[[bytes], bytes]]:
    """Every way to compress, by name."""

    def gzip(level: int) -> Callable[[bytes], bytes]:
        return lambda body: zlib.compress(body, level, 31)

    def brotli(compress: Callable[..., bytes], quality: int) -> Callable[[bytes], bytes]:
        return lambda body: compress(body, quality=quality)

    found = {f"gzip {level}": gzip(level) for level in (1, 2, 3, 4, 5, 6, 9)}
    try:
        module = import_module("brotli")
    except ImportError:
        return found
    return found | {f"br {quality}": brotli(module.compress, quality) for quality in (0, 1, 4, 5)}


def measured(compress: Callable[[bytes], bytes], body: bytes) -> tuple[float, int]:
    """Median microseconds, and how many bytes are left."""
    times = []
    for _ in range(ROUNDS):
        started = perf_counter()
        compressed = compress(body)
        times.append(perf_counter() - started)
    return statistics.median(times) * 1e6, len(compressed)


def answer(asset: str, chance: random.Random) -> bytes:
    """An answer of five models, its numbers as long as they are served."""
    price = float(f"{chance.uniform(1, 50_000):.8g}")
    models: list[RegressorForecast | ClassifierForecast] = []
    for name in MODEL_NAMES:
        if tipo_of(name) == "regressor":
            change = chance.gauss(0, 0.02)
            models.append(
                RegressorForecast(
                    name,
                    VERSION,
                    float(f"{price * (1 + change):.10g}"),
                    round(change, 10),
                    tuple(
                        PriceRange(
                            level, float(f"{price * (1 - width):.10g}"), float(f"{price * (1 + width):.10g}")
                        )
                        for level, width in zip(LEVELS, (0.04, 0.07), strict=True)
                    ),
                )
            )
        else:
            models.append(ClassifierForecast(name, VERSION, round(chance.uniform(0.3, 0.7), 9), calibrated=True))
    closed = OPENED + timedelta(days=1)
    window = f"sha256:{hashlib.sha256(asset.encode()).hexdigest()}"
    return encode_answer(
        Forecast(
            asset=asset,
            quote="USDT",
            interval="1d",
            opened=OPENED,
            closed=closed,
            price=price,
            target=closed + timedelta(days=1),
            release=VERSION,
            novelty=round(chance.random(), 4),
            models=tuple(models),
            provenance=Provenance("binance", "atual", 0, window),
        )
    )


def page(assets: int) -> bytes:
    """A page of ``/symbols``."""
    listed = [
        ListedAsset(
            ativo=f"A{number}X",
            cotacao="USDT",
            fonte="binance",
            fechamento=OPENED,
            situacao="atual",
            candles_em_atraso=0,
            predicao=True,
            motivo=None,
        )
        for number in range(assets)
    ]
    return SymbolList(intervalo="1d", total=assets, ativos=listed, proximo=None).to_bytes()


if __name__ == "__main__":
    main()
