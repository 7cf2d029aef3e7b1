"""The paths of a multi-model container: /models, /models/{name}, /models/{name}/invoke.

A name is opaque and stands percent-decoded in the path, so it may hold slashes: the method says
whether a last `/invoke` is part of it.

Source: SageMaker Developer Guide, "Custom Containers Contract for Multi-Model Endpoints", read 2026
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from .content_type import JSON
from .errors import (
    MalformedBodyError,
    MethodNotAllowedError,
    RequestError,
    RouteNotFoundError,
    ServerError,
    shown,
)
from .logs import log
from .multi_model import MultiModel
from .predictor import Answer, Invocation
from .rsgi import Headers

ROOT = "/models"
INVOKE = "/invoke"
TARGET_MODEL_HEADER = "x-amzn-sagemaker-target-model"
TOKEN = "next_page_token"
EXAMPLE = '{"model_name": "NAME", "url": "/opt/ml/models/NAME/model"}'
PATHS = f"{ROOT}, {ROOT}/NAME, {ROOT}/NAME{INVOKE}"


class Call(NamedTuple):
    """A request to one of the paths here.

    Args:
        path: percent-decoded
        query: as it stands after the question mark
        read_body: gives the whole body, within the limit
    """

    method: str
    path: str
    query: str
    headers: Headers
    request_id: str
    read_body: Callable[[], Awaitable[bytes]]


class ModelRoutes:
    """Answers the paths here."""

    def __init__(self, models: MultiModel) -> None:
        self._models = models

    async def answer(self, call: Call) -> Answer:
        """Answer a call, and log which target model the caller of the endpoint meant.

        Raises:
            ServerError: the application knows its status
        """
        # Read first even what is then refused: an unread body would reset the connection.
        body = await call.read_body()
        target = call.headers.get(TARGET_MODEL_HEADER)
        try:
            answer = await self._answer(call, body)
        except ServerError as error:
            log(
                logging.INFO,
                "model_call_refused",
                request_id=call.request_id,
                target_model=target,
                code=error.code,
            )
            raise
        log(logging.DEBUG, "model_call", request_id=call.request_id, target_model=target)
        return answer

    async def _answer(self, call: Call, body: bytes) -> Answer:
        if call.path == ROOT:
            if call.method == "GET":
                return self._list(call.query)
            if call.method == "POST":
                return await self._load(body)
            raise _not_allowed(call, "GET, POST")
        name = call.path.removeprefix(f"{ROOT}/")
        if call.method == "POST":
            model = name.removesuffix(INVOKE)
            if model in ("", name):
                raise RouteNotFoundError(
                    f"there is no {shown(call.path)} to post to; the paths are {PATHS}"
                )
            return await self._models.answer(model, Invocation(body, call.headers, call.request_id))
        if not name:
            raise RouteNotFoundError(f"the path names no model; the paths are {PATHS}")
        if call.method == "GET":
            found = self._models.get(name)
            return _json({"modelName": found.name, "modelUrl": found.url})
        if call.method == "DELETE":
            await self._models.unload(name)
            return _json({"modelName": name})
        raise _not_allowed(call, "GET, DELETE")

    async def _load(self, body: bytes) -> Answer:
        name, url = model_from_body(body)
        await self._models.load(name, url)
        return _json({"modelName": name, "modelUrl": url})

    def _list(self, query: str) -> Answer:
        models, last = self._models.page(name_from_token(query))
        document: dict[str, Any] = {
            "models": [{"modelName": each.name, "modelUrl": each.url} for each in models]
        }
        if last is not None:
            document["nextPageToken"] = last.encode().hex()
        return _json(document)


def model_from_body(body: bytes) -> tuple[str, str]:
    """Read what to load: name and url; further fields are the platform's and are left alone.

    Raises:
        MalformedBodyError: not such an object
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedBodyError(f"the body is not JSON ({error}); send {EXAMPLE}") from error
    fields = document if isinstance(document, dict) else {}
    name, url = fields.get("model_name"), fields.get("url")
    if not isinstance(name, str) or not isinstance(url, str):
        raise MalformedBodyError(f"model_name and url must be strings; send {EXAMPLE}")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise MalformedBodyError(f"model_name {shown(name)} is not Unicode text") from error
    return name, url


def name_from_token(query: str) -> str | None:
    """Read where a page of the list begins: after this name, or at the first.

    Raises:
        RequestError: a token we never gave
    """
    token = parse_qs(query, keep_blank_values=True).get(TOKEN, [""])[-1]
    if not token:
        return None
    try:
        return bytes.fromhex(token).decode()
    except ValueError as error:
        raise RequestError(
            f"{TOKEN} {shown(token)} is none of ours; give a nextPageToken of the page before, or "
            "leave it out for the first page"
        ) from error


def _json(document: dict[str, Any]) -> Answer:
    return Answer(JSON, json.dumps(document).encode())


def _not_allowed(call: Call, allowed: str) -> MethodNotAllowedError:
    return MethodNotAllowedError(
        f"{shown(call.path)} takes {allowed}, not {shown(call.method)}", allowed=allowed
    )
