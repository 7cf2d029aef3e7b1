"""A queue and the choice of an instance for its next request: pure."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.asynchronous.backlog import Backlog
from rehearsal.cloud.asynchronous.choice import free_place, instance_count
from rehearsal.cloud.asynchronous.measure import Measured, backlog_data, request_data
from rehearsal.cloud.asynchronous.processor import ending_from_outcome
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.connection import Answer
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.outcome import Outcome
from rehearsal.cloud.runtime.routing import Lane, Route, VariantRoute
from tests.unit.rehearsal_cloud.test_async_request import a_request


def an_instance(outstanding: int) -> Instance:
    return Instance(spec=cast(Any, None), outstanding=outstanding)


def a_route(*lanes: tuple[float, list[Instance]], weight: float = 1.0) -> Route:
    made = tuple(
        Lane(
            role="blue",
            config_name=f"c{number}",
            share=share,
            instances=tuple(instances),
            meter=Meter("e", "v", "c"),
        )
        for number, (share, instances) in enumerate(lanes)
    )
    variant = VariantRoute(name="v", weight=weight, lanes=made)
    return Route(endpoint_name="e", variants=(variant,))


@given(st.lists(st.sampled_from(["put", "take", "finish", "put back"]), max_size=60))
def test_a_queue_loses_nothing_and_keeps_its_order(commands: list[str]) -> None:
    queue, waiting, taken, put = Backlog(), [], [], 0
    for command in commands:
        if command == "put":
            queue.waiting.append(a_request(inference_id=str(put)))
            waiting.append(str(put))
            put += 1
        elif command == "take" and waiting:
            request = queue.take()
            assert request.inference_id == waiting.pop(0)
            taken.append(request)
        elif command == "finish" and taken:
            queue.finish(taken.pop(0))
        elif command == "put back" and taken:
            request = taken.pop()
            queue.put_back(request, replace(request, attempt=request.attempt + 1))
            waiting.insert(0, request.inference_id)

        assert [request.inference_id for request in queue.waiting] == waiting
        assert queue.size == len(waiting) + len(taken)


def test_only_waiting_requests_expire_and_the_oldest_sets_the_age() -> None:
    queue = Backlog()
    for received_at, ttl in ((0.0, 60), (50.0, 60), (90.0, 60)):
        queue.waiting.append(a_request(received_at=received_at, ttl_seconds=ttl))
    taken = queue.take()

    expired = queue.take_expired(111.0)

    assert [request.received_at for request in expired] == [50.0]
    assert queue.oldest_age_seconds(111.0) == 111.0
    queue.finish(taken)
    assert queue.oldest_age_seconds(111.0) == 21.0


def test_the_freest_instance_takes_the_request_and_none_when_all_are_busy() -> None:
    busy, free = an_instance(2), an_instance(1)

    place = free_place(a_route((1.0, [busy, free])), 2, random.Random(1))
    nothing = free_place(a_route((1.0, [busy, free])), 1, random.Random(1))
    weightless = free_place(a_route((1.0, [free]), weight=0.0), 2, random.Random(1))

    assert place is not None
    assert place.instance is free
    assert (place.variant_name, place.config_name) == ("v", "c0")
    assert nothing is None
    assert weightless is None


def test_a_busy_fleet_leaves_its_share_to_the_other() -> None:
    busy, free = an_instance(4), an_instance(0)
    route = a_route((0.9, [busy]), (0.1, [free]))

    place = free_place(route, 4, random.Random(1))

    assert place is not None
    assert place.config_name == "c1"
    assert instance_count(route) == 2


@pytest.mark.source("DG async-inference-monitor")
def test_a_queues_metrics_have_the_endpoints_name_alone() -> None:
    data = {
        key.name: (value, unit)
        for key, value, unit in backlog_data("e", size=6, oldest_age_seconds=9.0, instances=4)
    }
    without = {
        key.name: value
        for key, value, _ in backlog_data("e", size=6, oldest_age_seconds=9.0, instances=0)
    }

    assert data == {
        "ApproximateBacklogSize": (6.0, "Count"),
        "ApproximateBacklogSizePerInstance": (1.5, "Count"),
        "ApproximateAgeOfOldestRequest": (9.0, "Seconds"),
        "HasBacklogWithoutCapacity": (0.0, "Count"),
    }
    assert without["ApproximateBacklogSizePerInstance"] == 6.0
    assert without["HasBacklogWithoutCapacity"] == 1.0


@pytest.mark.source("DG async-inference-monitor; DG deployment-guardrails-configuration")
def test_only_the_models_metrics_have_a_copy_by_endpoint_config() -> None:
    measured = Measured(status=503, time_in_backlog_ms=5.0)

    keys = [
        key
        for key, _, _ in request_data(
            measured, endpoint_name="e", variant_name="v", config_name="c"
        )
    ]

    copied = {key.name for key in keys if ("EndpointConfigName", "c") in key.dimensions}
    assert copied == {"Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency"}
    assert {"InvocationFailures", "InvocationsProcesssed"} <= {key.name for key in keys}


def test_an_answer_ends_a_request_well_only_with_2xx_and_a_length() -> None:
    def ended(status: int, headers: dict[str, str]) -> str | None:
        answer = Answer(status=status, headers=headers, body=b"body")
        return ending_from_outcome(
            Outcome(
                answer=answer, failure="", container="primary", model_latency_us=1.0, status=status
            )
        ).failure_reason

    assert ended(200, {"content-length": "4"}) is None
    assert "Content-Length" in str(ended(200, {}))
    assert "Received client error (404) from primary" in str(ended(404, {}))
    assert "Received server error (500) from primary" in str(ended(500, {}))
