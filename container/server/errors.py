"""What can go wrong in the server, and the one JSON shape in which a client hears of it.

    ServerError
    ├── SettingsError              the environment is wrong; the process does not start
    ├── ArtifactError              the model directory cannot be served; /ping stays 503
    │   ├── GoldenMismatchError    the model loads but does not answer its golden rows
    │   ├── InvalidScriptError     the inference script cannot be loaded, or its model_fn raises
    │   └── TrialError             loading it crashed or outlasted a process of its own
    ├── ModelUnavailableError      a request came while no model is in service
    ├── ModelMemoryError           there is no memory for one more model
    ├── PredictionError            the model raised on valid input
    │   └── ScriptError            the inference script raised; named by function and line
    └── RequestError               the client has to change the request
        ├── MalformedBodyError     not JSON, not CSV, not UTF-8, wrong keys
        ├── InvalidInstanceError   a row or a value the model cannot take
        ├── BodyTooLargeError
        ├── BodyTimeoutError
        ├── UnsupportedContentTypeError
        ├── NotAcceptableError
        ├── ScriptRefusalError     an inference script raised what means a bad request
        ├── NotExplainableError    explanations asked of a model that has none
        ├── RouteNotFoundError
        ├── ModelNotLoadedError    of many models, this one is not there
        ├── ModelAlreadyLoadedError
        └── MethodNotAllowedError

Only `statuses.py` turns these into HTTP statuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

SHOWN_CHARACTERS = 60
"""Longest piece of a caller's value that a message repeats."""


class ServerError(Exception):
    """Root of the errors of this package; `code` is the stable word clients may branch on."""

    code: ClassVar[str] = "internal_error"
    payload: str | None = None
    """Size and digest of the request body at fault, for the log."""


class SettingsError(ServerError):
    """The environment holds values the server cannot start with."""

    code: ClassVar[str] = "invalid_settings"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class ArtifactError(ServerError):
    """The files in the model directory are missing, unreadable or contradict each other."""

    code: ClassVar[str] = "invalid_artifact"


class GoldenMismatchError(ArtifactError):
    """The model's answers to the golden rows differ from those recorded when it was packaged."""

    code: ClassVar[str] = "golden_mismatch"


class InvalidScriptError(ArtifactError):
    """The artifact's inference script cannot be loaded, or gives no model."""

    code: ClassVar[str] = "invalid_script"


class TrialError(ArtifactError):
    """Loading a model ended the process it was tried in, or never came to an end there."""

    code: ClassVar[str] = "model_crashed"


class ModelMemoryError(ServerError):
    """One more model does not fit in the memory models may take."""

    code: ClassVar[str] = "insufficient_memory"


class ModelUnavailableError(ServerError):
    """No model is in service; the message repeats why."""

    code: ClassVar[str] = "model_unavailable"


class PredictionError(ServerError):
    """The model failed on input that fits its manifest."""

    code: ClassVar[str] = "model_failure"


class ScriptError(PredictionError):
    """A function of the inference script raised; its message is for clients, the cause is not."""

    code: ClassVar[str] = "script_failure"


class RequestError(ServerError):
    """The request cannot be answered as it is.

    Args:
        message: what was given, what is allowed, what to do next
        instance: zero-based index of the row at fault, when there is one
        feature: name of the feature at fault, when there is one
    """

    code: ClassVar[str] = "invalid_request"

    def __init__(
        self, message: str, *, instance: int | None = None, feature: str | None = None
    ) -> None:
        super().__init__(message)
        self.instance = instance
        self.feature = feature


class MalformedBodyError(RequestError):
    """The body is not what its content type promises."""

    code: ClassVar[str] = "malformed_body"


class InvalidInstanceError(RequestError):
    """A row or value does not fit the model's features."""

    code: ClassVar[str] = "invalid_instance"


class ScriptRefusalError(RequestError):
    """The inference script refused the request by an exception with a `status_code`."""

    code: ClassVar[str] = "refused_by_script"


class BodyTooLargeError(RequestError):
    """The body is above the limit in the settings."""

    code: ClassVar[str] = "body_too_large"


class BodyTimeoutError(RequestError):
    """The client did not send its body in time."""

    code: ClassVar[str] = "body_timeout"


class UnsupportedContentTypeError(RequestError):
    """No decoder reads the content type or encoding given."""

    code: ClassVar[str] = "unsupported_content_type"


class NotAcceptableError(RequestError):
    """No encoder writes what the Accept header asks for."""

    code: ClassVar[str] = "not_acceptable"


class NotExplainableError(RequestError):
    """Explanations were asked of a model that has none."""

    code: ClassVar[str] = "not_explainable"


class RouteNotFoundError(RequestError):
    """The path is not part of the contract."""

    code: ClassVar[str] = "not_found"


class ModelNotLoadedError(RequestError):
    """The model is not loaded, not yet, or not any more."""

    code: ClassVar[str] = "model_not_loaded"


class ModelAlreadyLoadedError(RequestError):
    """The model is loaded, and to be unloaded before it is loaded anew."""

    code: ClassVar[str] = "model_already_loaded"


class MethodNotAllowedError(RequestError):
    """The path exists, but not for this method."""

    code: ClassVar[str] = "method_not_allowed"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


def error_document(error: ServerError, *, message: str, request_id: str) -> dict[str, object]:
    """Give the body a client gets for an error: `{"error": {"code", "message", "request_id"}}`.

    Args:
        error: names the code, and the instance and feature where it knows them
        message: the text to show, which for failures of ours is not the error's own
        request_id: the same id as in the logs
    """
    detail: dict[str, object] = {
        "code": error.code,
        "message": message,
        "request_id": request_id,
    }
    if isinstance(error, RequestError):
        if error.instance is not None:
            detail["instance"] = error.instance
        if error.feature is not None:
            detail["feature"] = error.feature
    return {"error": detail}


def shown(value: object) -> str:
    """Repeat a caller's value in a message: short, on one line, in JSON's words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    # Cut before repr, so that a huge value costs nothing.
    text = repr(value[:SHOWN_CHARACTERS] if isinstance(value, str | list) else value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
