"""Small fitted estimators in the form the packaging gate takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from automation.training import TrainedModel


def returned_by_train(**changes: object) -> dict[str, Any]:
    """What a training script's `train` returns: two classes that one feature tells apart."""
    rows = np.array([[float(i), float(i % 3)] for i in range(20)])
    labels = (rows[:, 0] > 9).astype(int)
    return {
        "estimator": RandomForestClassifier(n_estimators=5, random_state=42).fit(rows, labels),
        "feature_names": ("height_cm", "kind"),
        "class_names": ("low", "high"),
        "training_rows": rows,
        "training_labels": labels,
        "live_rows": rows[::2] + 0.25,
        "live_labels": labels[::2],
    } | changes


def a_trained_model(**changes: Any) -> TrainedModel:
    """A model that passes the gate, with the given fields changed."""
    return TrainedModel(**({"name": "random-forest"} | returned_by_train() | changes))
