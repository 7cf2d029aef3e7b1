"""Frames, read back by botocore's own decoder."""

from __future__ import annotations

import json
from typing import Any

from botocore.eventstream import EventStreamBuffer

from rehearsal.cloud.runtime.eventstream import payload_part, stream_exception


def test_frames_are_read_by_botocore_one_after_the_other() -> None:
    buffer: Any = EventStreamBuffer()

    buffer.add_data(payload_part(b"\x00\xff") + payload_part(b""))
    buffer.add_data(stream_exception("ModelStreamError", {"ErrorCode": "StreamBroken"}))
    part, empty, error = buffer

    assert part.payload == b"\x00\xff"
    assert part.headers == {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    assert empty.payload == b""
    assert error.headers[":exception-type"] == "ModelStreamError"
    assert json.loads(error.payload) == {"ErrorCode": "StreamBroken"}
