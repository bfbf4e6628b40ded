"""A trained model as an ONNX graph: made and proven in a child process, so that nothing is unpickled here."""

from cripto.registry.convert.conversion import Conversion, convert_each, convert_model, convert_models

__all__ = ["Conversion", "convert_each", "convert_model", "convert_models"]
