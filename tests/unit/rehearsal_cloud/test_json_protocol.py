"""The shape of refusals."""

from __future__ import annotations

import json

import pytest

from rehearsal.cloud.errors import ApiError, ModelError, validation_exception
from rehearsal.cloud.json_protocol import error_response


def test_a_refusal_carries_its_code_where_both_protocols_look() -> None:
    response = error_response(validation_exception("no"))

    assert response.status == 400
    assert json.loads(response.body)["__type"] == "ValidationException"
    assert json.loads(response.body)["message"] == "no"
    assert dict(response.headers)["x-amzn-ErrorType"] == "ValidationException"


@pytest.mark.source("aws/amazon-sagemaker-examples#1216: the body of the refusal")
def test_the_runtimes_finer_word_is_in_the_body() -> None:
    error = ApiError("ValidationError", "no", error_code="TARGET_MODEL_HEADER_NOT_SUPPORTED")

    body = json.loads(error_response(error).body)

    assert body["ErrorCode"] == "TARGET_MODEL_HEADER_NOT_SUPPORTED"
    assert "ErrorCode" not in json.loads(error_response(ApiError("X", "no")).body)


def test_a_models_error_carries_what_the_model_answered() -> None:
    error = ModelError(
        "text", original_status_code=500, original_message="body", log_stream_arn="arn"
    )

    response = error_response(error)

    assert response.status == 424
    assert json.loads(response.body) == {
        "ErrorCode": "INTERNAL_FAILURE_FROM_MODEL",
        "Message": "text",
        "OriginalStatusCode": 500,
        "OriginalMessage": "body",
        "LogStreamArn": "arn",
    }
