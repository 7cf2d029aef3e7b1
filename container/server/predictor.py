"""Answers an invocation: from a body and its headers to a body, whatever kind of model answers.

The application knows only the protocol `Predictor`; it owns routes, reading, limits and statuses.
`load_predictor` is the one way to get one: nothing it gives back is unproven.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from .batching import Batcher
from .codecs import Request, body_from_prediction, request_from_body
from .content_type import media_type_from_accept, media_type_from_content_type
from .features import Schema
from .logs import log
from .manifest import Manifest
from .model import Prediction, Runtime
from .rsgi import Headers
from .runtimes import candidates, open_proven, read_artifact
from .settings import Settings

CHARACTERS_OF_A_VALUE = 24
"""Most a number takes in JSON with what is around it; bodies of more are not small."""

LEAST_BATCH_ROWS = 64


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
        rows: how many were predicted, for the counters
    """

    media_type: str
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    rows: int = 0


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
        batches: whether one call of the runtime for several requests costs less than one for each
    """

    def __init__(
        self,
        manifest: Manifest,
        runtime: Runtime,
        schema: Schema,
        *,
        inline_rows: int,
        batches: bool,
    ) -> None:
        self.manifest = manifest
        self._runtime = runtime
        self._schema = schema
        self._inline_rows = inline_rows
        self._inline_bytes = inline_rows * len(schema.rules) * CHARACTERS_OF_A_VALUE
        self._batches = batches
        self.batcher = Batcher(
            runtime, inline_rows=inline_rows, max_rows=max(inline_rows, LEAST_BATCH_ROWS)
        )

    def with_runtime(self, runtime: Runtime) -> ModelPredictor:
        """Give the same predictor over another runtime of the same model."""
        return ModelPredictor(
            self.manifest,
            runtime,
            self._schema,
            inline_rows=self._inline_rows,
            batches=self._batches,
        )

    async def answer(self, invocation: Invocation) -> Answer:
        """Answer an invocation of any content type and size."""
        written, request = self._decoded(invocation)
        rows = len(request.rows)
        if rows <= self._inline_rows and not self._batches:
            prediction = self._runtime.predict(request.inputs)
        else:
            prediction = await self.batcher.predict(request.inputs, rows)
        return self._encoded(written, request, prediction)

    def answer_now(self, invocation: Invocation, *, is_alone: bool) -> Answer | None:
        """Answer a small invocation at once; None where it is large, or can join a batch."""
        if len(invocation.body) > self._inline_bytes or (self._batches and not is_alone):
            return None
        written, request = self._decoded(invocation)
        if len(request.rows) > self._inline_rows:
            return None
        return self._encoded(written, request, self._runtime.predict(request.inputs))

    def _decoded(self, invocation: Invocation) -> tuple[str, Request]:
        get = invocation.headers.get
        read = media_type_from_content_type(get("content-type"), get("content-encoding"))
        written = media_type_from_accept(get("accept"), read)
        return written, request_from_body(read, invocation.body, self._schema)

    def _encoded(self, written: str, request: Request, prediction: Prediction) -> Answer:
        body = body_from_prediction(written, request, prediction, self._schema)
        return Answer(written, body, (), len(request.rows))


def load_predictor(directory: Path, settings: Settings) -> ModelPredictor:
    """Load a model, whatever runs it, and prove it on its golden rows.

    Args:
        directory: an unpacked artifact: manifest.json, golden.json and the files they name

    Raises:
        ArtifactError: a file is missing, damaged or contradicts another
        GoldenMismatchError: the model's answers are not the recorded ones
    """
    artifact = read_artifact(directory, settings)
    candidate = candidates(artifact, settings)[0]
    runtime = open_proven(candidate, artifact)
    log(
        logging.INFO,
        "runtime_chosen",
        model=artifact.manifest.model,
        runtime=candidate.name,
        reason=candidate.reason,
    )
    return ModelPredictor(
        artifact.manifest,
        runtime,
        artifact.schema,
        inline_rows=settings.inline_rows,
        batches=candidate.batches,
    )
