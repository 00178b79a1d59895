"""A classifier two-sample test: whether a model's predictions for two files look alike (Lopez-Paz and Oquab 2017)."""

import base64
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from relex.domain.drift import MIN_TEST_ROWS
from relex.evaluation.calibration import log_probabilities

FOLDS = 5


def two_sample_auc(sample: str, probabilities: Sequence[Sequence[float]]) -> float | None:
    """Return how well logistic regression separates predictions from those of a calibration, out of fold.

    Args:
        sample: the log-probabilities that a calibration keeps.
        probabilities: of other rows. Shape: [rows, labels]

    Returns:
        The area under the ROC curve: about 0.5 where they are alike. None if there are fewer than `MIN_TEST_ROWS`.
    """
    here = log_probabilities(np.array(probabilities, float))
    flat = np.frombuffer(base64.b64decode(sample), "<f2").astype(float)
    if len(here) < MIN_TEST_ROWS or len(flat) % here.shape[1] or len(flat) // here.shape[1] < MIN_TEST_ROWS:
        return None
    features = np.concatenate((flat.reshape(-1, here.shape[1]), here))
    is_here = np.arange(len(features)) >= len(features) - len(here)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(classifier, features, is_here, cv=folds, method="decision_function")
    return float(roc_auc_score(is_here, scores))
