"""The bring-your-own-container tutorial's server: Flask, a model loaded once, two routes.

Like the tutorial's predictor.py, but JSON in and out, and probabilities with the labels; the forest
is asked once for both, the tutorial's habit of two calls would cost twice as much.
"""

import os

import flask
import joblib
import numpy as np


class ScoringService:
    """Holds the model of this worker."""

    model = None

    @classmethod
    def get_model(cls):
        """Load the model the first time it is asked for."""
        if cls.model is None:
            cls.model = joblib.load(os.environ["MODEL_FILE"])
        return cls.model


app = flask.Flask(__name__)


@app.route("/ping", methods=["GET"])
def ping():
    """Be healthy once the model is loaded."""
    healthy = ScoringService.get_model() is not None
    return flask.Response(response="\n", status=200 if healthy else 404)


@app.route("/invocations", methods=["POST"])
def invocations():
    """Predict classes and probabilities."""
    rows = np.array(flask.request.get_json()["instances"])
    probabilities = ScoringService.get_model().predict_proba(rows)
    return flask.jsonify(
        predictions=probabilities.argmax(axis=1).tolist(), probabilities=probabilities.tolist()
    )
