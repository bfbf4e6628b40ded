"""Five models fitted on pooled candles, scored against baselines on later ones, published as a release.

Importing this room does not import scikit-learn: that happens inside the functions that fit.
"""

from cripto.training.contents import EVALUATION_FILE
from cripto.training.job import train
from cripto.training.model_card import MODEL_CARD_FILE
from cripto.training.page import PAGE_FILE
from cripto.training.plan import SEARCH, STAGES, Progress, TrainingPlan, TrainingResult, silent
from cripto.training.probes import PROBES_FILE
from cripto.training.search import SEARCH_FILE
from cripto.training.search_space import MOST_CANDIDATES, SearchPlan

__all__ = [
    "EVALUATION_FILE",
    "MODEL_CARD_FILE",
    "MOST_CANDIDATES",
    "PAGE_FILE",
    "PROBES_FILE",
    "SEARCH",
    "SEARCH_FILE",
    "STAGES",
    "Progress",
    "SearchPlan",
    "TrainingPlan",
    "TrainingResult",
    "silent",
    "train",
]
