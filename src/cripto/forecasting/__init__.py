"""From a release and candles to forecasts: models, numbers, encoded answers, and what keeps them fresh."""

from cripto.forecasting.answers import Answer
from cripto.forecasting.board import Board, Outcome
from cripto.forecasting.encode import encode_answer
from cripto.forecasting.forecaster import forecast_windows
from cripto.forecasting.release import LoadedRelease, Releases, ServedModel, load_release
from cripto.forecasting.service import PredictionService, Snapshot
from cripto.forecasting.status import CandleState, Part, Problem, Refusal, Status
from cripto.forecasting.windows import LastCandle, Window, Windows, read_windows

__all__ = [
    "Answer",
    "Board",
    "CandleState",
    "LastCandle",
    "LoadedRelease",
    "Outcome",
    "Part",
    "PredictionService",
    "Problem",
    "Refusal",
    "Releases",
    "ServedModel",
    "Snapshot",
    "Status",
    "Window",
    "Windows",
    "encode_answer",
    "forecast_windows",
    "load_release",
    "read_windows",
]
