"""What subscribers of an asynchronous endpoint's SNS topics are told: pure messages.

Source: SageMaker Developer Guide, "Check Prediction Results"; messages received from AWS in
2022 to 2025 as public code keeps them for its tests (accept, responseBody, failureReason).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from rehearsal.cloud.asynchronous.request import AsyncRequest
from rehearsal.cloud.clock import milliseconds_from_epoch

TEST_NOTIFICATION = json.dumps(
    {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"},
    separators=(",", ":"),
)
# A response is put into a message only up to this size.
MAXIMUM_RESPONSE_BYTES = 128 * 1024
RESPONSE_NOTE = "Check S3 path location(if configured) or Cloudwatch for additional details."


def topics(output_config: Mapping[str, Any]) -> list[str]:
    """Return the topics of an OutputConfig, each once, the success topic first."""
    config = output_config.get("NotificationConfig", {})
    found = [config.get("SuccessTopic"), config.get("ErrorTopic")]
    return list(dict.fromkeys(topic for topic in found if topic))


def topic_for(output_config: Mapping[str, Any], *, succeeded: bool) -> str | None:
    """Return the topic an end is told to, or None."""
    config = output_config.get("NotificationConfig", {})
    topic: str | None = config.get("SuccessTopic" if succeeded else "ErrorTopic")
    return topic


def message(
    request: AsyncRequest,
    *,
    region: str,
    now: float,
    failure_reason: str | None,
    location: str | None,
    response: tuple[str, bytes] | None,
) -> str:
    """Return the message that tells a request's end.

    Args:
        failure_reason: None for a success
        location: where the response was written, or None
        response: content type and body of the container's answer, or None when it gave none
    """
    succeeded = failure_reason is None
    told: dict[str, Any] = {
        "awsRegion": region,
        "eventTime": f"{milliseconds_from_epoch(now)}Z",
        "receivedTime": f"{milliseconds_from_epoch(request.received_at)}Z",
        "invocationStatus": "Completed" if succeeded else "Failed",
    }
    if failure_reason is not None:
        told["failureReason"] = failure_reason
    asked = {
        "accept": request.accept,
        "contentType": request.content_type,
        "endpointName": request.endpoint_name,
        "inputLocation": request.input_location,
    }
    told["requestParameters"] = {k: v for k, v in asked.items() if v is not None}
    if location is not None and response is not None:
        told["responseParameters"] = {"contentType": response[0], "outputLocation": location}
    if response is not None and _is_included(request.output_config, succeeded, response[1]):
        told["responseBody"] = {
            "content": base64.b64encode(response[1]).decode(),
            "message": RESPONSE_NOTE,
            "encoding": "BASE64",
        }
    told["inferenceId"] = request.inference_id
    told.update(eventVersion="1.0", eventSource="aws:sagemaker", eventName="InferenceResult")
    return json.dumps(told, separators=(",", ":"))


def _is_included(output_config: Mapping[str, Any], succeeded: bool, body: bytes) -> bool:
    kind = "SUCCESS_NOTIFICATION_TOPIC" if succeeded else "ERROR_NOTIFICATION_TOPIC"
    wanted = output_config.get("NotificationConfig", {}).get("IncludeInferenceResponseIn", ())
    return kind in wanted and len(body) <= MAXIMUM_RESPONSE_BYTES
