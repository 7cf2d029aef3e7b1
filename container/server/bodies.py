"""Reading a request's body within limits of size and time, and naming it in the log.

The body is read even of what is then refused: an unread one would reset the client's connection,
and it would never hear why.
"""

from __future__ import annotations

import asyncio

from .errors import BodyTimeoutError, BodyTooLargeError, MalformedBodyError, ServerError
from .logs import payload_digest
from .rsgi import CLIENT_GONE, Exchange, Headers
from .settings import Settings

BROKEN_OFF = "the body broke off before its end; send it again"
DISCARDED_BODIES = 4
"""Times `max_body_bytes` read and thrown away, so that a client hears of its 413."""


async def read_body(headers: Headers, exchange: Exchange, settings: Settings) -> bytes:
    """Read a body of any kind.

    Raises:
        BodyTooLargeError: beyond the limit
        BodyTimeoutError: it did not come in time
        MalformedBodyError: the client left in the middle
    """
    limit = settings.max_body_bytes
    declared = headers.get("content-length")
    # With both headers the length is not the body's; only one chunk at a time is then safe.
    is_chunked = headers.get("transfer-encoding") is not None
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            if declared is not None and int(declared) <= limit and not is_chunked:
                return await exchange()
            return await _read_at_most(limit, exchange)
    except CLIENT_GONE as error:
        raise MalformedBodyError(BROKEN_OFF) from error
    except TimeoutError as error:
        raise too_slow(settings) from error


def too_slow(settings: Settings) -> BodyTimeoutError:
    """Give the error of a body that did not come in time."""
    return BodyTimeoutError(
        f"the body was not complete after {settings.body_timeout_seconds} s; "
        "send the whole body at once"
    )


def with_payload(error: Exception, body: bytes) -> Exception:
    """Note on an error of ours which body it was raised on."""
    if isinstance(error, ServerError):
        error.payload = f"{len(body)} bytes, sha256 {payload_digest(body)}"
    return error


async def _read_at_most(limit: int, exchange: Exchange) -> bytes:
    """Read a body that is too large, or of a length not known beforehand, in bounded memory."""
    chunks: list[bytes] = []
    size = 0
    empty_chunks = 0
    async for chunk in exchange:
        size += len(chunk)
        empty_chunks += not chunk
        if size <= limit:
            chunks.append(chunk)
        elif size > limit * DISCARDED_BODIES:
            break
    if size > limit:
        raise BodyTooLargeError(
            f"the body is above {limit} bytes; split the rows over several requests"
        )
    # granian raises nothing here: a body ends with one empty chunk, a broken one with two.
    if empty_chunks > 1:
        raise MalformedBodyError(BROKEN_OFF)
    return b"".join(chunks)
