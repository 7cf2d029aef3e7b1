"""The commands of the packaging gate, so that what is proven is the code that will serve.

`prove` gives what every runtime of an artifact answers to given rows, as plain JSON, to be compared
with scikit-learn's answers. `load` loads an artifact as `serve` would, its script included.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from .codecs import json_body, request_from_body
from .content_type import JSON
from .errors import ArtifactError, PredictionError, RequestError, ServerError, error_document
from .features import Schema
from .logs import log
from .model import Prediction, Runtime
from .runtimes import candidates, open_proven, read_artifact
from .settings import Settings


def prove(directory: Path, settings: Settings, lines: Iterable[bytes], answers: TextIO) -> int:
    """Answer each line with each runtime that can serve the artifact here.

    Args:
        directory: an unpacked artifact
        lines: request bodies, one a line, such as {"instances": [[5.1, 3.5, 1.4, 0.2]]}
        answers: takes a line of JSON for each: {"onnx": {"labels", "class_indexes",
            "probabilities"}, ...} or {"error": {...}}

    Returns:
        exit code: 0 all were answered, 1 the artifact or one of the lines was refused
    """
    try:
        artifact = read_artifact(directory, settings)
        runtimes = {
            candidate.name: open_proven(candidate, artifact)
            for candidate in candidates(artifact, settings)
        }
    except ArtifactError as error:
        log(logging.ERROR, "model_refused", code=error.code, cause=str(error))
        return 1
    code = 0
    for line in lines:
        try:
            document = answer_of_each(runtimes, line.strip(), artifact.schema)
        except (RequestError, PredictionError) as error:
            document, code = _error(error), 1
        answers.write(json_body(document).decode() + "\n")
        answers.flush()
    return code


def load(directory: Path, settings: Settings) -> int:
    """Load an artifact as the server does before it answers `/ping` with 200.

    Returns:
        exit code: 0 it would go in service, 1 it was refused
    """
    from .predictor import load_served

    try:
        load_served(directory, settings)
    except ArtifactError as error:
        log(logging.ERROR, "model_refused", code=error.code, cause=str(error))
        return 1
    return 0


def answer_of_each(runtimes: dict[str, Runtime], body: bytes, schema: Schema) -> dict[str, Any]:
    """Answer one body with each runtime.

    Raises:
        RequestError: the server would refuse it
        PredictionError: a runtime failed on it
    """
    request = request_from_body(JSON, body, schema)
    return {name: plain(runtime.predict(request.inputs)) for name, runtime in runtimes.items()}


def plain(prediction: Prediction) -> dict[str, Any]:
    """Give a prediction as JSON has it; with several outputs probabilities are one list each."""
    probabilities: Any = prediction.probabilities
    if isinstance(probabilities, tuple | list):
        probabilities = [np.ascontiguousarray(part) for part in probabilities]
    elif probabilities is not None:
        probabilities = np.ascontiguousarray(probabilities)
    return {
        "labels": prediction.labels,
        "class_indexes": prediction.class_indexes,
        "probabilities": probabilities,
    }


def _error(error: ServerError) -> dict[str, Any]:
    return error_document(error, message=str(error), request_id="")
