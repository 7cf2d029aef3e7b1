"""A user's inference script, as sagemaker-scikit-learn-container takes it."""

import json
import os

import joblib
import numpy as np


def model_fn(model_dir):
    """Load the model."""
    return joblib.load(os.environ["MODEL_FILE"])


def input_fn(data, content_type):
    """Read rows."""
    return np.array(json.loads(data)["instances"])


def predict_fn(rows, model):
    """Ask the forest once for classes and probabilities."""
    return model.predict_proba(rows)


def output_fn(probabilities, accept):
    """Write both."""
    return (
        json.dumps(
            {
                "predictions": probabilities.argmax(axis=1).tolist(),
                "probabilities": probabilities.tolist(),
            }
        ),
        "application/json",
    )
