"""Captured calls: sampling, lines, files."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.runtime import capture
from rehearsal.cloud.runtime.capture import (
    Capture,
    Capturer,
    CaptureSettings,
    line_from_capture,
    settings_from_config,
)

CONFIG = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/some/prefix/",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {
        "CsvContentTypes": ["text/csv"],
        "JsonContentTypes": ["application/json"],
    },
}
START = 1_800_000_000.0


def settings(**more: Any) -> CaptureSettings:
    made = settings_from_config({**CONFIG, **more})
    assert made is not None
    return made


def a_capture(**more: Any) -> Capture:
    values: dict[str, Any] = {
        "time": START,
        "event_id": "event",
        "inference_id": None,
        "request_type": "text/csv",
        "request": b"1,2",
        "response_type": "application/json; charset=utf-8",
        "response": b'{"p": 0.5}',
        **more,
    }
    return Capture(**values)


class Bucket:
    """Takes objects, or refuses them all."""

    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there
        self.objects: dict[str, bytes] = {}

    def put(
        self, bucket: str, key: str, body: bytes, kms_key_id: str | None, role_arn: str | None
    ) -> None:
        if not self.is_there:
            raise SetupError(f"there is no bucket {bucket}")
        self.objects[f"{bucket}/{key}"] = body


@pytest.mark.source("DG model-monitor-data-capture-endpoint, format of a line")
def test_a_line_has_both_sides_their_encodings_and_the_calls_identity() -> None:
    line = json.loads(line_from_capture(a_capture(inference_id="mine"), settings()))

    assert line == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json; charset=utf-8",
                "mode": "OUTPUT",
                "data": '{"p": 0.5}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {
            "eventId": "event",
            "inferenceId": "mine",
            "inferenceTime": "2027-01-15T08:00:00Z",
        },
        "eventVersion": "0",
    }


@pytest.mark.source("DG model-monitor-data-capture-endpoint: a type in no list is base64")
@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/x-npy", b"1,2"), ("text/csv", b"\xff\xfe")],
)
def test_a_type_in_no_list_or_no_text_is_base64(content_type: str, body: bytes) -> None:
    one_side = settings(CaptureOptions=[{"CaptureMode": "Input"}])

    line = json.loads(
        line_from_capture(a_capture(request_type=content_type, request=body), one_side)
    )

    assert set(line["captureData"]) == {"endpointInput"}
    side = line["captureData"]["endpointInput"]
    assert side["encoding"] == "BASE64"
    assert base64.b64decode(side["data"]) == body
    assert "inferenceId" not in line["eventMetadata"]


@pytest.mark.source("botocore DataCaptureConfig EnableCapture")
def test_a_capture_that_is_switched_off_has_no_settings() -> None:
    assert settings_from_config(None) is None
    assert settings_from_config({**CONFIG, "EnableCapture": False}) is None
    assert settings(CaptureOptions=[{"CaptureMode": "InputAndOutput"}]).captures_output


def test_a_share_of_the_calls_is_sampled() -> None:
    capturer = Capturer("e", "v", settings(InitialSamplingPercentage=25))

    wanted = sum(capturer.wants() for _ in range(4_000))

    assert wanted == pytest.approx(1_000, rel=0.15)
    assert not any(
        Capturer("e", "v", settings(InitialSamplingPercentage=0)).wants() for _ in range(100)
    )


@pytest.mark.source("DG model-monitor-data-capture-endpoint, path; notebooks' file names")
def test_calls_are_uploaded_each_minute_by_their_hour_and_at_once_when_asked() -> None:
    capturer, bucket = Capturer("e", "v", settings()), Bucket()
    capturer.upload(START, bucket.put)
    capturer.add(a_capture(time=START + 3_599.25))
    capturer.add(a_capture(time=START + 3_600))

    capturer.upload(START + 59, bucket.put)
    early = dict(bucket.objects)
    capturer.upload(START + 61, bucket.put)
    first, second = sorted(bucket.objects)
    capturer.add(a_capture())
    capturer.upload(START + 62, bucket.put, at_once=True)

    assert early == {}
    assert first.startswith("bucket/some/prefix/e/v/2027/01/15/08/59-59-250-")
    assert second.startswith("bucket/some/prefix/e/v/2027/01/15/09/00-00-000-")
    assert first.endswith(".jsonl")
    assert bucket.objects[first].count(b"\n") == 1
    assert len(bucket.objects) == 3


def test_a_failed_upload_loses_its_lines_and_nothing_else() -> None:
    capturer, bucket = Capturer("e", "v", settings()), Bucket(is_there=False)
    capturer.add(a_capture())

    capturer.upload(START, bucket.put, at_once=True)
    bucket.is_there = True
    capturer.upload(START, bucket.put, at_once=True)
    capturer.add(a_capture())
    capturer.upload(START, bucket.put, at_once=True)

    assert len(bucket.objects) == 1


def test_of_too_many_calls_the_oldest_are_lost() -> None:
    capturer, bucket = Capturer("e", "v", settings()), Bucket()
    for number in range(capture.MAXIMUM_PENDING + 1):
        capturer.add(a_capture(event_id=str(number)))

    capturer.upload(START, bucket.put, at_once=True)

    (body,) = bucket.objects.values()
    lines = body.decode().splitlines()
    assert len(lines) == capture.MAXIMUM_PENDING
    assert '"eventId":"1"' in lines[0]
