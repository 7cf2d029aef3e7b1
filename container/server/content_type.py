"""Which decoder reads a request and which encoder writes its answer, by HTTP's own rules."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import NotAcceptableError, UnsupportedContentTypeError, shown

JSON = "application/json"
CSV = "text/csv"

READ = (JSON, CSV)
WRITTEN = (JSON, CSV)
"""In order of preference where a client takes several alike."""


def media_type_from_content_type(content_type: str | None, encoding: str | None) -> str:
    """Choose the decoder for a request.

    Args:
        content_type: the header; left out means JSON, as no client of the published recipes sets it
        encoding: the Content-Encoding header

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
            f"content type {shown(content_type)} is not supported; send {' or '.join(READ)}"
        )
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedContentTypeError(
            f"charset {shown(charset)} is not supported; send the body in UTF-8"
        )
    return media_type


def media_type_from_accept(accept: str | None) -> str:
    """Choose the encoder for an answer: the highest quality, then our order of preference.

    Raises:
        NotAcceptableError: nothing we write is accepted
    """
    if accept is None or accept in ("*/*", JSON):
        return JSON
    ranges = [_parsed(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return JSON
    best = max(WRITTEN, key=lambda offered: _quality(offered, ranges))
    if _quality(best, ranges) <= 0:
        raise NotAcceptableError(
            f"accept {shown(accept)} names nothing this server writes; accept "
            f"{' or '.join(WRITTEN)}"
        )
    return best


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
