"""Answers an invocation: from a body and its headers to a body, whatever kind of model answers.

The application knows only the protocol `Predictor`; it owns routes, reading, limits and statuses.
`load_predictor` is the one way to get one: nothing it gives back is unproven.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .batching import Batcher, Part, predict_together
from .codecs import (
    Form,
    Request,
    body_from_bytes,
    body_from_prediction,
    json_body,
    request_from_body,
)
from .content_type import JSON, media_type_from_accept, media_type_from_content_type
from .errors import ArtifactError, GoldenMismatchError, RequestError, shown
from .explanation import Explainable, Explanations, FlatForest, explain, explainable
from .features import Schema
from .forest import FOREST_FILE, ForestRuntime, forest_rows
from .logs import log
from .manifest import Manifest
from .model import Prediction, Runtime
from .plain_forest import PlainAnswer, is_plain, plain_forest
from .rsgi import Headers
from .runtimes import Artifact, candidates, open_proven, read_artifact
from .settings import RuntimeChoice, Settings

if TYPE_CHECKING:
    from .script_predictor import ScriptPredictor

CHARACTERS_OF_A_VALUE = 24
"""Most a number takes in JSON with what is around it; bodies of more are not small."""

LEAST_BATCH_ROWS = 1000
EXPLAIN_HEADER = "x-greenlight-explain"


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


class Prepared(NamedTuple):
    """A decoded invocation that waits for its batch; `written` is the answer's media type."""

    written: str
    request: Request


class Predictor(Protocol):
    """A model in service."""

    async def answer(self, invocation: Invocation) -> Answer:
        """Answer an invocation.

        Raises:
            RequestError: the client has to change the request
            PredictionError: the model failed on it
        """


class ModelPredictor:
    """Decodes, predicts, explains where asked to, and encodes.

    Args:
        manifest: the facts about the model
        runtime: proven
        schema: what decoders know of the model and the limits
        explainer: says why the model answers as it does
        inline_rows: more rows than this are predicted in a thread, so that /ping stays quick
        batches: whether one call of the runtime for several requests costs less than one for each
        runtime_name: the runtime's word in logs and metrics
    """

    def __init__(
        self,
        manifest: Manifest,
        runtime: Runtime,
        schema: Schema,
        *,
        explainer: Explainer,
        inline_rows: int,
        batches: bool,
        runtime_name: str,
    ) -> None:
        self.manifest = manifest
        self.runtime_name = runtime_name
        self._runtime = runtime
        self._schema = schema
        self._explainer = explainer
        self._inline_rows = inline_rows
        self._inline_bytes = inline_rows * len(schema.rules) * CHARACTERS_OF_A_VALUE
        # One thread: a large body can take dozens of times its size while it is read.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self.batches = batches
        self._predict_packed: Callable[[bytes], bytes] | None = None
        self._answer_plain: PlainAnswer | None = None
        if isinstance(runtime, ForestRuntime) and schema.plain_writer is not None:
            self._predict_packed = runtime.predict_packed
            self._answer_plain = plain_forest(schema, runtime.forest, inline_rows)
        self.batcher = Batcher(
            runtime, inline_rows=inline_rows, max_rows=max(inline_rows, LEAST_BATCH_ROWS)
        )

    def prove_plain_answers(self, instances: list[list[Any]]) -> None:
        """Check that the short way, if there is one, answers golden rows as the codecs do.

        Raises:
            GoldenMismatchError: a row is answered otherwise
        """
        if self._answer_plain is None:
            return
        for row, instance in enumerate(instances):
            body = json_body({"instances": [instance]})
            plain = self._answer_plain(body)
            if plain is None:
                continue
            request = request_from_body(JSON, body, self._schema)
            whole = self._encoded(JSON, request, self._runtime.predict(request.inputs), None)
            if plain != (whole.body, 1):
                raise GoldenMismatchError(
                    f"golden row {row} is answered {plain[0]!r} on the short way and "
                    f"{whole.body!r} on the long one; this is a fault of the server: report it, "
                    "and serve with GREENLIGHT_RUNTIME=onnx meanwhile"
                )

    async def answer(self, invocation: Invocation) -> Answer:
        """Answer an invocation of any content type and size."""
        if len(invocation.body) > self._inline_bytes:
            loop = asyncio.get_running_loop()
            written, request = await loop.run_in_executor(self._reader, self._decoded, invocation)
        else:
            written, request = self._decoded(invocation)
        rows = len(request.rows)
        if rows <= self._inline_rows and not self.batches:
            answer = self._answer_packed(written, request)
            if answer is not None:
                return answer
            prediction = self._runtime.predict(request.inputs)
        else:
            prediction = await self.batcher.predict(request.inputs, rows)
        explanations: Explanations | None = None
        if request.explain:
            explanations = await asyncio.to_thread(self._explainer.explain, request)
        return self._encoded(written, request, prediction, explanations)

    def answer_plain(self, body: bytes, headers: Headers) -> tuple[bytes, int] | None:
        """Answer the commonest request of a forest; JSON and its number of rows, or None."""
        if self._answer_plain is None or not is_plain(headers, EXPLAIN_HEADER):
            return None
        return self._answer_plain(body)

    def answer_now(self, invocation: Invocation, *, is_alone: bool) -> Answer | Prepared | None:
        """Answer a small invocation at once, or prepare it for a batch where others are about.

        Returns:
            None where it has to be awaited
        """
        if (
            len(invocation.body) > self._inline_bytes
            or invocation.headers.get(EXPLAIN_HEADER) is not None
        ):
            return None
        written, request = self._decoded(invocation)
        if len(request.rows) > self._inline_rows or request.explain:
            return None
        if self.batches and not is_alone:
            return Prepared(written, request)
        answer = self._answer_packed(written, request)
        if answer is not None:
            return answer
        return self._encoded(written, request, self._runtime.predict(request.inputs), None)

    def answer_together(self, prepared: Sequence[Prepared]) -> list[Answer | Exception]:
        """Answer prepared invocations by one call of the model, each with its answer or error."""
        parts = [Part(each.request.inputs, len(each.request.rows)) for each in prepared]
        results = predict_together(self._runtime, parts)
        return [
            result if isinstance(result, Exception) else self._encoded_or_error(each, result)
            for each, result in zip(prepared, results, strict=True)
        ]

    def _encoded_or_error(self, prepared: Prepared, prediction: Prediction) -> Answer | Exception:
        try:
            return self._encoded(prepared.written, prepared.request, prediction, None)
        except Exception as error:  # noqa: BLE001 - handed to the request, which alone fails
            return error

    def _decoded(self, invocation: Invocation) -> tuple[str, Request]:
        get = invocation.headers.get
        read = media_type_from_content_type(get("content-type"), get("content-encoding"))
        written = media_type_from_accept(get("accept"), read)
        request = request_from_body(read, invocation.body, self._schema)
        if get(EXPLAIN_HEADER) is not None:
            request.explain = is_explanation_wanted(invocation.headers) or request.explain
        return written, request

    def _answer_packed(self, written: str, request: Request) -> Answer | None:
        """Answer the commonest request of a forest without making arrays of it."""
        packed = request.packed
        if packed is None or self._predict_packed is None or request.form is not Form.INSTANCES:
            return None
        if written != JSON:
            return None
        body = body_from_bytes(written, request, self._predict_packed(packed), self._schema)
        return None if body is None else Answer(written, body, (), len(request.rows))

    def _encoded(
        self,
        written: str,
        request: Request,
        prediction: Prediction,
        explanations: Explanations | None,
    ) -> Answer:
        body = body_from_prediction(written, request, prediction, self._schema, explanations)
        return Answer(written, body, (), len(request.rows))


