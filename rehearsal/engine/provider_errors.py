"""What goes wrong in a provider, and how it says so over gRPC.

ProviderError              the provider, or the way to it, failed
  DiffUnavailableError     it can't compare before its own configuration is known
"""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import errors_pb2, provider_pb2, status_pb2

from rehearsal.engine.errors import EngineError

UNKNOWN_STATUS = 2
_LOST = (grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNKNOWN)


class ProviderError(EngineError):
    """A provider said no. `status` is 2 when nobody knows what became of the resource, else 0."""

    def __init__(self, message: str, status: int = 0, *, unimplemented: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.unimplemented = unimplemented


class DiffUnavailableError(ProviderError):
    """The provider can't compare yet, since its own configuration is unknown."""


def init_error_text(reasons: tuple[str, ...]) -> str:
    """Say why a resource is not what it should be, in Pulumi's form."""
    count = "1 error occurred:" if len(reasons) == 1 else f"{len(reasons)} errors occurred:"
    return count + "".join(f"\n\t* {reason}" for reason in reasons) + "\n\n"


def provider_error(error: Any) -> ProviderError:
    """Turn a gRPC error into what it says of the resource and to a person."""
    missing = _detail(error, provider_pb2.ConfigureErrorMissingKeys)
    if missing is not None:
        return ProviderError(
            "\n".join(
                f'missing required configuration key "{key.name}": {key.description}\n'
                f"Set a value using the command `pulumi config set {key.name} <value>`."
                for key in missing.missingKeys
            )
        )
    cause = _detail(error, errors_pb2.ErrorCause)
    text = error.details() or f"the provider answered {error.code().name} without a message"
    if cause is not None and cause.message and cause.message not in text:
        text = f"{text}: {cause.message}"
    return ProviderError(
        text,
        UNKNOWN_STATUS if error.code() in _LOST else 0,
        unimplemented=error.code() == grpc.StatusCode.UNIMPLEMENTED,
    )


def init_failure(error: Any) -> Any:
    """Return the detail by which a provider says that the resource exists all the same, or None."""
    return _detail(error, provider_pb2.ErrorResourceInitFailed)


def _detail(error: Any, message_type: Any) -> Any:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Is(message_type.DESCRIPTOR):
                    message = message_type()
                    detail.Unpack(message)
                    return message
    return None
