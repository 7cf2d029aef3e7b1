"""Frames of `application/vnd.amazon.eventstream`, as a response stream's body holds them."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
STRING_HEADER = 7
PRELUDE_BYTES = 12
CHECKSUM_BYTES = 4


def payload_part(data: bytes) -> bytes:
    """Return the frame of one PayloadPart."""
    headers = {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    return frame(headers, data)


def stream_exception(kind: str, members: Mapping[str, str]) -> bytes:
    """Return the frame of an exception within the stream, which ends it."""
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, json.dumps(dict(members)).encode())


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame: prelude with its checksum, headers, payload, checksum of it all.

    Source: AWS, Event stream encoding; botocore.eventstream reads the same.
    """
    block = b"".join(_header(name, value) for name, value in headers.items())
    total = PRELUDE_BYTES + len(block) + len(payload) + CHECKSUM_BYTES
    prelude = struct.pack("!II", total, len(block))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded = name.encode(), value.encode()
    return (
        struct.pack("!B", len(encoded_name))
        + encoded_name
        + struct.pack("!BH", STRING_HEADER, len(encoded))
        + encoded
    )
