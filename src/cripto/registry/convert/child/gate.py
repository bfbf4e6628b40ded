"""What is decided before anything heavy is imported: a hostile file never meets the code it was written for."""

from collections.abc import Mapping
from typing import Any

from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.scan import scan

__all__ = ["answer"]


def answer(request: bytes) -> bytes:
    """The answer to a request of `cripto.registry.convert.conversion`; raise ``ValueError`` if it is none.

    Each model's file is scanned first. Those that pass are converted, and only for them are numpy, scikit-learn
    and ONNX imported; ``stage`` says where a refusal was decided.
    """
    header, (matrix, *files) = decode_frame(request)
    found: list[tuple[Mapping[str, Any], bytes] | None] = [_refusal(file) for file in files]
    if None in found:
        from cripto.registry.convert.child.work import Work

        work = Work(header["features"], matrix)
        found = [
            work.convert(model["tipo"], file) if result is None else result
            for model, file, result in zip(header["models"], files, found, strict=True)
        ]
    results = [result for result in found if result is not None]
    return encode_frame({"models": [result for result, _ in results]}, [graph for _, graph in results])


def _refusal(file: bytes) -> tuple[Mapping[str, Any], bytes] | None:
    try:
        scan(file)
    except Refused as error:
        return {"refused": str(error), "stage": "scan"}, b""
    return None
