"""A BentoML service whose requests are batched adaptively."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1, traffic={"timeout": 60})
class Forest:
    """Holds the model."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL_FILE"])

    @bentoml.api(
        batchable=True,
        max_batch_size=int(os.environ.get("MAX_BATCH_SIZE", "1600")),
        max_latency_ms=60_000,
    )
    def invocations(self, instances: np.ndarray) -> np.ndarray:
        """Predict: a row's class, then its probabilities, since a batch is one array."""
        probabilities = self.model.predict_proba(instances)
        return np.column_stack([probabilities.argmax(axis=1), probabilities])
