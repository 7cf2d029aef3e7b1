"""Answers the commonest request of a forest in one go: rows of plain numbers as JSON, by default.

What this writes is byte for byte what the codecs write; it only leaves out the steps that such a
request does not need. Whatever it is not sure of it leaves to them: it never refuses anything.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from .content_type import JSON
from .features import Schema
from .rsgi import Headers

PLAIN_ACCEPTS = (None, "*/*", JSON)
BEGINNING = b'{"instances":'
"""As every JSON library writes it, unless told to indent."""

PlainAnswer = Callable[[bytes], tuple[bytes, int] | None]
"""From a body to an answer's body and its number of rows; None where the codecs have to look."""


def is_plain(headers: Headers, explain_header: str) -> bool:
    """Tell whether headers ask for nothing but JSON for JSON."""
    get = headers.get
    return (
        get("content-type") in (None, JSON)
        and get("accept") in PLAIN_ACCEPTS
        and get("content-encoding") is None
        and get(explain_header) is None
    )


def plain_forest(
    schema: Schema, predict_packed: Callable[[bytes], bytes], max_rows: int
) -> PlainAnswer | None:
    """Make the function for one model; None where its features or outputs are not plain.

    Args:
        predict_packed: the kernel's own call: rows as float32 in, answers as float64 out
        max_rows: more rows are left to the codecs
    """
    quick, pack_rows = schema.quick, schema.pack_rows
    if quick is None or pack_rows is None:
        return None
    width, start = len(schema.rules), len(BEGINNING)
    most_rows = min(max_rows, schema.max_rows)
    read = orjson.loads
    whole_of_one, whole_of_packed = quick.whole_of_one, quick.whole_of_packed

    def answered(body: bytes) -> tuple[bytes, int] | None:
        # One colon: one key, not hidden by a duplicate, and neither objects nor texts with colons.
        if not body.startswith(BEGINNING) or body.count(b":") != 1:
            return None
        try:
            rows = read(body)["instances"]
        except ValueError:
            return None
        packed = pack_rows(rows, width)
        if not packed:
            return None
        count = len(rows)
        if count > most_rows:
            return None
        if count == 1:
            return whole_of_one(body[start:], predict_packed(packed)), 1
        return whole_of_packed(body[start:], predict_packed(packed)), count

    return answered
