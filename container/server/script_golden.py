"""Proves an inference script on the golden rows, as far as it speaks our form.

The rows are sent through the whole script as JSON. Answers in the form `{"predictions": [...]}`
must be the recorded ones: classes by name or index, values. A script that means to answer otherwise
does so in a form of its own, and one that reads bodies of its own is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from .codecs import json_body
from .content_type import JSON
from .errors import (
    ArtifactError,
    GoldenMismatchError,
    InvalidScriptError,
    PredictionError,
    RequestError,
)
from .manifest import Manifest, Task
from .model import GOLDEN_TOLERANCE, indexes_by_label
from .predictor import Answer, Invocation
from .runtimes import Artifact
from .script import Script

PROVEN = "answered as recorded"
OWN_INPUT = "not asked: the script reads bodies of its own"
OWN_OUTPUT = "answered in a form of the script's own"


class JsonHeaders:
    """Headers of a client that speaks JSON."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """Give a header."""
        return JSON if key in ("content-type", "accept") else default


def prove_script(answer: Callable[[Invocation], Answer], script: Script, artifact: Artifact) -> str:
    """Ask a script the golden rows.

    Args:
        answer: asks it, in this thread

    Returns:
        what was proven, for the log

    Raises:
        InvalidScriptError: it fails on them
        GoldenMismatchError: it answers other than recorded
    """
    if script.has("input_fn"):
        return OWN_INPUT
    golden = artifact.golden
    body = json_body({"features": golden.instances})
    try:
        given = answer(Invocation(body, JsonHeaders(), "golden-rows"))
    except (PredictionError, RequestError) as error:
        cause = error.__cause__
        where = str(error).partition("; the log")[0]
        raise InvalidScriptError(
            f"the script fails on the golden rows: {where}"
            + ("" if cause is None else f": {cause}")
        ) from error
    predictions = _predictions(given, len(golden.labels))
    if predictions is None:
        return OWN_OUTPUT
    found = [found_in(artifact.manifest, prediction) for prediction in predictions]
    if any(value is None for value in found):
        return OWN_OUTPUT
    for row, (value, recorded) in enumerate(zip(found, golden.labels, strict=True)):
        if not _is_same(artifact.manifest, value, recorded):
            raise GoldenMismatchError(
                f"golden row {row}: {script.name} answers {predictions[row]!r}, recorded was "
                f"{_told(artifact.manifest, recorded)}; this model must not serve: mend the "
                "script, or let its output_fn answer in a form of its own"
            )
    return PROVEN


def found_in(manifest: Manifest, prediction: Any) -> Any:
    """Give what a prediction says as golden.json has it, or None where it is of another form."""
    if manifest.outputs or isinstance(prediction, bool):
        return None
    if manifest.task is Task.REGRESSION:
        return prediction if isinstance(prediction, int | float) else None
    if not isinstance(prediction, str | int | float):
        return None
    # Besides the labels that the estimator itself gives a script may give names or indexes.
    meant: dict[Any, int] = {index: index for index in range(len(manifest.classes))}
    meant |= {name: index for index, name in enumerate(manifest.classes)}
    meant |= indexes_by_label(manifest)[0]
    return meant.get(prediction)


def _predictions(given: Answer, count: int) -> list[Any] | None:
    if given.media_type != JSON:
        return None
    try:
        document = json.loads(given.body)
    except ValueError as error:
        raise InvalidScriptError(
            f"output_fn answers the golden rows with {given.media_type} that is none: {error}"
        ) from error
    predictions = document.get("predictions") if isinstance(document, dict) else None
    is_list = isinstance(predictions, list) and len(predictions) == count
    return predictions if is_list else None


def _is_same(manifest: Manifest, value: Any, recorded: Any) -> bool:
    if manifest.task is Task.CLASSIFICATION:
        return bool(value == recorded)
    try:
        wanted = float(recorded)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"golden.json has a label that is no number: {recorded!r}") from error
    return bool(np.isclose(value, wanted, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE))


def _told(manifest: Manifest, recorded: Any) -> str:
    if manifest.task is Task.REGRESSION or not isinstance(recorded, int):
        return repr(recorded)
    return repr(manifest.classes[recorded])
