"""What people write today: FastAPI, ``joblib.load`` at start, five scikit-learn models on a DataFrame a request.

The shape is that of the usual tutorial: a synchronous route, which FastAPI runs in its thread pool; features built
when they are asked for; ``predict`` and ``predict_proba`` on a frame of named columns; a dict that a
``response_model`` checks. It is kinder than most: candles are read once and kept in memory, features come from
this project's own builder on polars where others use pandas, there is no middleware, metric or access log, and it
runs on the same uvloop and httptools. Its files are our own: never load others so.
"""

import math
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import joblib
import polars as pl
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from cripto.domain.interval import INTERVALS
from cripto.features import latest_features, spec_of_names
from cripto.market.lake import open_lake

__all__ = ["create"]


class Prediction(BaseModel):
    """One model's answer."""

    predicao: float | int
    probabilidade: float | None = None
    modelo: str
    tipo: str
    versao: str


class Predictions(BaseModel):
    """The answer for one asset."""

    ativo: str
    timestamp: str
    modelos: dict[str, Prediction]
    total_modelos: int


def create() -> FastAPI:
    """The application; NAIVE_STORE is the folder of a store. Models are the joblib files of its newest version."""
    store = Path(os.environ["NAIVE_STORE"])
    newest = max(path.stem.rsplit("_", 1)[1] for path in (store / "models").glob("*.joblib"))
    models = {
        path.stem.rsplit("_", 1)[0]: joblib.load(path) for path in (store / "models").glob(f"*_{newest}.joblib")
    }
    spec = spec_of_names([str(name) for name in next(iter(models.values())).feature_names_in_])
    interval = INTERVALS["1d"]
    recent = open_lake(store.as_uri()).recent(interval.name, spec.lookback)
    candles = {str(symbol): frame for (symbol,), frame in recent.partition_by("symbol", as_dict=True).items()}
    app = FastAPI(title="naive")

    @app.get("/symbol/{ativo}", response_model=Predictions, response_model_exclude_none=True)
    def symbol(ativo: str) -> dict[str, Any]:
        history = candles.get(ativo.upper())
        if history is None:
            raise HTTPException(404, f"no candles of {ativo}")
        features = latest_features(history, spec, interval).select(spec.names)
        return {
            "ativo": ativo.upper(),
            "timestamp": f"{history['time'][-1] + timedelta(seconds=interval.seconds):%Y-%m-%dT%H:%M:%SZ}",
            "modelos": {
                name: {
                    **_predict(name, model, features, history["close"][-1]),
                    "modelo": name,
                    "versao": newest,
                }
                for name, model in models.items()
            },
            "total_modelos": len(models),
        }

    return app


def _predict(name: str, model: Any, features: pl.DataFrame, close: float) -> dict[str, Any]:
    if name.startswith("regressor"):
        return {"predicao": close * math.exp(model.predict(features)[0]), "tipo": "regressor"}
    rises = float(model.predict_proba(features)[0, 1])
    return {"predicao": int(rises > 0.5), "probabilidade": rises, "tipo": "classifier"}
