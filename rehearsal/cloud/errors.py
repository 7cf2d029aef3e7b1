"""Errors the cloud answers with, in AWS's shapes.

CloudError
|-- ApiError            any AWS API refusal: code, message, HTTP status
|   `-- ModelError      the model's container answered 4xx or 5xx (runtime, 424)
`-- SetupError          the rehearsal itself can't do what was asked (bad image, no room)
"""

from __future__ import annotations


class CloudError(Exception):
    """Root of every error the rehearsal cloud raises on purpose."""


class ApiError(CloudError):
    """An answer an AWS API gives instead of a result.

    Args:
        error_code: the runtime's finer word for it, which is in the body and in no model
    """

    def __init__(
        self, code: str, message: str, *, status: int = 400, error_code: str | None = None
    ) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, object]:
        """Return the members of the error's JSON body beside its type."""
        body: dict[str, object] = {"message": self.message, "Message": self.message}
        return body if self.error_code is None else {"ErrorCode": self.error_code, **body}


class ModelError(ApiError):
    """The container answered with an error, too late, or not at all."""

    def __init__(
        self, message: str, *, original_status_code: int, original_message: str, log_stream_arn: str
    ) -> None:
        is_clients = 400 <= original_status_code < 500
        word = "CLIENT_ERROR_FROM_MODEL" if is_clients else "INTERNAL_FAILURE_FROM_MODEL"
        super().__init__("ModelError", message, status=424, error_code=word)
        self.original_status_code = original_status_code
        self.original_message = original_message
        self.log_stream_arn = log_stream_arn

    def body(self) -> dict[str, object]:
        return {
            "ErrorCode": self.error_code,
            "Message": self.message,
            "OriginalStatusCode": self.original_status_code,
            "OriginalMessage": self.original_message,
            "LogStreamArn": self.log_stream_arn,
        }


class SetupError(CloudError):
    """The rehearsal can't do what was asked; the message says what to change."""


def validation_exception(message: str) -> ApiError:
    """Return the control plane's answer to nearly everything that is wrong."""
    return ApiError("ValidationException", message)
