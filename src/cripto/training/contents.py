"""What a training run publishes, under the version that is free when it does."""

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Any, Final

from cripto.domain.clock import Clock
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.manifest import Manifest
from cripto.domain.novelty import Novelty
from cripto.domain.proofs import Proofs
from cripto.errors import WriteConflict
from cripto.registry import ModelDraft, ReleaseDraft, ReleaseRegistry
from cripto.training.model_card import MODEL_CARD_FILE, model_card
from cripto.training.page import PAGE_FILE
from cripto.training.plan import TrainingPlan
from cripto.training.probes import PROBES_FILE
from cripto.training.scores import Evaluation
from cripto.training.search import SEARCH_FILE, SearchResult
from cripto.training.targets import HORIZON

__all__ = ["EVALUATION_FILE", "Contents", "Drawer", "publish"]

EVALUATION_FILE: Final = "evaluation.json"
"""Name of the evaluation report in a release."""

Drawer = Callable[[Mapping[str, Any]], bytes]
"""What `cripto.training.page.page` is; tests that do not look at it need not wait for it."""

_LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "joblib", "polars", "onnx", "onnxruntime")
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Contents:
    """All of a release but its version."""

    features: FeatureSpec
    models: Mapping[str, ModelDraft]
    training: Mapping[str, Any]
    evaluation: Evaluation
    probes: bytes
    novelty: Novelty | None
    proofs: Proofs
    draw: Drawer
    found: SearchResult | None

    def draft(self, registry: ReleaseRegistry, plan: TrainingPlan, clock: Clock) -> ReleaseDraft:
        """The release under the version that is free now."""
        version = registry.next_version(clock)
        evaluation = {
            "release": str(version),
            "interval": plan.interval,
            "kind": "walk-forward",
            **self.training["walk_forward"],
            **self.evaluation.to_json(),
        }
        card = model_card(
            str(version), plan.interval, self.features.lookback, self.training, self.evaluation.models, self.proofs
        )
        return ReleaseDraft(
            version=version,
            created=clock.now(),
            interval=plan.interval,
            horizon=HORIZON,
            features=self.features,
            models=self.models,
            files={
                PAGE_FILE: self.draw(evaluation),
                EVALUATION_FILE: (
                    json.dumps(evaluation, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
                ).encode(),
                MODEL_CARD_FILE: card,
                PROBES_FILE: self.probes,
                **({} if self.found is None else {SEARCH_FILE: self.found.to_bytes()}),
            },
            training=self.training,
            environment=_environment(),
            source_revision=plan.source_revision,
            novelty=self.novelty,
            proofs=self.proofs,
        )


def publish(registry: ReleaseRegistry, contents: Contents, plan: TrainingPlan, clock: Clock) -> Manifest:
    """Publish under the version that is free; raise `WriteConflict` if others take it again and again."""
    attempts = 1
    while True:
        try:
            return registry.publish(contents.draft(registry, plan, clock))
        except WriteConflict:
            # Another run took that very version: the next free one is ours, unless this goes on and on.
            if attempts == _ATTEMPTS:
                raise
            attempts += 1


def _environment() -> dict[str, str]:
    """What may move the last bits of a fit: the interpreter, the processor's family and these libraries."""
    libraries = {name: installed(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "machine": platform.machine(), **libraries}
