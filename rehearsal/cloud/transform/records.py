"""From an object's bytes to the payloads of its requests: split and batch, pure.

Source: botocore CreateTransformJobRequest (SplitType, BatchStrategy, MaxPayloadInMB); the record
formats of MXNet's RecordIO and of TFRecord.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rehearsal.cloud.transform.errors import TransformError

BYTES_PER_MB = 1024 * 1024
RECORDIO_MAGIC = 0xCED7230A
RECORDIO_LENGTH = (1 << 29) - 1
TFRECORD_HEAD = 12
TFRECORD_FOOT = 4


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of an object.

    Args:
        raw: its bytes as they lie in the object
        payload: what is sent when it is sent alone, without padding or line end
    """

    raw: bytes
    payload: bytes


def split(data: bytes, split_type: str) -> list[Record]:
    """Return an object's records; with SplitType None there is one.

    Raises:
        TransformError: the bytes are not of that format
    """
    if split_type == "Line":
        return [Record(raw=line, payload=line.rstrip(b"\r\n")) for line in _lines(data)]
    if split_type == "RecordIO":
        return list(_recordio(data))
    if split_type == "TFRecord":
        return list(_tfrecord(data))
    return [Record(raw=data, payload=data)]


def batches(
    records: Sequence[Record], *, is_single: bool, maximum_bytes: float
) -> list[tuple[int, bytes]]:
    """Return the payloads to send, each with how many records are in it.

    Args:
        maximum_bytes: of one payload

    Raises:
        TransformError: a record is larger than a payload may be
    """
    made: list[tuple[int, bytes]] = []
    parts: list[bytes] = []
    count, size = 0, 0
    for record in records:
        sent = record.payload if is_single else record.raw
        if len(sent) > maximum_bytes:
            raise TransformError(
                f"A record of {len(sent)} bytes is larger than MaxPayloadInMB, {maximum_bytes} "
                "bytes"
            )
        if count and (is_single or size + len(sent) > maximum_bytes):
            made.append((count, b"".join(parts)))
            count, size, parts = 0, 0, []
        count, size = count + 1, size + len(sent)
        parts.append(sent)
    if count:
        made.append((count, b"".join(parts)))
    return made


def assemble(outputs: Sequence[bytes], *, with_lines: bool) -> bytes:
    """Join answers in order; with lines each ends with a newline, once (assumed)."""
    if not with_lines:
        return b"".join(outputs)
    return b"".join(each if each.endswith(b"\n") else each + b"\n" for each in outputs)


def _lines(data: bytes) -> list[bytes]:
    """Split after each newline; only a newline ends a record, whatever else looks like one."""
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _recordio(data: bytes) -> Iterator[Record]:
    position, started, payload = 0, 0, b""
    while position < len(data):
        if len(data) - position < 8:
            raise TransformError(f"RecordIO ends within the head at byte {position}")
        magic, word = struct.unpack_from("<II", data, position)
        if magic != RECORDIO_MAGIC:
            raise TransformError(f"RecordIO has no record at byte {position}")
        flag, length = word >> 29, word & RECORDIO_LENGTH
        body = data[position + 8 : position + 8 + length]
        if len(body) != length:
            raise TransformError(f"RecordIO ends within the record at byte {position}")
        # A payload that holds the magic number is cut there: 1 begins, 2 goes on, 3 ends.
        payload += body if flag in (0, 1) else struct.pack("<I", RECORDIO_MAGIC) + body
        position += 8 + length + (-length % 4)
        if flag in (0, 3):
            yield Record(raw=data[started:position], payload=payload)
            started, payload = position, b""
    if payload:
        raise TransformError("RecordIO ends within a record of several parts")


def _tfrecord(data: bytes) -> Iterator[Record]:
    position = 0
    while position < len(data):
        head = data[position : position + TFRECORD_HEAD]
        if len(head) != TFRECORD_HEAD:
            raise TransformError(f"TFRecord ends within the head at byte {position}")
        (length,) = struct.unpack_from("<Q", head)
        end = position + TFRECORD_HEAD + length + TFRECORD_FOOT
        if end > len(data):
            raise TransformError(f"TFRecord ends within the record at byte {position}")
        raw = data[position:end]
        yield Record(raw=raw, payload=raw[TFRECORD_HEAD:-TFRECORD_FOOT])
        position = end
