"""Asks AWS for a model: clients made when one is needed, errors that say what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from automation.errors import SetupError, SourceError

# What AWS's services call credentials that are none, or none any more.
BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId",
        "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
    }
)  # fmt: skip
NO_BUCKET = "NoSuchBucket"
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
IN_A_REHEARSAL = "run it in a rehearsal with `greenlight rehearsal run -- greenlight package ...`"


class Clients:
    """boto3's clients, of one region."""

    def __init__(self, region: str | None) -> None:
        self._region = region

    def client(self, service: str) -> Any:
        """Make a client.

        Raises:
            SetupError: there is no region.
        """
        import boto3
        from botocore.exceptions import NoRegionError

        try:
            return boto3.Session(region_name=self._region).client(service)  # type: ignore[call-overload]
        except NoRegionError as err:
            raise SetupError(
                "no AWS region is set, so that nobody knows where to ask; set AWS_REGION, or give "
                "an ARN, which names its region"
            ) from err


@contextmanager
def asking(what: str, client: Any, look: str) -> Iterator[None]:
    """Turn boto3's errors into ours, with what was asked and what to do next.

    Args:
        what: what cannot be had, as the beginning of a sentence.
        client: that is asked.
        look: the end of the AWS command that shows what there is instead.

    Raises:
        SetupError: there are no credentials, or none that count.
        SourceError: AWS does not give what was asked for, or cannot be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as err:
        raise SetupError(
            f"{what}: no AWS credentials are set; set AWS_PROFILE, or {IN_A_REHEARSAL}"
        ) from err
    except ClientError as err:
        code = str(err.response.get("Error", {}).get("Code"))
        told = f"{what}: {str(err).rstrip('.')}"
        if code in BAD_CREDENTIALS:
            raise SetupError(
                f"{told}; sign in again, choose other credentials by AWS_PROFILE, or "
                f"{IN_A_REHEARSAL}"
            ) from err
        if code in DENIED:
            service = client.meta.service_model.service_name
            raise SourceError(
                f"{told}; allow {service}:{err.operation_name} on it to who asks, whom "
                "`aws sts get-caller-identity` names"
            ) from err
        shown = "s3 ls" if code == NO_BUCKET else look
        raise SourceError(
            f"{told}; `aws {shown} --region {client.meta.region_name}` shows what there is"
        ) from err
    except BotoCoreError as err:
        raise SourceError(
            f"{what}: {err}; look at the network, AWS_REGION and AWS_ENDPOINT_URL"
        ) from err
