"""The routes of SageMaker's container contract, as a granian RSGI application.

Every answer leaves through here, so this is the one place where errors become HTTP statuses.

Source: SageMaker Developer Guide, page "your-algorithms-inference-code".
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .codecs import json_body
from .content_type import JSON
from .errors import (
    ArtifactError,
    BodyTimeoutError,
    BodyTooLargeError,
    MalformedBodyError,
    MethodNotAllowedError,
    ModelAlreadyLoadedError,
    ModelMemoryError,
    ModelNotLoadedError,
    ModelUnavailableError,
    NotAcceptableError,
    PredictionError,
    RequestError,
    RouteNotFoundError,
    ServerError,
    UnsupportedContentTypeError,
    error_document,
    shown,
)
from .logs import log, payload_digest
from .predictor import Answer, Invocation, Predictor
from .rsgi import CLIENT_GONE, Exchange, Scope
from .settings import Settings

if TYPE_CHECKING:  # a server of one model starts without reading the code for many
    from .multi_model_routes import ModelRoutes

STATUSES: dict[type[ServerError], int] = {
    RequestError: 400,
    RouteNotFoundError: 404,
    ModelNotLoadedError: 404,
    MethodNotAllowedError: 405,
    NotAcceptableError: 406,
    BodyTimeoutError: 408,
    ModelAlreadyLoadedError: 409,
    BodyTooLargeError: 413,
    UnsupportedContentTypeError: 415,
    PredictionError: 500,
    ModelUnavailableError: 503,
    ModelMemoryError: 507,
}
"""The nearest class in an error's ancestry decides; everything else is a 500."""

HIDDEN_MESSAGES: dict[type[ServerError], str] = {
    PredictionError: "the model failed on this input; the log has the cause under this request id",
}
BROKEN_OFF = "the body broke off before its end; send it again"
LONGEST_REQUEST_ID = 128
DISCARDED_BODIES = 4
"""Times `max_body_bytes` read and thrown away, so that a client hears of its 413."""


