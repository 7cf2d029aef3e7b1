"""Asks a container's multi-model API: load, list, get, unload.

Source: SageMaker Developer Guide, "Custom Containers Contract for Multi-Model Endpoints",
    read 2026
"""

from __future__ import annotations

import json
from urllib.parse import quote

from rehearsal.cloud.runtime.connection import (
    Answer,
    ConnectionPool,
    InstanceTimeout,
    InstanceUnreachable,
)

TARGET_MODEL_HEADER = "X-Amzn-SageMaker-Target-Model"
LOAD_WALL_SECONDS = 360.0
LIST_WALL_SECONDS = 2.0
MAXIMUM_PAGES = 1_000


class ModelNotLoaded(Exception):
    """The container refused to load the model, or gave no answer.

    Args:
        status: the container's, 0 without an answer
        body: what it answered, or what happened instead
    """

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"loading answered {status}: {body}")
        self.status = status
        self.body = body


class ModelApi:
    """The model API of one container."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def load(self, model_id: str, url: str, *, target: str, timeout_seconds: float) -> Answer:
        """Ask for a model to be loaded from a path of the container.

        Raises:
            ModelNotLoaded: no answer
        """
        body = json.dumps({"model_name": model_id, "url": url}).encode()
        return self._ask("POST", "/models", target, body, timeout_seconds)

    def unload(self, model_id: str, *, target: str) -> Answer:
        """Ask for a model to be unloaded.

        Raises:
            ModelNotLoaded: no answer
        """
        return self._ask("DELETE", f"/models/{model_id}", target, b"", LOAD_WALL_SECONDS)

    def is_loaded(self, model_id: str) -> bool:
        """Tell whether the container says it holds a model; no answer counts as yes."""
        try:
            return self._ask("GET", f"/models/{model_id}", "", b"", LIST_WALL_SECONDS).status != 404
        except ModelNotLoaded:
            return True

    def names(self) -> list[str] | None:
        """Return the names of all models the container lists; None when it can't say.

        A container that doesn't answer its list never gets healthy on SageMaker.

        Source: pytorch/serve#397, a 404 to GET /models ends as a failed health check
        """
        names: list[str] = []
        token = ""
        for _ in range(MAXIMUM_PAGES):
            path = f"/models?next_page_token={quote(token, safe='')}" if token else "/models"
            try:
                answer = self._ask("GET", path, "", b"", LIST_WALL_SECONDS)
                if answer.status != 200:
                    return None
                page = json.loads(answer.body)
                names.extend(str(each["modelName"]) for each in page["models"])
                token = str(page.get("nextPageToken") or "")
            except (ModelNotLoaded, ValueError, KeyError, TypeError):
                return None
            if not token:
                return names
        return None

    def _ask(
        self, method: str, path: str, target: str, body: bytes, timeout_seconds: float
    ) -> Answer:
        headers = [("Accept", "application/json")]
        if body:
            headers.append(("Content-Type", "application/json"))
        if target:
            headers.append((TARGET_MODEL_HEADER, target))
        try:
            return self._pool.request(
                method, path, headers=headers, body=body, timeout_seconds=timeout_seconds
            )
        except (InstanceTimeout, InstanceUnreachable) as err:
            raise ModelNotLoaded(0, str(err)) from err
