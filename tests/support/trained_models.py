"""Small fitted estimators in the form the packaging gate takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from automation.gate.training import TrainedModel, trained_from_returned


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


def a_table(*, gaps: bool = False) -> Any:
    """Customers of three cities as a DataFrame; with gaps some incomes and cities are missing."""
    import pandas

    rng = np.random.default_rng(7)
    frame = pandas.DataFrame(
        {
            "age": rng.integers(18, 80, 90),
            "income": rng.normal(50.0, 20.0, 90),
            "city": rng.choice(["lima", "oslo", "rome"], 90),
            "member": rng.random(90) > 0.5,
        }
    )
    if gaps:
        frame.loc[::9, "income"] = np.nan
        frame.loc[4::11, "city"] = None
    return frame


def a_model_of_table(estimator: Any, frame: Any, labels: Any = None) -> TrainedModel:
    """Fit an estimator on a table and take it as a training script would have returned it.

    Args:
        labels: what it is fitted to; left out, whether a customer is older than 45 or Roman.
    """
    if labels is None:
        labels = ((frame["age"] > 45) ^ (frame["city"] == "rome")).to_numpy().astype(int)
    estimator.fit(frame, labels)
    classes = getattr(estimator, "classes_", [])
    is_list = isinstance(classes, list)
    return trained_from_returned(
        {
            "estimator": estimator,
            "feature_names": list(frame.columns),
            "class_names": [list(map(str, of)) for of in classes] if is_list else classes,
            "training_rows": frame,
            "training_labels": labels,
            "live_rows": frame[:20],
            "live_labels": labels[:20],
        },
        "table",
        Path("models/table/train.py"),
    )