class Application:
    """Answers /ping and /invocations.

    Args:
        settings: limits
        predictor: the proven model, or None when it could not be loaded
        unavailable: why there is no model; /ping repeats it
        models: instead of the two above, where this server holds many models
    """

    def __init__(
        self,
        settings: Settings,
        predictor: Predictor | None,
        unavailable: ArtifactError | None = None,
        models: ModelRoutes | None = None,
    ) -> None:
        self._settings = settings
        self._predictor = predictor
        self._unavailable = unavailable
        self._models = models
        self._routes: dict[str, tuple[str, Callable[[Scope, Exchange, str], Any]]] = {
            "/ping": ("GET", self._ping),
            "/invocations": ("POST", self._invocations),
        }
        self._id_prefix = os.urandom(8).hex()
        self._id_numbers = itertools.count(1)

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request, whatever happens."""
        request_id = self._request_id(scope)
        try:
            answer = await self._answer(scope, exchange, request_id)
        except ServerError as error:
            self._refuse(scope, exchange, error, request_id)
        except Exception as error:  # noqa: BLE001 - the edge: a client never sees a traceback
            log(logging.ERROR, "unexpected_error", error=error, request_id=request_id)
            self._refuse(scope, exchange, ServerError(), request_id)
        else:
            headers = [("x-request-id", request_id)]
            if answer is None:
                exchange.response_empty(200, headers)
            else:
                headers.append(("content-type", answer.media_type))
                headers.extend(answer.headers)
                exchange.response_bytes(200, headers, answer.body)
            log(logging.DEBUG, "answered", request_id=request_id, path=scope.path, status=200)

    async def _answer(self, scope: Scope, exchange: Exchange, request_id: str) -> Answer | None:
        route = self._routes.get(scope.path)
        if route is None:
            if self._models is not None and self._models.has(scope.path):
                # Read first, as for an invocation.
                body = await self._read_body(scope, exchange)
                return await self._models.answer(scope, body, request_id)
            raise RouteNotFoundError(
                f"there is no {shown(scope.path)}; the paths are {', '.join(self._routes)}"
            )
        method, handler = route
        if scope.method != method:
            raise MethodNotAllowedError(
                f"{scope.path} takes {method}, not {shown(scope.method)}", allowed=method
            )
        answer: Answer | None = await handler(scope, exchange, request_id)
        return answer

    async def _ping(self, scope: Scope, exchange: Exchange, request_id: str) -> None:
        # A server of many models is well without any: which there are, its platform decides.
        if self._models is None:
            self._served()

    async def _invocations(self, scope: Scope, exchange: Exchange, request_id: str) -> Answer:
        # Read first even what is then refused: an unread body would reset the client's connection.
        body = await self._read_body(scope, exchange)
        predictor = self._served()
        try:
            return await predictor.answer(Invocation(body, scope.headers, request_id))
        except ServerError as error:
            error.payload = f"{len(body)} bytes, sha256 {payload_digest(body)}"
            raise

    def _served(self) -> Predictor:
        if self._models is not None:
            raise RouteNotFoundError(
                "this server holds many models (SAGEMAKER_MULTI_MODEL is true); invoke one of "
                "them by POST /models/NAME/invoke"
            )
        if self._predictor is None:
            raise ModelUnavailableError(f"no model is in service: {self._unavailable}")
        return self._predictor

    async def _read_body(self, scope: Scope, exchange: Exchange) -> bytes:
        limit = self._settings.max_body_bytes
        declared = scope.headers.get("content-length")
        # With both headers the length is not the body's; only one chunk at a time is then safe.
        is_chunked = scope.headers.get("transfer-encoding") is not None
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                if declared is not None and int(declared) <= limit and not is_chunked:
                    return await exchange()
                return await _read_at_most(limit, exchange)
        except CLIENT_GONE as error:
            raise MalformedBodyError(BROKEN_OFF) from error
        except TimeoutError as error:
            raise BodyTimeoutError(
                f"the body was not complete after {self._settings.body_timeout_seconds} s; "
                "send the whole body at once"
            ) from error

    def _refuse(
        self, scope: Scope, exchange: Exchange, error: ServerError, request_id: str
    ) -> None:
        status = status_of(error)
        message = HIDDEN_MESSAGES.get(type(error), str(error))
        if type(error) is ServerError:
            message = "the server failed; the log has the cause under this request id"
        log(
            logging.ERROR if status >= 500 else logging.INFO,
            "refused",
            request_id=request_id,
            path=scope.path,
            status=status,
            code=error.code,
            payload=error.payload,
            # A refused request's message repeats the client's values, which are not ours to log.
            cause=None if isinstance(error, RequestError) else str(error),
        )
        headers = [("content-type", JSON), ("x-request-id", request_id)]
        if isinstance(error, MethodNotAllowedError):
            headers.append(("allow", error.allowed))
        document = error_document(error, message=message, request_id=request_id)
        exchange.response_bytes(status, headers, json_body(document))

    def _request_id(self, scope: Scope) -> str:
        given = scope.headers.get("x-request-id")
        if given is not None and 0 < len(given) <= LONGEST_REQUEST_ID and given.isprintable():
            return str(given)
        return f"{self._id_prefix}-{next(self._id_numbers)}"


def status_of(error: ServerError) -> int:
    """Give the HTTP status for an error."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return 500


async def _read_at_most(limit: int, exchange: Exchange) -> bytes:
    """Read a body that is too large, or of a length not known beforehand, in bounded memory."""
    chunks: list[bytes] = []
    size = 0
    empty_chunks = 0
    async for chunk in exchange:
        size += len(chunk)
        empty_chunks += not chunk
        if size <= limit:
            chunks.append(chunk)
        elif size > limit * DISCARDED_BODIES:
            break
    if size > limit:
        raise BodyTooLargeError(
            f"the body is above {limit} bytes; split the rows over several requests"
        )
    # granian raises nothing here: a body ends with one empty chunk, a broken one with two.
    if empty_chunks > 1:
        raise MalformedBodyError(BROKEN_OFF)
    return b"".join(chunks)
