"""The rules for an invocation's headers."""

from __future__ import annotations

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.runtime.headers import FORWARDED, check_headers, forwarded


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/csv; charset=utf-8", "accept": "*/*"},
        {"x-amzn-sagemaker-session-id": "NEW_SESSION"},
        {"x-amzn-sagemaker-inference-id": "a b"},
        {"x-amzn-sagemaker-target-model": "tenants/7 b.tar.gz"},
        {"x-other": "\xff" * 5_000},
    ],
)
def test_what_the_api_takes_passes(headers: dict[str, str]) -> None:
    check_headers(headers)


def test_several_problems_come_in_one_message() -> None:
    headers = {
        "x-amzn-sagemaker-target-variant": "-",
        "x-amzn-sagemaker-inference-id": "",
        "x-amzn-sagemaker-custom-attributes": "é",
    }

    with pytest.raises(ApiError) as caught:
        check_headers(headers)

    assert caught.value.code == "ValidationError"
    assert caught.value.message.startswith("4 validation errors detected: ")
    assert "Value '' at 'inferenceId' failed to satisfy constraint: " in caught.value.message
    assert "Value 'é' at 'customAttributes' failed to satisfy" in caught.value.message


def test_only_known_headers_are_forwarded_under_their_own_names() -> None:
    headers = {"content-type": "text/csv", "authorization": "x", "x-amzn-sagemaker-session-id": "s"}

    assert forwarded(headers, FORWARDED) == [
        ("Content-Type", "text/csv"),
        ("X-Amzn-SageMaker-Session-Id", "s"),
    ]
