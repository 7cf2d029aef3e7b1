"""The routes of SageMaker's container contract, as a granian RSGI application.

Source: SageMaker Developer Guide, page "your-algorithms-inference-code".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .bodies import read_body, with_payload
from .codecs import json_body
from .content_type import JSON
from .direct import Direct, DirectPredictor
from .errors import (
    ArtifactError,
    MethodNotAllowedError,
    ModelUnavailableError,
    RouteNotFoundError,
    shown,
)
from .metrics import Metrics
from .predictor import Answer, Invocation, ModelPredictor, Predictor
from .replies import Call, Replies
from .rsgi import Exchange, Scope
from .settings import Settings
from .statuses import codes

if TYPE_CHECKING:  # a server of one model starts without reading the code for many
    from .multi_model_routes import ModelRoutes


class Application:
    """Answers the paths of the contract, /metrics, and in their case those of many models.

    Args:
        settings: limits
        predictor: the proven model, or None when it could not be loaded
        unavailable: why there is no model; /ping repeats it
        models: instead of the two above, where this server holds many models
        metrics: counters shared with other workers; left out, this is the only one
        worker: which of them this is
        labels: what /metrics says of the model
    """

    def __init__(
        self,
        settings: Settings,
        predictor: Predictor | None,
        unavailable: ArtifactError | None = None,
        models: ModelRoutes | None = None,
        *,
        metrics: Metrics | None = None,
        worker: int = 0,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._predictor = predictor
        self._unavailable = unavailable
        self._models = models
        self._labels = labels or {}
        self._routes: dict[str, tuple[str, Callable[[Scope, Call], Any]]] = {
            "/ping": ("GET", self._ping),
            "/invocations": ("POST", self._invocations),
            "/execution-parameters": ("GET", self._execution_parameters),
            "/metrics": ("GET", self._metrics_text),
        }
        self._metrics = Metrics(codes(), workers=1) if metrics is None else metrics
        pid = os.getpid()
        self._replies = Replies(self._metrics.counters(worker, 0, pid=pid))
        if isinstance(predictor, ModelPredictor):
            predictor.batcher.observe = self._replies.counters.ran_batch
        self.direct: Direct | None = None
        if isinstance(predictor, DirectPredictor):
            self.direct = Direct(
                predictor,
                settings,
                here=Replies(self._metrics.counters(worker, 1, pid=pid)),
                there=self._replies,
                answer=self._answer_invocation,
            )

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request, whatever happens."""
        call = self._replies.begin(scope.path, scope.headers, exchange)
        try:
            answer = await self._answer(scope, call)
        except Exception as error:  # noqa: BLE001 - the edge: a client never sees a traceback
            self._replies.refuse(call, error)
        else:
            if answer is None:
                self._replies.answer_empty(call)
            else:
                self._replies.answer(call, answer)

    async def _answer(self, scope: Scope, call: Call) -> Answer | None:
        route = self._routes.get(scope.path)
        if route is None:
            if self._models is not None and self._models.has(scope.path):
                # Read first, as for an invocation.
                body = await read_body(call.headers, call.exchange, self._settings)
                return await self._models.answer(scope, body, call.request_id)
            raise RouteNotFoundError(
                f"there is no {shown(scope.path)}; the paths are {', '.join(self._routes)}"
            )
        method, handler = route
        if scope.method != method:
            raise MethodNotAllowedError(
                f"{scope.path} takes {method}, not {shown(scope.method)}", allowed=method
            )
        answer: Answer | None = await handler(scope, call)
        return answer

    async def _ping(self, scope: Scope, call: Call) -> None:
        # A server of many models is well without any: which there are, its platform decides.
        if self._models is None:
            self._served()

    async def _invocations(self, scope: Scope, call: Call) -> Answer:
        # Read first even what is then refused.
        body = await read_body(call.headers, call.exchange, self._settings)
        return await self._predicted(call, body)

    async def _answer_invocation(self, call: Call, body: bytes) -> None:
        try:
            answer = await self._predicted(call, body)
        except Exception as error:  # noqa: BLE001 - the edge, as above
            self._replies.refuse(call, error)
        else:
            self._replies.answer(call, answer)

    async def _predicted(self, call: Call, body: bytes) -> Answer:
        predictor = self._served()
        try:
            return await predictor.answer(Invocation(body, call.headers, call.request_id))
        except Exception as error:
            with_payload(error, body)
            raise

    async def _execution_parameters(self, scope: Scope, call: Call) -> Answer:
        from .batch import execution_parameters  # not needed to start

        document = execution_parameters(self._settings, self._metrics.workers)
        return Answer(JSON, json_body(document))

    async def _metrics_text(self, scope: Scope, call: Call) -> Answer:
        from .exposition import CONTENT_TYPE, text_of  # not needed to start

        gauges = () if self._models is None else self._models.gauges()
        text = await asyncio.to_thread(text_of, self._metrics, self._labels, gauges)
        return Answer(CONTENT_TYPE, text.encode())

    def _served(self) -> Predictor:
        if self._models is not None:
            raise RouteNotFoundError(
                "this server holds many models (SAGEMAKER_MULTI_MODEL is true); invoke one of "
                "them by POST /models/NAME/invoke"
            )
        if self._predictor is None:
            raise ModelUnavailableError(f"no model is in service: {self._unavailable}")
        return self._predictor
