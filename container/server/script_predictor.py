"""Answers invocations through the artifact's inference script, with defaults for what it lacks.

A script is somebody's Python: it runs in one thread beside the event loop, one invocation after the
other, as in SageMaker's own containers, so that it need not be safe to call from several.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from .codecs import body_from_prediction, request_from_body
from .content_type import CSV, JSON, media_type_from_accept, media_type_from_content_type
from .errors import (
    InvalidScriptError,
    MalformedBodyError,
    NotExplainableError,
    PredictionError,
    RequestError,
    ScriptError,
)
from .estimator_part import EstimatorInput
from .logs import log
from .manifest import Manifest
from .model import Prediction, Runtime
from .predictor import Answer, Invocation, is_explanation_wanted
from .request import Request
from .runtimes import Artifact, candidates, open_proven
from .script import CODE_FOLDER, Script, load_script
from .script_defaults import (
    ServedModel,
    body_from_anything,
    features_body,
    is_bare_array,
    predicted,
)
from .script_golden import prove_script
from .settings import Settings
from .sklearn_runtime import SklearnRuntime, estimator_rows

TEXTS = (JSON, CSV)
"""Media types whose bodies a script is given as text; all others come as bytes."""


class Asked(NamedTuple):
    """An invocation read as far as the script leaves that to us.

    Args:
        data: what `predict_fn` is given
        request: what our decoder made of the body; None where the script's did
        is_bare: whether the body was a bare JSON array
        accept: what `output_fn` is given, or the media type we write
    """

    data: Any
    request: Request | None
    is_bare: bool
    accept: str


class ScriptPredictor:
    """Answers invocations with a script.

    Args:
        manifest: the facts about the model
        script: loaded
        model: what its `model_fn` gave, or the artifact's own model
        runtime: the same model, for rows of our own decoding
        takes_frame: whether `predict_fn` is given a DataFrame
        artifact: knows the features and the limits
        thread: the one that the script runs in
    """

    def __init__(
        self,
        artifact: Artifact,
        script: Script,
        model: Any,
        runtime: Runtime,
        *,
        takes_frame: bool,
        thread: ThreadPoolExecutor,
    ) -> None:
        self.manifest: Manifest = artifact.manifest
        self.runtime_name = "script"
        self._schema = artifact.schema
        self._script = script
        self._model = model
        self._runtime = runtime
        self._takes_frame = takes_frame
        self._thread = thread

    async def answer(self, invocation: Invocation) -> Answer:
        """Answer an invocation of whatever content type the script takes.

        Raises:
            RequestError: the client has to change the request
            ScriptError: the script raised
        """
        if is_explanation_wanted(invocation.headers):
            raise NotExplainableError(
                "this model has an inference script, whose answers have no SHAP values; leave "
                "x-greenlight-explain out"
            )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.answer_here, invocation)

    def answer_here(self, invocation: Invocation) -> Answer:
        """Answer an invocation in the calling thread; raises as `answer` does."""
        try:
            asked = self._asked(invocation)
            return self._answered(asked)
        except ScriptError as error:
            log(
                logging.ERROR,
                "script_failed",
                error=error.__cause__,
                where=str(error).partition(";")[0],
                request_id=invocation.request_id,
            )
            raise

    def _asked(self, invocation: Invocation) -> Asked:
        get = invocation.headers.get
        content_type, accept = get("content-type"), get("accept")
        body = invocation.body
        if self._script.has("input_fn"):
            # Only what it says of an encoding is looked at.
            media_type_from_content_type(JSON, get("content-encoding"))
            given = JSON if content_type is None else content_type.partition(";")[0].strip().lower()
            data = self._script.call("input_fn", _text(body) if given in TEXTS else body, given)
            return Asked(data, None, False, self._accept(accept, given))
        read = media_type_from_content_type(content_type, get("content-encoding"))
        is_bare = is_bare_array(read, body)
        written = self._accept(accept, read)
        request = request_from_body(read, features_body(body) if is_bare else body, self._schema)
        if request.explain:
            raise NotExplainableError(
                "this model has an inference script, whose answers have no SHAP values; leave "
                "'explain' out"
            )
        data = estimator_rows(request.inputs, self.manifest, takes_frame=self._takes_frame)
        return Asked(data, request, is_bare, written)

    def _accept(self, accept: str | None, read: str) -> str:
        if not self._script.has("output_fn"):
            return media_type_from_accept(accept, read if read in TEXTS else JSON)
        return JSON if accept is None or accept.strip() in ("", "*/*") else accept

    def _answered(self, asked: Asked) -> Answer:
        script, request = self._script, asked.request
        rows = 0 if request is None else len(request.rows)
        is_ours = not script.has("predict_fn") and not script.has("output_fn")
        if is_ours and request is not None and not asked.is_bare:
            prediction = self._by_default(request)
            body = body_from_prediction(asked.accept, request, prediction, self._schema)
            return Answer(asked.accept, body, (), rows)
        found = self._predicted(asked)
        if script.has("output_fn"):
            media_type, body = reply_of(script.call("output_fn", found, asked.accept), asked.accept)
            return Answer(media_type, body, (), rows)
        try:
            body = body_from_anything(asked.accept, found, is_bare=asked.is_bare)
        except (TypeError, ValueError) as error:
            raise ScriptError(
                f"{script.name}: predict_fn returned a {type(found).__name__} that cannot be "
                f"written as {asked.accept}; return arrays, lists, numbers or texts, or write an "
                "output_fn"
            ) from error
        return Answer(asked.accept, body, (), rows)

    def _predicted(self, asked: Asked) -> Any:
        script = self._script
        if script.has("predict_fn"):
            return script.call("predict_fn", asked.data, self._model)
        try:
            if script.has("output_fn"):
                return self._model.predict(asked.data)
            return predicted(self._model, asked.data)
        except PredictionError:
            raise
        except (Exception, SystemExit) as error:
            raise script.told(error, "predict") from error

    def _by_default(self, request: Request) -> Prediction:
        try:
            return self._runtime.predict(request.inputs)
        except PredictionError as error:
            if error.__cause__ is None or not self._script.has("model_fn"):
                raise
            # The model is the script's, and may be a class of its own.
            raise self._script.told(error.__cause__, "predict") from error.__cause__


def script_predictor(artifact: Artifact, settings: Settings) -> ScriptPredictor:
    """Load an artifact's script and its model, and prove them on the golden rows where they can be.

    Raises:
        InvalidScriptError: the script cannot be loaded, or its `model_fn` raised
        ArtifactError: as for a model without a script
        GoldenMismatchError: it answers the golden rows otherwise
    """
    # Loaded where it is called later: what `model_fn` opens may be of use in its own thread alone.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="script")
    return thread.submit(_loaded, artifact, settings, thread).result()


def _loaded(artifact: Artifact, settings: Settings, thread: ThreadPoolExecutor) -> ScriptPredictor:
    script = _script_of(artifact, settings)
    model: Any
    manifest = artifact.manifest
    part = manifest.estimator
    takes_frame = part is not None and part.input is EstimatorInput.DATAFRAME
    if script.has("model_fn"):
        model = _model_of(script, artifact)
        runtime: Runtime = SklearnRuntime(manifest, model, takes_frame=takes_frame)
    else:
        candidate = candidates(artifact, settings)[0]
        runtime = open_proven(candidate, artifact)
        model = ServedModel(runtime, manifest)
        if isinstance(runtime, SklearnRuntime):
            model = runtime.estimator
    predictor = ScriptPredictor(
        artifact, script, model, runtime, takes_frame=takes_frame, thread=thread
    )
    proof = prove_script(predictor.answer_here, script, artifact)
    log(
        logging.INFO,
        "script_loaded",
        script=script.name,
        functions=list(script.functions),
        golden_rows=proof,
    )
    return predictor


def reply_of(result: Any, accept: str) -> tuple[str, bytes]:
    """Read what `output_fn` returned: text or bytes, alone or with a content type, or a Response.

    Raises:
        ScriptError: something else
    """
    media_type = accept.partition(",")[0].strip()
    if isinstance(result, tuple) and len(result) == 2:
        result, media_type = result
    elif callable(getattr(result, "get_data", None)):
        # The toolkit's `worker.Response` is one of Flask's.
        media_type, result = getattr(result, "mimetype", media_type), result.get_data()
    if isinstance(result, str):
        result = result.encode()
    if not isinstance(result, bytes | bytearray | memoryview) or not isinstance(media_type, str):
        raise ScriptError(
            f"output_fn returned a {type(result).__name__}; return text or bytes, or one of them "
            "with its content type: (body, content_type)"
        )
    return media_type, bytes(result)


def _script_of(artifact: Artifact, settings: Settings) -> Script:
    name = f"{CODE_FOLDER}/{settings.program}"
    if name not in artifact.manifest.files:
        listed = sorted(path for path in artifact.files if path.startswith(f"{CODE_FOLDER}/"))
        raise InvalidScriptError(
            f"SAGEMAKER_PROGRAM is {settings.program!r}, and the artifact has {', '.join(listed)}"
        )
    return load_script(artifact.directory / CODE_FOLDER, settings.program)


def _model_of(script: Script, artifact: Artifact) -> Any:
    try:
        model = script.call("model_fn", str(artifact.directory))
    except (ScriptError, RequestError) as error:
        cause = error.__cause__
        log(logging.ERROR, "script_failed", error=cause, where=str(error).partition(";")[0])
        where = str(error).partition("; the log")[0]
        raise InvalidScriptError(f"{where}: {cause}") from error
    if not script.has("predict_fn") and not callable(getattr(model, "predict", None)):
        raise InvalidScriptError(
            f"{script.name}: model_fn returned a {type(model).__name__}, which has no predict; "
            "return an estimator, or write a predict_fn"
        )
    return model


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            f"the body is not UTF-8: byte {body[error.start]:#04x} at position {error.start}"
        ) from error
