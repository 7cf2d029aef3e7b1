"""A LitServe API that takes together what is waiting."""

import os

import joblib
import litserve
import numpy as np


class Forest(litserve.LitAPI):
    """Holds the model; a request may have many rows, so a batch is joined and taken apart."""

    def setup(self, device):
        """Load the model."""
        self.model = joblib.load(os.environ["MODEL_FILE"])

    def decode_request(self, request):
        """Read rows."""
        return np.array(request["instances"])

    def batch(self, inputs):
        """Join the rows of all requests, and keep where each ends."""
        return np.concatenate(inputs), np.cumsum([len(rows) for rows in inputs])[:-1]

    def predict(self, joined):
        """Ask the forest once for classes and probabilities."""
        rows, ends = joined
        return np.split(self.model.predict_proba(rows), ends)

    def unbatch(self, answers):
        """Give each request its own rows."""
        return list(answers)

    def encode_response(self, probabilities):
        """Write both."""
        return {
            "predictions": probabilities.argmax(axis=1).tolist(),
            "probabilities": probabilities.tolist(),
        }


if __name__ == "__main__":
    api = Forest(
        max_batch_size=int(os.environ["MAX_BATCH_SIZE"]),
        batch_timeout=float(os.environ["BATCH_TIMEOUT_SECONDS"]),
        api_path="/invocations",
    )
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=1, healthcheck_path="/ping", timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        generate_client_file=False,
    )
