"""Routes a request: invocations first, then control, then our operations, else moto."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.cloud.asynchronous.api import ASYNC_PATH, AsyncApi
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.faults.throttling import throttled
from rehearsal.cloud.history.history import History
from rehearsal.cloud.hosting.api import HostingApi
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.json_protocol import CONTENT_TYPE, RUNTIME_CONTENT_TYPE, error_response
from rehearsal.cloud.model_registry.api import ModelRegistryApi
from rehearsal.cloud.runtime.invoke import INVOCATIONS_PATH, Invoker
from rehearsal.cloud.runtime.stream import STREAM_PATH, invoke_with_response_stream
from rehearsal.cloud.scaling.api import ScalingApi
from rehearsal.cloud.transform.api import TransformApi

SAGEMAKER_PREFIX = "SageMaker."
RUNTIME_PREFIX = "/endpoints/"
SCALING_PREFIX = "AnyScaleFrontendService."
TRAINING_JOB = "TrainingJob"
# Of a job that left no model but only says it did, a rehearsal could tell nothing.
NO_TRAINING = (
    "the rehearsal cloud does not do {operation}: nothing trains here. Train on this machine, put "
    "the model.tar.gz into S3, and take it from there or register it by CreateModelPackage"
)


@dataclass(frozen=True, kw_only=True)
class CloudApplication:
    """Every AWS API and the control API, on one port."""

    invoker: Invoker
    async_invoker: AsyncApi
    control: Callable[[Request], Response]
    hosting: HostingApi
    transform: TransformApi
    model_registry: ModelRegistryApi
    scaling: ScalingApi
    moto: Callable[[Request], Response]
    faults: Faults
    history: History

    def __call__(self, request: Request) -> Response:
        return self.history.answer(request, self._answer)

    def _answer(self, request: Request) -> Response:
        refusal = throttled(request, self.faults)
        if refusal is not None:
            return refusal
        try:
            return self._route(request)
        except ApiError as err:
            is_runtime = request.raw_path.startswith(RUNTIME_PREFIX)
            content_type = RUNTIME_CONTENT_TYPE if is_runtime else CONTENT_TYPE
            return error_response(err, content_type=content_type)

    def _route(self, request: Request) -> Response:
        path = request.raw_path
        if path.startswith(RUNTIME_PREFIX):
            return self._invoke(request)
        if path.startswith("/rehearsal/"):
            return self.control(request)
        target = request.headers.get("x-amz-target", "")
        if target.startswith(SAGEMAKER_PREFIX):
            return self._sagemaker(target.removeprefix(SAGEMAKER_PREFIX), request)
        if target.startswith(SCALING_PREFIX):
            operation = target.removeprefix(SCALING_PREFIX)
            if self.scaling.handles(operation, request):
                return self.scaling(operation, request)
        return self.moto(request)

    def _invoke(self, request: Request) -> Response:
        match = INVOCATIONS_PATH.fullmatch(request.path)
        if match is not None and request.method == "POST":
            return self.invoker(match[1], request)
        match = STREAM_PATH.fullmatch(request.path)
        if match is not None and request.method == "POST":
            return invoke_with_response_stream(self.invoker, match[1], request)
        match = ASYNC_PATH.fullmatch(request.path)
        if match is not None and request.method == "POST":
            return self.async_invoker(match[1], request)
        return self.moto(request)

    def _sagemaker(self, operation: str, request: Request) -> Response:
        apis = (self.transform, self.model_registry, self.hosting)
        for api in apis:
            if api.handles(operation, request):
                return api(operation, request)
        # moto's own answers here would be jobs that are done before they begin.
        if TRAINING_JOB in operation:
            raise ApiError("UnknownOperationException", NO_TRAINING.format(operation=operation))
        known = ", ".join({name: None for api in apis for name in api.operations})
        raise ApiError(
            "UnknownOperationException",
            f"the rehearsal cloud does not do {operation} of this resource; it does {known}",
        )
