"""A trained model as an ONNX graph: made and proven in a child process, so that nothing is unpickled here."""

from cripto.registry.convert._answers import LARGEST_DIFFERENCE, Conversion
from cripto.registry.convert._process import Limits
from cripto.registry.convert.cache import CONVERSION_FORMAT, ConversionCache, Convert, convert_cached
from cripto.registry.convert.conversion import LIMITS, UNTRUSTED, convert_each, convert_model, convert_models

__all__ = [
    "CONVERSION_FORMAT",
    "LARGEST_DIFFERENCE",
    "LIMITS",
    "UNTRUSTED",
    "Conversion",
    "ConversionCache",
    "Convert",
    "Limits",
    "convert_cached",
    "convert_each",
    "convert_model",
    "convert_models",
]
