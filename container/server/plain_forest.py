"""Answers the commonest request of a forest in one go: rows of plain numbers as JSON, by default.

What the kernel writes here is byte for byte what the codecs write; it only leaves out the steps
that such a request does not need. Whatever it is not sure of it leaves to them: it never refuses
anything. See ADR 0023 and 0026.
"""

from __future__ import annotations

from collections.abc import Callable

from .content_type import JSON
from .features import Schema
from .forest import CompiledForest
from .plain_writer import CLOSING, OPENING
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


def plain_forest(schema: Schema, forest: CompiledForest, max_rows: int) -> PlainAnswer | None:
    """Make the function for one model; None where its features or outputs are not plain.

    Args:
        max_rows: more rows are left to the codecs
    """
    writer = schema.plain_writer
    if writer is None or schema.pack_rows is None:
        return None
    from greenlight_kernel import PlainAnswers

    answer: PlainAnswer = PlainAnswers(
        forest,
        begin=writer.heads_of_bytes,
        beginning=BEGINNING,
        opening=OPENING,
        names=writer.names,
        separator=b",",
        closing=CLOSING,
        most_rows=min(max_rows, schema.max_rows),
    ).answer
    return answer
