"""Trains the larger model, 300 trees of depth 12 over 30 features: a training script like any.

The data are made, with a fixed seed, and large enough that trees do reach their depth.
"""

from __future__ import annotations

from typing import Any

from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

TREES = 300
DEPTH = 12
FEATURES = 30
CLASSES = ("low", "medium", "high")
DECIMALS = 4
"""What a client would send of a measured value."""


def train(estimator: str) -> dict[str, Any]:
    """Fit the forest; there is one, so the estimator's name decides nothing."""
    rows, labels = make_classification(
        n_samples=8_000,
        n_features=FEATURES,
        n_informative=12,
        n_classes=len(CLASSES),
        random_state=42,
    )
    training_rows, live_rows, training_labels, live_labels = train_test_split(
        rows.round(DECIMALS), labels, test_size=0.2, random_state=42
    )
    forest = RandomForestClassifier(n_estimators=TREES, max_depth=DEPTH, random_state=42)
    return {
        "estimator": forest.fit(training_rows, training_labels),
        "feature_names": tuple(f"feature_{number}" for number in range(FEATURES)),
        "class_names": CLASSES,
        "training_rows": training_rows,
        "training_labels": training_labels,
        "live_rows": live_rows,
        "live_labels": live_labels,
    }
