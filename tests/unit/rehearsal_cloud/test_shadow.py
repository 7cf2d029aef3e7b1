"""Copies for shadow variants: their share, and that they never wait."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime import shadow
from rehearsal.cloud.runtime.outcome import Outcome
from rehearsal.cloud.runtime.routing import Lane, Route, ShadowRoute, VariantRoute
from rehearsal.cloud.runtime.shadow import Shadower


class Door:
    """Lets no copy in, and counts who knocked; closed, it keeps them waiting."""

    def __init__(self) -> None:
        self.knocked = 0
        self.opened = threading.Event()
        self.came = threading.Semaphore(0)

    def acquire(self, endpoint_name: str, variant: VariantRoute) -> tuple[Lane, Instance]:
        self.knocked += 1
        self.came.release()
        self.opened.wait(10)
        raise ApiError("ServiceUnavailable", f"{endpoint_name} {variant.name}", status=503)


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.opened.set()


def measured(variant: VariantRoute, lane: Lane, outcome: Outcome) -> None:
    raise AssertionError("no copy is sent here")


def a_route(share: float) -> Route:
    variant = VariantRoute(name="shadow", weight=1.0, lanes=())
    return Route(
        endpoint_name="e", variants=(), shadows=(ShadowRoute(share=share, variant=variant),)
    )


def test_a_share_of_the_requests_is_copied(door: Door) -> None:
    door.opened.set()
    shadower = Shadower(random.Random(1), door.acquire, measured)

    for _ in range(400):
        shadower.copy(a_route(0.25), [], b"x")
    for _ in range(80):
        assert door.came.acquire(timeout=10)
    shadower.stop()

    assert 80 <= door.knocked <= 120


def test_no_share_means_no_copy(door: Door) -> None:
    shadower = Shadower(random.Random(1), door.acquire, measured)

    for _ in range(100):
        shadower.copy(a_route(0.0), [], b"x")

    assert door.knocked == 0


def test_when_too_many_wait_further_copies_are_dropped(door: Door) -> None:
    shadower = Shadower(random.Random(1), door.acquire, measured)

    for _ in range(shadow.MAXIMUM_WAITING + shadow.THREADS + 50):
        shadower.copy(a_route(1.0), [], b"x")
    shadower.stop()

    assert door.knocked <= shadow.THREADS
