"""The Flask app of the published iris recipe: loads a pickled estimator, answers in classes.

It needs Flask, scikit-learn and the two paths of SageMaker's container contract; nothing of ours.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import flask

CLASSES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")

app = flask.Flask(__name__)


class ScoringService:
    """Holds the model once it is loaded."""

    model: Any = None

    @classmethod
    def get_model(cls) -> Any:
        """Return the estimator, from the model directory when it isn't loaded yet."""
        if cls.model is None:
            directory = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
            cls.model = pickle.loads((directory / "model.pkl").read_bytes())
        return cls.model


@app.route("/ping", methods=["GET"])
def ping() -> flask.Response:
    """Say healthy when the model can be loaded."""
    status = 200 if ScoringService.get_model() is not None else 404
    return flask.Response(response="\n", status=status, mimetype="application/json")


@app.route("/invocations", methods=["POST"])
def invocations() -> tuple[flask.Response, int]:
    """Predict every instance of a JSON body."""
    body = flask.request.get_json(silent=True)
    if not isinstance(body, dict) or "instances" not in body:
        return flask.jsonify({"error": 'the body must be {"instances": [[...], ...]}'}), 400
    rows = body["instances"]
    probabilities = ScoringService.get_model().predict_proba(rows)
    return flask.jsonify(
        {"predictions": [_prediction(*it) for it in zip(rows, probabilities, strict=True)]}
    ), 200


def _prediction(row: list[float], probabilities: Any) -> dict[str, Any]:
    index = int(probabilities.argmax())
    return {
        "predicted_class": CLASSES[index],
        "predicted_class_index": index,
        "confidence": float(probabilities[index]),
        "probabilities": dict(zip(CLASSES, map(float, probabilities), strict=True)),
        "input_features": dict(zip(FEATURES, row, strict=True)),
    }
