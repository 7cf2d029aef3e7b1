"""Processes of a serverless variant: when they are started, shared out and given up."""

from __future__ import annotations

import threading

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.runtime.on_demand import (
    IDLE_SECONDS,
    ColdStartFailed,
    OnDemand,
    Retired,
    Taken,
)
from tests.support.cloud import wait_for


def an_instance(instance_id: str) -> Instance:
    spec = InstanceSpec(
        instance_id=instance_id,
        endpoint_name="e",
        config_name="c",
        variant_name="v",
        fleet_id="f",
        model=None,
        definition={},
    )
    return Instance(spec=spec, state=InstanceState.HEALTHY)


class Variant:
    """A serverless variant whose engine is the test."""

    def __init__(self, maximum: int, provisioned: int = 0) -> None:
        self.clock = ManualClock()
        self.woken = threading.Event()
        self.on_demand = OnDemand(self.clock, self.woken.set)
        self.on_demand.configure({"MaxConcurrency": maximum, "ProvisionedConcurrency": provisioned})
        self.on_demand.offer((), None)
        self.taken: list[Taken] = []
        self.errors: list[Exception] = []

    def request(self) -> threading.Thread:
        """Begin a request in a thread of its own."""

        def take() -> None:
            try:
                self.taken.append(self.on_demand.take(timeout_seconds=10))
            except (ApiError, ColdStartFailed, Retired) as err:
                self.errors.append(err)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        return thread


@pytest.mark.source("DG serverless-endpoints: scales to zero, cold start")
def test_a_request_to_no_process_has_one_started_and_waits_for_it() -> None:
    variant = Variant(maximum=2)
    assert variant.on_demand.wanted() == 0

    request = variant.request()
    assert variant.woken.wait(10)
    wait_for(lambda: variant.on_demand.wanted() == 1, "the process to be wanted")
    variant.on_demand.offer((an_instance("a"),), None)
    request.join(10)

    (taken,) = variant.taken
    assert taken.instance.outstanding == 1
    assert taken.setup_us is not None
    assert taken.setup_us > 0


def test_a_warm_process_is_taken_at_once_and_holds_one_request() -> None:
    variant = Variant(maximum=2)
    variant.on_demand.offer((an_instance("a"), an_instance("b")), None)

    first = variant.on_demand.take(timeout_seconds=1)
    second = variant.on_demand.take(timeout_seconds=1)

    assert first.setup_us is second.setup_us is None
    assert {first.instance.spec.instance_id, second.instance.spec.instance_id} == {"a", "b"}


@pytest.mark.source("botocore ModelNotReadyException: resources are still being provisioned")
def test_a_request_whose_process_takes_too_long_is_told_that_the_model_is_not_ready() -> None:
    variant = Variant(maximum=1)

    with pytest.raises(ApiError, match="still being provisioned") as caught:
        variant.on_demand.take(timeout_seconds=0.05)
    variant.on_demand.offer((an_instance("a"),), None)

    assert (caught.value.code, caught.value.status) == ("ModelNotReadyException", 429)
    assert variant.on_demand.take(timeout_seconds=1).setup_us is None


@pytest.mark.assumed("the error code of a throttled serverless invocation is not known")
def test_more_requests_than_the_maximum_concurrency_are_throttled() -> None:
    variant = Variant(maximum=1)
    variant.on_demand.offer((an_instance("a"),), None)
    taken = variant.on_demand.take(timeout_seconds=1)

    with pytest.raises(ApiError, match="Rate exceeded") as caught:
        variant.on_demand.take(timeout_seconds=1)
    taken.instance.release()

    assert caught.value.code == "ThrottlingException"
    assert variant.on_demand.take(timeout_seconds=1).instance is taken.instance


@pytest.mark.assumed("how long an idle process is kept is not documented")
def test_an_idle_process_is_given_up_after_a_while_and_a_busy_one_is_not() -> None:
    variant = Variant(maximum=2)
    variant.on_demand.offer((an_instance("a"), an_instance("b")), None)
    variant.on_demand.take(timeout_seconds=1)

    variant.clock.advance(IDLE_SECONDS - 1)
    before = variant.on_demand.wanted()
    variant.clock.advance(1)
    after = variant.on_demand.wanted()

    assert (before, after) == (2, 1)


@pytest.mark.source("botocore ProvisionedConcurrency")
def test_provisioned_processes_are_kept_however_idle() -> None:
    variant = Variant(maximum=3, provisioned=2)
    variant.on_demand.offer((an_instance("a"), an_instance("b"), an_instance("c")), None)

    variant.clock.advance(IDLE_SECONDS)

    assert variant.on_demand.wanted() == 2


def test_a_start_that_fails_fails_the_requests_that_wait_for_it_and_no_later_one() -> None:
    variant = Variant(maximum=2)
    request = variant.request()
    assert variant.woken.wait(10)

    variant.on_demand.offer((), "no ping")
    request.join(10)
    later = variant.request()
    wait_for(lambda: variant.on_demand.wanted() == 1, "the next process to be wanted")
    variant.on_demand.offer((an_instance("a"),), None)
    later.join(10)

    assert [str(error) for error in variant.errors] == ["no ping"]
    assert len(variant.taken) == 1


def test_a_fleet_that_goes_sends_its_waiting_requests_away() -> None:
    variant = Variant(maximum=2)
    request = variant.request()
    assert variant.woken.wait(10)

    variant.on_demand.retire(True)
    request.join(10)

    assert [type(error) for error in variant.errors] == [Retired]
