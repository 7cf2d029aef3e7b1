"""When captured calls are uploaded, and as whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.runtime.capture import Capture, Capturer
from rehearsal.cloud.runtime.capture_upload import Captures
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.routing import Lane, Route, VariantRoute

CONFIG = {
    "DataCaptureConfig": {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://bucket/",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    }
}


class World:
    """Routes, a clock and a bucket around one set of captures."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.routes: dict[str, Route] = {}
        self.keys: list[str] = []
        self.captures = Captures(self.clock, self.put, lambda: self.routes)

    def put(self, bucket: str, key: str, body: bytes, kms_key_id: str | None) -> None:
        self.keys.append(f"{bucket}/{key}")

    def capturer(self, config: dict[str, Any] = CONFIG) -> Capturer | None:
        return self.captures.of("e", "main", "c", config)

    def route(self, capturer: Capturer) -> None:
        lane = Lane(
            role="blue",
            config_name="c",
            share=1.0,
            instances=(),
            meter=Meter("e", "main", "c"),
            capturer=capturer,
        )
        variant = VariantRoute(name="main", weight=1.0, lanes=(lane,))
        self.routes["e"] = Route(endpoint_name="e", variants=(variant,))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.captures.stop()


def capture(world: World, capturer: Capturer) -> None:
    capturer.add(
        Capture(
            time=world.clock.now(),
            event_id="event",
            inference_id=None,
            request_type="text/csv",
            request=b"1",
            response_type="text/csv",
            response=b"2",
            role_arn="role",
        )
    )


def test_a_lane_without_capture_has_no_capturer_and_another_keeps_its_own(world: World) -> None:
    other = {"DataCaptureConfig": {**CONFIG["DataCaptureConfig"], "InitialSamplingPercentage": 1}}

    assert world.capturer({}) is None
    assert world.capturer() is world.capturer()
    assert world.capturer(other) is not world.capturer()


def test_a_served_lane_uploads_by_the_minute_and_a_gone_one_at_once(world: World) -> None:
    world.captures.stop()
    capturer = world.capturer()
    assert capturer is not None
    world.route(capturer)
    world.captures.look()

    capture(world, capturer)
    world.clock.advance(59)
    world.captures.look()
    early = list(world.keys)
    world.clock.advance(1)
    world.captures.look()
    capture(world, capturer)
    world.routes.clear()
    world.captures.look()

    assert early == []
    assert len(world.keys) == 2
    assert world.captures.pending("e") == 0


def test_a_role_that_may_not_write_loses_its_lines(world: World) -> None:
    world.captures.stop()
    asked = []

    def may_write(role_arn: str, bucket: str, key: str) -> bool:
        asked.append((role_arn, bucket))
        return False

    world.captures.may_write = may_write
    capturer = world.capturer()
    assert capturer is not None

    capture(world, capturer)
    world.captures.look()

    assert asked == [("role", "bucket")]
    assert world.keys == []