class Explainer:
    """Explains a model's answers, if it is one of trees.

    Args:
        manifest: the facts about it
        open_forest: gives what explains it; called when first asked for, as most models in service
            never are
        max_rows: most rows of one request
    """

    def __init__(
        self, manifest: Manifest, open_forest: Callable[[], Explainable], *, max_rows: int
    ) -> None:
        self._manifest = manifest
        self._open_forest = open_forest
        self._max_rows = max_rows
        self._forest: Explainable | None = None

    def explain(self, request: Request) -> Explanations:
        """Explain a request's rows.

        Raises:
            NotExplainableError: not such a model, or too many rows
        """
        if self._forest is None:
            self._forest = self._open_forest()
        matrix = forest_rows(self._manifest, request.inputs)
        return explain(self._forest, matrix, max_rows=self._max_rows)


def is_explanation_wanted(headers: Headers) -> bool:
    """Read the header that asks for explanations.

    Raises:
        RequestError: it says neither yes nor no
    """
    given = headers.get(EXPLAIN_HEADER)
    if given is None or given.strip().lower() in ("", "false"):
        return False
    if given.strip().lower() != "true":
        raise RequestError(f"{EXPLAIN_HEADER} is {shown(given)}; it must be true or false")
    return True


def load_served(directory: Path, settings: Settings) -> ModelPredictor | ScriptPredictor:
    """Load the one model of a server, with its inference script where it has one.

    Args:
        directory: an unpacked artifact: manifest.json, golden.json and the files they name

    Raises:
        ArtifactError: a file is missing, damaged or contradicts another, or the script fails
        GoldenMismatchError: the model's answers are not the recorded ones
    """
    artifact = read_artifact(directory, settings)
    if artifact.manifest.script is None:
        return _predictor_of(artifact, settings)
    from .script_predictor import script_predictor  # few models have a script

    return script_predictor(artifact, settings)


def load_predictor(directory: Path, settings: Settings) -> ModelPredictor:
    """Load a model that has no script, whatever runs it, and prove it on its golden rows.

    Raises:
        ArtifactError: as `load_served`, or it has a script
        GoldenMismatchError: the model's answers are not the recorded ones
    """
    artifact = read_artifact(directory, settings)
    if artifact.manifest.script is not None:
        raise ArtifactError(
            f"model {artifact.manifest.model!r} has an inference script, which could harm the "
            "other models of this process; serve it from an endpoint of its own"
        )
    return _predictor_of(artifact, settings)


def _predictor_of(artifact: Artifact, settings: Settings) -> ModelPredictor:
    candidate = candidates(artifact, settings)[0]
    runtime = open_proven(candidate, artifact)
    log(
        logging.INFO,
        "runtime_chosen",
        model=artifact.manifest.model,
        runtime=candidate.name,
        reason=candidate.reason,
    )
    predictor = ModelPredictor(
        artifact.manifest,
        runtime,
        artifact.schema,
        explainer=Explainer(
            artifact.manifest,
            _forest_opener(artifact, runtime, settings.runtime),
            max_rows=settings.max_explained_rows,
        ),
        inline_rows=0 if candidate.is_slow else settings.inline_rows,
        batches=candidate.batches,
        runtime_name=candidate.name,
    )
    predictor.prove_plain_answers(artifact.golden.instances)
    return predictor


def _forest_opener(
    artifact: Artifact, runtime: Runtime, choice: RuntimeChoice
) -> Callable[[], Explainable]:
    """Say how to get what explains a model: the forest that answers, or the artifact's own."""
    if isinstance(runtime, ForestRuntime):
        forest = runtime.forest
        return lambda: forest
    content = artifact.files.get(FOREST_FILE)
    if content is None or choice is RuntimeChoice.AUTO:
        return lambda: explainable(content)
    return lambda: FlatForest(content)
