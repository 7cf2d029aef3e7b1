"""Errors as gRPC statuses: the one edge where exceptions become answers.

Source: pulumi's proto/pulumi/provider.proto (`ErrorResourceInitFailed`); error texts as
pulumi-terraform-bridge words them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from rehearsal.provider.entry import ProviderError
from rehearsal.provider.lifecycle import PartialError
from rehearsal.provider.value import WireError, struct_from_values

STATUS_KEY = "grpc-status-details-bin"

logger = logging.getLogger(__name__)


@contextmanager
def answering(context: grpc.ServicerContext, package: str) -> Iterator[None]:
    """Turn every error inside into a status with a message for a person.

    Args:
        package: named when the stand-in itself is at fault
    """
    try:
        yield
    except PartialError as err:
        _abort_partial(context, err)
    except (ProviderError, WireError) as err:
        context.abort(grpc.StatusCode.UNKNOWN, terraform_text(str(err)))
    except Exception as err:
        logger.exception("package=%s failed", package)
        context.abort(
            grpc.StatusCode.INTERNAL,
            f"the rehearsal's {package} provider has a bug: {err!r}; see its log",
        )


def terraform_text(message: str) -> str:
    """An error as bridged providers word it."""
    return f"1 error occurred:\n\t* {message}\n\n"


def _abort_partial(context: grpc.ServicerContext, err: PartialError) -> None:
    message = terraform_text(str(err))
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=err.identifier,
            properties=struct_from_values(err.properties),
            # The engine itself words a list of reasons as "1 error occurred".
            reasons=[str(err)],
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.append(detail)
    context.set_trailing_metadata(((STATUS_KEY, status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, message)
