"""Whether what a conversion needs is installed; a serving image may go without. Nothing is imported for it."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["lacking", "scikit_learn"]

_PACKAGES = {"sklearn": "scikit-learn", "joblib": "joblib", "onnx": "onnx", "onnxruntime": "onnxruntime"}


def scikit_learn() -> str | None:
    """The version of scikit-learn that is installed; ``None`` without it."""
    try:
        return version("scikit-learn")
    except PackageNotFoundError:
        return None


def lacking(error: ImportError) -> str:
    """Why this installation converts nothing, in words for an operator."""
    package = _PACKAGES.get((error.name or "").partition(".")[0])
    missing = isinstance(error, ModuleNotFoundError) and package is not None
    reason = f"{package} is not installed (cripto[convert])" if missing else f"{type(error).__name__}: {error}"
    return f"this installation cannot convert joblibs: {reason}"[:400]
