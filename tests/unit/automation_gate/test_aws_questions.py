"""What AWS refuses is told with what was asked and with what to do next."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from automation.errors import GreenlightError, SetupError, SourceError
from automation.gate.aws_questions import asking


def refused(code: str, operation: str = "DescribeModelPackage") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no."}}, operation)


@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        (refused("ValidationException"), SourceError, "`aws x list --region eu-west-1` shows what"),
        (
            refused("NoSuchBucket"),
            SourceError,
            "operation: no; `aws s3 ls --region eu-west-1` shows",
        ),
        (refused("AccessDeniedException"), SourceError, "allow sagemaker:DescribeModelPackage on"),
        (refused("ExpiredTokenException"), SetupError, "sign in again, choose other credentials"),
        (refused("UnrecognizedClientException"), SetupError, "or run it in a rehearsal with"),
        (NoCredentialsError(), SetupError, "no AWS credentials are set; set AWS_PROFILE, or run"),
        (
            EndpointConnectionError(endpoint_url="http://x"),
            SourceError,
            "look at the network, AWS_REGION and AWS_ENDPOINT_URL",
        ),
    ],
)
def test_a_refusal_says_what_to_do(
    raised: Exception, error: type[GreenlightError], told: str
) -> None:
    client = boto3.client("sagemaker", region_name="eu-west-1")

    with pytest.raises(error) as caught, asking("it cannot be read", client, "x list"):
        raise raised

    assert str(caught.value).startswith("it cannot be read: ")
    assert told in str(caught.value)
