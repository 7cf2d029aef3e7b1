"""Which changes of an endpoint EventBridge is told of."""

from __future__ import annotations

from typing import Any, cast

import pytest

from rehearsal.cloud.events.announcer import Announcer
from rehearsal.cloud.events.bus import EventBus
from rehearsal.cloud.events.sagemaker import DEPLOYMENT_CHANGE, ENDPOINT_CHANGE, Event
from tests.support.simulated_hosting import SimulatedHosting


class Heard:
    """A bus that keeps what it is sent."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def send(self, event: Event) -> None:
        self.events.append(event)


def hosting_of(instance_type: str) -> tuple[SimulatedHosting, Heard]:
    """Return an endpoint `e` on one instance of a type, config `two` ready, and what is heard."""
    hosting, heard = SimulatedHosting(), Heard()
    announcer = Announcer(engine=hosting.engine, bus=cast(EventBus, heard))
    hosting.engine.on_changed = announcer.endpoint_changed
    hosting.make_model("m")
    variant: dict[str, Any] = {
        "VariantName": "v",
        "ModelName": "m",
        "InstanceType": instance_type,
        "InitialInstanceCount": 1,
    }
    hosting.make_config("one", [variant])
    hosting.make_config("two", [variant])
    hosting.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    bring_up(hosting)
    heard.events.clear()
    return hosting, heard


def bring_up(hosting: SimulatedHosting) -> None:
    hosting.look()
    hosting.fleets.start_up()
    hosting.look()
    hosting.look()


@pytest.mark.source("SageMaker Developer Guide, automating SageMaker with EventBridge: exclusions")
@pytest.mark.parametrize(
    ("instance_type", "kinds"),
    [
        ("ml.m5.large", {ENDPOINT_CHANGE, DEPLOYMENT_CHANGE}),
        ("ml.inf1.xlarge", {ENDPOINT_CHANGE}),
    ],
)
def test_a_deployment_is_told_of_where_there_are_guardrails(
    instance_type: str, kinds: set[str]
) -> None:
    hosting, heard = hosting_of(instance_type)

    hosting.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="two")
    bring_up(hosting)

    statuses = [
        e.detail["EndpointStatus"] for e in heard.events if e.detail_type == ENDPOINT_CHANGE
    ]
    assert statuses == ["UPDATING", "IN_SERVICE"]
    assert {event.detail_type for event in heard.events} == kinds
