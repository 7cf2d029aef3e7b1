"""Answers an invocation: from a body and its headers to a body, whatever kind of model answers.

The application knows only the protocol `Predictor`; it owns routes, reading, limits and statuses.
`load_predictor` is the one way to get one: nothing it gives back is unproven.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from .codecs import body_from_prediction, request_from_body
from .content_type import media_type_from_accept, media_type_from_content_type
from .features import Schema
from .logs import log
from .manifest import Manifest
from .model import Runtime
from .rsgi import Headers
from .runtimes import candidates, open_proven, read_artifact
from .settings import Settings


class Invocation(NamedTuple):
    """A request to predict; a tuple, as one is made per request.

    Args:
        body: whole, and within the limit
        headers: names are lower case
        request_id: the id of this request in the log and in the answer
    """

    body: bytes
    headers: Headers
    request_id: str


class Answer(NamedTuple):
    """What an invocation is answered with, as a 200.

    Args:
        media_type: of the body
        headers: further headers; names are lower case
    """

    media_type: str
    body: bytes
    headers: Sequence[tuple[str, str]] = ()


class Predictor(Protocol):
    """A model in service."""

    async def answer(self, invocation: Invocation) -> Answer:
        """Answer an invocation.

        Raises:
            RequestError: the client has to change the request
            PredictionError: the model failed on it
        """


class ModelPredictor:
    """Decodes, predicts and encodes.

    Args:
        manifest: the facts about the model
        runtime: proven
        schema: what decoders know of the model and the limits
        inline_rows: more rows than this are predicted in a thread, so that /ping stays quick
    """

    def __init__(
        self, manifest: Manifest, runtime: Runtime, schema: Schema, *, inline_rows: int
    ) -> None:
        self.manifest = manifest
        self._runtime = runtime
        self._schema = schema
        self._inline_rows = inline_rows
        # One thread: the work is one core's, only the event loop is to be kept free.
        self._executor = ThreadPoolExecutor(max_workers=1)

    def with_runtime(self, runtime: Runtime) -> ModelPredictor:
        """Give the same predictor over another runtime of the same model."""
        return ModelPredictor(self.manifest, runtime, self._schema, inline_rows=self._inline_rows)

    async def answer(self, invocation: Invocation) -> Answer:
        """Answer an invocation of any content type."""
        headers = invocation.headers
        read = media_type_from_content_type(
            headers.get("content-type"), headers.get("content-encoding")
        )
        written = media_type_from_accept(headers.get("accept"))
        request = request_from_body(read, invocation.body, self._schema)
        inputs = request.inputs
        if len(request.rows) <= self._inline_rows:
            prediction = self._runtime.predict(inputs)
        else:
            loop = asyncio.get_running_loop()
            prediction = await loop.run_in_executor(self._executor, self._runtime.predict, inputs)
        return Answer(written, body_from_prediction(written, request, prediction, self._schema))


def load_predictor(directory: Path, settings: Settings) -> ModelPredictor:
    """Load a model, whatever runs it, and prove it on its golden rows.

    Args:
        directory: an unpacked artifact: manifest.json, golden.json and the files they name

    Raises:
        ArtifactError: a file is missing, damaged or contradicts another
        GoldenMismatchError: the model's answers are not the recorded ones
    """
    artifact = read_artifact(directory, settings)
    candidate = candidates(artifact, settings.runtime)[0]
    runtime = open_proven(candidate, artifact)
    log(
        logging.INFO,
        "runtime_chosen",
        model=artifact.manifest.model,
        runtime=candidate.name,
        reason=candidate.reason,
    )
    return ModelPredictor(
        artifact.manifest, runtime, artifact.schema, inline_rows=settings.inline_rows
    )
