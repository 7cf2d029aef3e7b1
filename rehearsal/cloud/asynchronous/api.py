"""InvokeEndpointAsync: check, queue, answer at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.asynchronous.dispatcher import Dispatcher
from rehearsal.cloud.asynchronous.endpoint import AsyncEndpoint
from rehearsal.cloud.asynchronous.location import locations
from rehearsal.cloud.asynchronous.request import (
    DEFAULT_TIMEOUT_SECONDS,
    DEFAULT_TTL_SECONDS,
    AsyncRequest,
    members_from_http,
    refusal,
)
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.ids import new_id, request_id
from rehearsal.cloud.runtime.routing import Route

ASYNC_PATH = re.compile(r"/endpoints/([^/]+)/async-invocations")


@dataclass
class AsyncApi:
    """Answers `POST /endpoints/{EndpointName}/async-invocations`."""

    clock: Clock
    dispatcher: Dispatcher
    routes: Mapping[str, Route]
    endpoint_of: Callable[[str], AsyncEndpoint | None]
    account_id: str

    def __call__(self, endpoint_name: str, request: Request) -> Response:
        """Queue a request and answer 202 with where its answer will be."""
        members = members_from_http(endpoint_name, request.headers, request.body)
        if self.routes.get(endpoint_name) is None:
            raise refusal(f"Endpoint {endpoint_name} of account {self.account_id} not found.")
        endpoint = self.endpoint_of(endpoint_name)
        if endpoint is None:
            raise refusal(
                f"Endpoint {endpoint_name} does not support asynchronous inference; its endpoint "
                "config has no AsyncInferenceConfig."
            )
        accepted = self._accepted(members, request.body, endpoint)
        self.dispatcher.put(accepted)
        headers = [("X-Amzn-SageMaker-OutputLocation", accepted.output_location)]
        if accepted.failure_location is not None:
            headers.append(("X-Amzn-SageMaker-FailureLocation", accepted.failure_location))
        return Response(
            status=202,
            headers=(
                ("Content-Type", "application/json"),
                ("x-amzn-RequestId", request_id()),
                *headers,
            ),
            body=json.dumps({"InferenceId": accepted.inference_id}).encode(),
        )

    def _accepted(
        self, members: Mapping[str, Any], body: bytes, endpoint: AsyncEndpoint
    ) -> AsyncRequest:
        output_config = endpoint.output_config
        if "S3OutputPath" not in output_config:
            raise refusal(
                f"The endpoint config of {members['EndpointName']} has no "
                "AsyncInferenceConfig.OutputConfig.S3OutputPath to write the response to."
            )
        # On AWS the objects' name was another UUID than the InferenceId whenever it was seen.
        places = locations(
            output_config,
            name=new_id(),
            filename=members.get("Filename"),
            extension=members.get("S3OutputPathExtension"),
        )
        return AsyncRequest(
            endpoint_name=members["EndpointName"],
            inference_id=members["InferenceId"] if "InferenceId" in members else new_id(),
            input_location=members.get("InputLocation"),
            inline=body if body else None,
            content_type=members.get("ContentType"),
            accept=members.get("Accept"),
            custom_attributes=members.get("CustomAttributes"),
            output_location=places.output,
            failure_location=places.failure,
            ttl_seconds=members.get("RequestTTLSeconds", DEFAULT_TTL_SECONDS),
            timeout_seconds=members.get("InvocationTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS),
            received_at=self.clock.now(),
            output_config=output_config,
            role_arn=endpoint.role_arn,
        )
