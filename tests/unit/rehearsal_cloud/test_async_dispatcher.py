"""The dispatcher's thread, with a processor that does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from rehearsal.cloud.asynchronous.backlog import MAXIMUM_BACKLOG
from rehearsal.cloud.asynchronous.choice import Place
from rehearsal.cloud.asynchronous.dispatcher import Dispatcher
from rehearsal.cloud.asynchronous.endpoint import AsyncEndpoint
from rehearsal.cloud.asynchronous.request import AsyncRequest
from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.cloudwatch.metrics import MetricStore
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance, InstanceState
from rehearsal.cloud.runtime.routing import Route
from tests.unit.rehearsal_cloud.test_async_queue import a_route
from tests.unit.rehearsal_cloud.test_async_request import a_request

WAIT_SECONDS = 10.0


class Worker:
    """Takes what it is given; loses each request's instance so many times first."""

    def __init__(self, losses: int) -> None:
        self.clock = ManualClock()
        self.store = MetricStore()
        self.attempts: list[int] = []
        self.expiring: list[threading.Thread] = []
        self.ended = threading.Event()
        self._losses = losses

    def run(self, request: AsyncRequest, place: Place) -> bool:
        self.attempts.append(request.attempt)
        if len(self.attempts) <= self._losses:
            return False
        self.ended.set()
        return True

    def expire(self, request: AsyncRequest, variant_name: str) -> None:
        self.expiring.append(threading.current_thread())
        self.ended.set()


class Setup:
    """One endpoint `e` with one instance."""

    def __init__(self, losses: int = 0) -> None:
        self.worker = Worker(losses)
        self.instance = Instance(spec=cast(Any, None), state=InstanceState.HEALTHY)
        self.routes: dict[str, Route] = {"e": a_route((1.0, [self.instance]))}
        self.endpoint: AsyncEndpoint | None = AsyncEndpoint(
            output_config={}, concurrency=1, role_arn=""
        )
        self.dispatcher = Dispatcher(
            processor=cast(Any, self.worker),
            routes=self.routes,
            endpoint_of=lambda name: self.endpoint,
        )


@pytest.fixture
def stopped() -> Iterator[list[Dispatcher]]:
    started: list[Dispatcher] = []
    yield started
    for dispatcher in started:
        dispatcher.stop()


def test_a_request_whose_instance_went_away_is_given_out_again(stopped: list[Dispatcher]) -> None:
    setup = Setup(losses=2)
    stopped.append(setup.dispatcher)

    setup.dispatcher.put(a_request(received_at=setup.worker.clock.now()))
    setup.dispatcher.start()

    assert setup.worker.ended.wait(WAIT_SECONDS)
    assert setup.worker.attempts == [1, 2, 3]


def test_a_request_waits_for_an_instance_and_expires_without_one(
    stopped: list[Dispatcher],
) -> None:
    setup = Setup()
    setup.instance.state = InstanceState.DRAINING
    stopped.append(setup.dispatcher)

    setup.dispatcher.put(a_request(received_at=setup.worker.clock.now(), ttl_seconds=60))
    setup.dispatcher.start()
    setup.worker.clock.advance(61)

    assert setup.worker.ended.wait(WAIT_SECONDS)
    assert setup.worker.attempts == []


def test_a_queue_that_expires_whole_takes_one_thread(stopped: list[Dispatcher]) -> None:
    setup = Setup()
    setup.instance.state = InstanceState.DRAINING
    stopped.append(setup.dispatcher)
    for _ in range(50):
        setup.dispatcher.put(a_request(received_at=setup.worker.clock.now(), ttl_seconds=60))

    setup.worker.clock.advance(61)
    setup.dispatcher.start()

    assert setup.worker.ended.wait(WAIT_SECONDS)
    setup.worker.expiring[0].join(WAIT_SECONDS)
    assert len(setup.worker.expiring) == 50
    assert len(set(setup.worker.expiring)) == 1


def test_a_full_queue_refuses_and_says_how_full_it_is() -> None:
    setup = Setup()
    for _ in range(MAXIMUM_BACKLOG):
        setup.dispatcher.put(a_request())

    with pytest.raises(ApiError, match=f"holds {MAXIMUM_BACKLOG} requests") as caught:
        setup.dispatcher.put(a_request())

    assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
    assert setup.dispatcher.sizes() == {"e": MAXIMUM_BACKLOG}
