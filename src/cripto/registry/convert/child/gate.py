"""What is decided before anything heavy is imported: a hostile file never meets the code it was written for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert._libraries import lacking
from cripto.registry.convert.child.opening import decompress
from cripto.registry.convert.child.refusal import Refused, told
from cripto.registry.convert.child.scan import scan

__all__ = ["answer"]

_Converter = Callable[[str, bytes], tuple[Mapping[str, Any], bytes]]


def answer(request: bytes) -> bytes:
    """The answer to a request of `cripto.registry.convert.conversion`; raise ``ValueError`` if it is none.

    Each model's file is scanned first. Those that pass are converted, and only for them are numpy, scikit-learn
    and ONNX imported; ``stage`` says where a refusal was decided: ``scan``, ``installation`` or ``conversion``.
    """
    header, (matrix, *files) = decode_frame(request)
    scanned = [_scanned(file) for file in files]
    convert = (
        None if all(isinstance(data, Refused) for data in scanned) else _converter(header["features"], matrix)
    )
    results = [
        told(str(data), "scan") if isinstance(data, Refused) or convert is None else convert(model["tipo"], data)
        for model, data in zip(header["models"], scanned, strict=True)
    ]
    return encode_frame({"models": [result for result, _ in results]}, [graph for _, graph in results])


def _converter(features: Sequence[str] | None, matrix: bytes) -> _Converter:
    try:
        from cripto.registry.convert.child.work import Work
    except ImportError as error:
        reason = lacking(error)
        return lambda _tipo, _data: told(reason, "installation", final=False)
    return Work(features, matrix).convert


def _scanned(file: bytes) -> bytes | Refused:
    """The file's bytes behind its compression, once the scan has passed them; or why it did not."""
    try:
        data = decompress(file)
        scan(data)
    except Refused as error:
        return error
    return data
