"""Bodies: from bytes to rows, and from a prediction to bytes, per content type.

A decoder gives a `Request`; an encoder takes it back with the prediction. A new content type is a
module with a function of each kind, named below, and its name in `content_type.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..content_type import (
    CSV,
    CSV_WITH_HEADER,
    CSV_WITHOUT_HEADER,
    JSON,
    JSON_LINES,
    NPY,
    X_JSON_LINES,
)
from ..errors import MalformedBodyError, NotAcceptableError
from ..explanation import Explanations
from ..features import Schema
from ..model import Prediction
from ..request import Form, Request
from .csv_body import decode_csv, encode_csv
from .json_body import decode_json, encode_bytes, encode_json
from .json_lines import decode_json_lines, encode_json_lines
from .json_text import EXAMPLE, json_body
from .npy_body import decode_npy, encode_npy

__all__ = ["Form", "Request", "body_from_bytes", "body_from_prediction", "json_body"]


def request_from_body(media_type: str, body: bytes, schema: Schema) -> Request:
    """Decode a body of a media type that `content_type` chose.

    Raises:
        MalformedBodyError: not what the media type promises
        InvalidInstanceError: rows the model cannot take
    """
    if not body:
        raise MalformedBodyError(f"the body is empty; send rows such as {EXAMPLE}")
    return DECODERS[media_type](body, schema)


def body_from_prediction(
    media_type: str,
    request: Request,
    prediction: Prediction,
    schema: Schema,
    explanations: Explanations | None = None,
) -> bytes:
    """Encode the answer to a request in a media type that `content_type` chose.

    Args:
        explanations: of the same rows, where the request asks for them

    Raises:
        NotAcceptableError: the media type has no place for explanations
    """
    if explanations is not None and media_type in WITHOUT_EXPLANATIONS:
        raise NotAcceptableError(
            f"{media_type} has no place for explanations; accept {JSON} or {JSON_LINES}"
        )
    return ENCODERS[media_type](request, prediction, schema, explanations)


def body_from_bytes(
    media_type: str, request: Request, answer: bytes, schema: Schema
) -> bytes | None:
    """Encode what a kernel answered to the packed rows of a request.

    Args:
        answer: float64 (rows, classes), of which the first greatest is the class predicted, or
            (rows,) values

    Returns:
        None where the answer has to be made a prediction first, for `body_from_prediction`
    """
    return encode_bytes(request, answer, schema) if media_type == JSON else None


DECODERS: dict[str, Callable[[bytes, Schema], Request]] = {
    JSON: decode_json,
    CSV: lambda body, schema: decode_csv(body, schema, has_header=None),
    CSV_WITH_HEADER: lambda body, schema: decode_csv(body, schema, has_header=True),
    CSV_WITHOUT_HEADER: lambda body, schema: decode_csv(body, schema, has_header=False),
    JSON_LINES: decode_json_lines,
    X_JSON_LINES: decode_json_lines,
    NPY: decode_npy,
}
ENCODERS: dict[str, Callable[[Request, Prediction, Schema, Explanations | None], bytes]] = {
    JSON: encode_json,
    CSV: encode_csv,
    JSON_LINES: encode_json_lines,
    X_JSON_LINES: encode_json_lines,
    NPY: encode_npy,
}
WITHOUT_EXPLANATIONS = (CSV, NPY)
