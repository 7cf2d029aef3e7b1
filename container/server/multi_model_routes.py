"""The paths of a multi-model container: /models, /models/{name}, /models/{name}/invoke.

A name is opaque and stands percent-decoded in the path, so it may hold slashes: the method says
whether a last `/invoke` is part of it.

Source: SageMaker Developer Guide, "Custom Containers Contract for Multi-Model Endpoints", read 2026
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import parse_qs

from .bodies import with_payload
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
from .rsgi import Scope

ROOT = "/models"
INVOKE = "/invoke"
TARGET_MODEL_HEADER = "x-amzn-sagemaker-target-model"
TOKEN = "next_page_token"
EXAMPLE = '{"model_name": "NAME", "url": "/opt/ml/models/NAME/model"}'
PATHS = f"{ROOT}, {ROOT}/NAME, {ROOT}/NAME{INVOKE}"


class ModelRoutes:
    """Answers the paths here."""

    def __init__(self, models: MultiModel) -> None:
        self._models = models

    def has(self, path: str) -> bool:
        """Tell whether a path is one of those here."""
        return path == ROOT or path.startswith(f"{ROOT}/")

    def gauges(self) -> list[tuple[str, str, float]]:
        """Give what /metrics says of the models: names, meanings and values."""
        models = self._models
        return [
            ("greenlight_models_loaded", "Models that can be invoked.", models.loaded_count),
            (
                "greenlight_model_memory_reserved_bytes",
                "Memory of the models that are loaded or about to be, as measured.",
                models.reserved_bytes,
            ),
            (
                "greenlight_model_memory_budget_bytes",
                "Memory models may take together.",
                models.budget_bytes,
            ),
        ]

    async def answer(self, scope: Scope, body: bytes, request_id: str) -> Answer:
        """Answer a request, and log which target model the caller of the endpoint meant.

        Raises:
            ServerError: the application knows its status
        """
        target = scope.headers.get(TARGET_MODEL_HEADER)
        try:
            answer = await self._answer(scope, body, request_id)
        except ServerError as error:
            with_payload(error, body)
            log(
                logging.INFO,
                "model_call_refused",
                request_id=request_id,
                target_model=target,
                code=error.code,
            )
            raise
        log(logging.DEBUG, "model_call", request_id=request_id, target_model=target)
        return answer

    async def _answer(self, scope: Scope, body: bytes, request_id: str) -> Answer:
        if scope.path == ROOT:
            if scope.method == "GET":
                return self._list(scope.query_string)
            if scope.method == "POST":
                return await self._load(body)
            raise _not_allowed(scope, "GET, POST")
        name = scope.path.removeprefix(f"{ROOT}/")
        if scope.method == "POST":
            model = name.removesuffix(INVOKE)
            if model in ("", name):
                raise RouteNotFoundError(
                    f"there is no {shown(scope.path)} to post to; the paths are {PATHS}"
                )
            return await self._models.answer(model, Invocation(body, scope.headers, request_id))
        if not name:
            raise RouteNotFoundError(f"the path names no model; the paths are {PATHS}")
        if scope.method == "GET":
            found = self._models.get(name)
            return _json({"modelName": found.name, "modelUrl": found.url})
        if scope.method == "DELETE":
            await self._models.unload(name)
            return _json({"modelName": name})
        raise _not_allowed(scope, "GET, DELETE")

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


def _not_allowed(scope: Scope, allowed: str) -> MethodNotAllowedError:
    return MethodNotAllowedError(
        f"{shown(scope.path)} takes {allowed}, not {shown(scope.method)}", allowed=allowed
    )
