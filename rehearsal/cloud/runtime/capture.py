"""Data capture: what an endpoint was asked and what it answered, as lines in S3.

A request only appends to a bounded buffer; lines are made and uploaded by the ticker, every
minute of rehearsal time and when an endpoint goes. A failed upload loses its lines and is logged:
capture never delays or fails an invocation.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from rehearsal.cloud.clock import datetime_from_epoch
from rehearsal.cloud.errors import CloudError
from rehearsal.cloud.ids import new_id

logger = logging.getLogger(__name__)

UPLOAD_SECONDS = 60.0
# Calls kept between two uploads of one variant; beyond it the oldest are lost.
MAXIMUM_PENDING = 2_000

# bucket, key, body, KMS key or None
PutObject = Callable[[str, str, bytes, str | None], None]
# The same, and the role that writes it
PutAsRole = Callable[[str, str, bytes, str | None, str | None], None]


def nowhere(bucket: str, key: str, body: bytes, kms_key_id: str | None) -> None:
    """Lose an object: where there is no S3 to put it into."""


@dataclass(frozen=True, kw_only=True)
class CaptureSettings:
    """A DataCaptureConfig that is switched on.

    Args:
        sampling_percent: share of the calls that are captured, 0..100
        prefix: key prefix below which files go, without slashes at its ends
    """

    sampling_percent: float
    bucket: str
    prefix: str
    captures_input: bool
    captures_output: bool
    csv_content_types: frozenset[str]
    json_content_types: frozenset[str]
    kms_key_id: str | None = None

    def encoding_of(self, content_type: str) -> str:
        """Return CSV or JSON for a listed content type, else BASE64."""
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type in self.csv_content_types:
            return "CSV"
        return "JSON" if media_type in self.json_content_types else "BASE64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One captured call, its bodies as they went over the wire.

    Args:
        role_arn: the model's execution role, which writes the file
    """

    time: float
    event_id: str
    inference_id: str | None
    request_type: str
    request: bytes
    response_type: str
    response: bytes
    role_arn: str | None = None


def settings_from_config(config: Mapping[str, Any] | None) -> CaptureSettings | None:
    """Return the settings of a DataCaptureConfig, None when nothing is to be captured."""
    if config is None or not config.get("EnableCapture", True):
        return None
    bucket, _, prefix = config["DestinationS3Uri"].partition("://")[2].partition("/")
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    types = config.get("CaptureContentTypeHeader", {})
    both = "InputAndOutput" in modes
    return CaptureSettings(
        sampling_percent=config["InitialSamplingPercentage"],
        bucket=bucket,
        prefix=prefix.strip("/"),
        captures_input=both or "Input" in modes,
        captures_output=both or "Output" in modes,
        csv_content_types=frozenset(t.lower() for t in types.get("CsvContentTypes", ())),
        json_content_types=frozenset(t.lower() for t in types.get("JsonContentTypes", ())),
        kms_key_id=config.get("KmsKeyId"),
    )


class Capturer:
    """The captured calls of one variant, until they are uploaded."""

    def __init__(self, endpoint_name: str, variant_name: str, settings: CaptureSettings) -> None:
        self.settings = settings
        self._folder = f"{endpoint_name}/{variant_name}"
        self._rng = random.Random(0)
        self._pending: deque[Capture] = deque(maxlen=MAXIMUM_PENDING)
        self._uploading = threading.Lock()
        self._uploaded_at: float | None = None

    @property
    def pending(self) -> int:
        """Calls that wait for their upload."""
        return len(self._pending)

    def wants(self) -> bool:
        """Draw whether the next call is captured."""
        return self._rng.random() * 100 < self.settings.sampling_percent

    def add(self, capture: Capture) -> None:
        """Keep a call; never waits."""
        self._pending.append(capture)

    def upload(self, now: float, put: PutAsRole, *, at_once: bool = False) -> None:
        """Upload what is kept, when a minute has passed since the last time or at once."""
        with self._uploading:
            if self._uploaded_at is None:
                self._uploaded_at = now
            if not at_once and now - self._uploaded_at < UPLOAD_SECONDS:
                return
            self._uploaded_at = now
            taken = []
            while self._pending:
                taken.append(self._pending.popleft())
            self._upload(taken, put)

    def _upload(self, taken: Sequence[Capture], put: PutAsRole) -> None:
        settings = self.settings
        for hour, group in groupby(taken, key=lambda each: _hour(each.time)):
            captures = list(group)
            lines = [line_from_capture(capture, settings) for capture in captures]
            body = ("\n".join(lines) + "\n").encode()
            name = file_name(datetime_from_epoch(captures[0].time), new_id())
            parts = (settings.prefix, self._folder, hour, name)
            try:
                path = "/".join(part for part in parts if part)
                put(settings.bucket, path, body, settings.kms_key_id, captures[0].role_arn)
            except CloudError as err:
                logger.warning("data capture lost lines=%d reason=%s", len(lines), err)


def line_from_capture(capture: Capture, settings: CaptureSettings) -> str:
    """Return the JSON line of one call."""
    data = {}
    if settings.captures_input:
        data["endpointInput"] = _side(capture.request_type, "INPUT", capture.request, settings)
    if settings.captures_output:
        data["endpointOutput"] = _side(capture.response_type, "OUTPUT", capture.response, settings)
    moment = datetime_from_epoch(capture.time)
    metadata = {"eventId": capture.event_id}
    if capture.inference_id is not None:
        metadata["inferenceId"] = capture.inference_id
    metadata["inferenceTime"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    line = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(line, separators=(",", ":"))


def _side(content_type: str, mode: str, body: bytes, settings: CaptureSettings) -> dict[str, str]:
    encoding = settings.encoding_of(content_type)
    text = None
    if encoding != "BASE64":
        try:
            text = body.decode()
        except UnicodeDecodeError:
            encoding = "BASE64"
    if text is None:
        text = base64.b64encode(body).decode("ascii")
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": text,
        "encoding": encoding,
    }


def _hour(time: float) -> str:
    return datetime_from_epoch(time).strftime("%Y/%m/%d/%H")


def file_name(moment: datetime, identity: str) -> str:
    """Return minute, second, millisecond and an identity, as SageMaker names its files."""
    millisecond = moment.microsecond // 1000
    return f"{moment:%M-%S}-{millisecond:03d}-{identity}.jsonl"
