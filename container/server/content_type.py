"""Which decoder reads a request and which encoder writes its answer, by HTTP's own rules."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import NotAcceptableError, UnsupportedContentTypeError, shown

JSON = "application/json"
CSV = "text/csv"

JSON_LINES = "application/jsonlines"
X_JSON_LINES = "application/x-jsonlines"
NPY = "application/x-npy"
CSV_WITH_HEADER = "text/csv; header=present"
CSV_WITHOUT_HEADER = "text/csv; header=absent"

READ = (JSON, CSV, JSON_LINES, X_JSON_LINES, NPY)
WRITTEN = (JSON, CSV, JSON_LINES, X_JSON_LINES, NPY)
"""In order of preference where a client takes several alike."""
CSV_HEADERS = {None: CSV, "present": CSV_WITH_HEADER, "absent": CSV_WITHOUT_HEADER}
"""By the parameter of RFC 4180 section 3."""


def media_type_from_content_type(content_type: str | None, encoding: str | None) -> str:
    """Choose the decoder for a request.

    Args:
        content_type: the header; left out means JSON, as no client of the published recipes sets it
        encoding: the Content-Encoding header

    Returns:
        one of READ, or text/csv with what it says of a header line

    Raises:
        UnsupportedContentTypeError: no decoder reads it
    """
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedContentTypeError(
            f"content encoding {shown(encoding)} is not supported; send the body uncompressed"
        )
    if content_type is None or content_type == JSON:
        return JSON
    media_type, parameters = _parsed(content_type)
    charset = parameters.get("charset", "utf-8").strip('"').lower()
    if media_type not in READ:
        raise UnsupportedContentTypeError(
            f"content type {shown(content_type)} is not supported; send {_either(READ)}"
        )
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedContentTypeError(
            f"charset {shown(charset)} is not supported; send the body in UTF-8"
        )
    return _csv(parameters) if media_type == CSV else media_type


def _csv(parameters: dict[str, str]) -> str:
    header = parameters.get("header")
    key = None if header is None else header.strip('"').lower()
    if key not in CSV_HEADERS:
        raise UnsupportedContentTypeError(
            f"text/csv with header={shown(header)} is not supported; say header=present, "
            "header=absent, or nothing to have it detected"
        )
    return CSV_HEADERS[key]


def media_type_from_accept(accept: str | None, read: str = JSON) -> str:
    """Choose the encoder for an answer: the highest quality, then our order of preference.

    Args:
        accept: the header; left out, empty or `*/*` it means JSON, or JSON Lines for JSON Lines,
            as Batch Transform sends none unless told to and puts answers together by line
        read: the request's own media type

    Raises:
        NotAcceptableError: nothing we write is accepted
    """
    if accept == JSON:
        return JSON
    ranges = [] if accept is None else [_parsed(part) for part in accept.split(",") if part.strip()]
    if not ranges or (len(ranges) == 1 and ranges[0][0] == "*/*" and _quality(JSON, ranges) > 0):
        return read if read in (JSON_LINES, X_JSON_LINES) else JSON
    best = max(WRITTEN, key=lambda offered: _quality(offered, ranges))
    if _quality(best, ranges) <= 0:
        raise NotAcceptableError(
            f"accept {shown(accept)} names nothing this server writes; accept {_either(WRITTEN)}"
        )
    return best


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _parsed(value: str) -> tuple[str, dict[str, str]]:
    media_type, *rest = value.split(";")
    pairs = (part.partition("=") for part in rest)
    return media_type.strip().lower(), {
        name.strip().lower(): text.strip() for name, _, text in pairs
    }


def _quality(offered: str, ranges: Sequence[tuple[str, dict[str, str]]]) -> float:
    """Quality of the most specific range that matches, as RFC 9110 section 12.5.1 has it."""
    family = f"{offered.partition('/')[0]}/*"
    for wanted in (offered, family, "*/*"):
        for media_type, parameters in ranges:
            if media_type == wanted:
                return _number(parameters.get("q", "1"))
    return 0.0


def _number(text: str) -> float:
    # A quality that is no number is taken as full: the client named the type, after all.
    digits = text.replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() else 1.0
