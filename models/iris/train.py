"""Train the reference model: Fisher's iris measurements, three species, four features.

Run it to see how good an estimator is: `python models/iris/train.py [ESTIMATOR]`. greenlight calls
`train(estimator)` and takes what it returns through the packaging gate; any script with such a
function can be a model's training script.
"""

from __future__ import annotations

import sys
from typing import Any

from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, classification_report
from sklearn.model_selection import train_test_split

ESTIMATORS = ("random-forest", "gradient-boosting")
FEATURE_NAMES = ("sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm")


def train(estimator: str) -> dict[str, Any]:
    """Fit one of `ESTIMATORS` on 80 percent of the rows and keep the other 20 percent aside.

    Returns:
        estimator, feature_names, class_names; training_rows and training_labels it was fitted on;
        live_rows and live_labels it has never seen, as a client of the endpoint would send them.
    """
    iris = load_iris()
    training_rows, live_rows, training_labels, live_labels = train_test_split(
        iris.data, iris.target, test_size=0.2, random_state=42
    )
    return {
        "estimator": _unfitted(estimator).fit(training_rows, training_labels),
        "feature_names": FEATURE_NAMES,
        "class_names": tuple(str(name) for name in iris.target_names),
        "training_rows": training_rows,
        "training_labels": training_labels,
        "live_rows": live_rows,
        "live_labels": live_labels,
    }


def _unfitted(estimator: str) -> Any:
    if estimator == "random-forest":
        return RandomForestClassifier(n_estimators=100, random_state=42)
    if estimator == "gradient-boosting":
        return GradientBoostingClassifier(random_state=42)
    raise ValueError(f"estimator {estimator!r} is unknown; allowed are {', '.join(ESTIMATORS)}")


def main() -> None:
    """Print accuracy and the classification report on the rows kept aside."""
    estimator = sys.argv[1] if len(sys.argv) > 1 else ESTIMATORS[0]
    trained = train(estimator)
    predicted = trained["estimator"].predict(trained["live_rows"])
    accuracy = accuracy_score(trained["live_labels"], predicted)
    print(f"iris {estimator}: accuracy {accuracy:.4f}")
    print(
        classification_report(
            trained["live_labels"], predicted, target_names=trained["class_names"]
        )
    )


if __name__ == "__main__":
    main()
