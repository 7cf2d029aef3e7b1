"""The choice of variant, fleet and instance."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.routing import (
    Lane,
    PrefixRouting,
    Route,
    RoutingStrategy,
    VariantRoute,
    choose_by_prefix,
    choose_instance,
    choose_lane,
    choose_variant,
)


def an_instance(number: int = 1, **more: Any) -> Instance:
    spec = InstanceSpec(
        instance_id=f"i-{number}",
        endpoint_name="e",
        config_name="c",
        variant_name="v",
        fleet_id="f",
        model=None,
        definition={},
    )
    return Instance(spec=spec, state=InstanceState.HEALTHY, **more)


def a_lane(role: str, share: float, *instances: Instance) -> Lane:
    meter = Meter("e", "v", role)
    return Lane(role=role, config_name=role, share=share, instances=instances, meter=meter)


def a_route(**weights: float) -> Route:
    variants = tuple(
        VariantRoute(name=name, weight=weight, lanes=()) for name, weight in weights.items()
    )
    return Route(endpoint_name="e", variants=variants)


@pytest.mark.source("DG model-ab-testing: weight over the sum of weights")
def test_variants_are_chosen_by_weight() -> None:
    rng = random.Random(1)
    route = a_route(a=3.0, b=1.0, off=0.0)

    counts = Counter(choice.name for _ in range(4_000) if (choice := choose_variant(route, rng)))

    assert counts["a"] / counts["b"] == pytest.approx(3, rel=0.15)
    assert "off" not in counts


@pytest.mark.assumed("what SageMaker answers when all weights are 0 is not known")
def test_no_variant_is_chosen_when_all_weights_are_zero() -> None:
    assert choose_variant(a_route(a=0.0), random.Random(1)) is None


@pytest.mark.assumed("a canary's share is its active instances over the fleet's size")
def test_lanes_are_chosen_by_share_and_an_empty_one_is_passed_over() -> None:
    rng = random.Random(1)
    blue, green = a_lane("blue", 0.75, an_instance()), a_lane("green", 0.25, an_instance())
    variant = VariantRoute(name="v", weight=1.0, lanes=(blue, green))
    lonely = VariantRoute(name="v", weight=1.0, lanes=(blue, a_lane("green", 0.25)))

    counts = Counter(lane.role for _ in range(4_000) if (lane := choose_lane(variant, rng)))

    assert counts["green"] / 4_000 == pytest.approx(0.25, abs=0.03)
    assert {choose_lane(lonely, rng) for _ in range(50)} == {blue}


@pytest.mark.source("ProductionVariantRoutingConfig RoutingStrategy")
def test_the_instance_with_the_fewest_outstanding_requests_is_chosen_when_asked() -> None:
    busy, free = an_instance(1, outstanding=3), an_instance(2, outstanding=1)
    lane = a_lane("blue", 1.0, busy, free)

    chosen = [
        choose_instance(lane, RoutingStrategy.LEAST_OUTSTANDING_REQUESTS, random.Random(seed))
        for seed in range(20)
    ]

    assert all(instance is free for instance in chosen)


@pytest.mark.source("AWS blog, SageMaker routing strategies: random by default")
def test_random_routing_looks_at_no_outstanding_requests() -> None:
    rng = random.Random(1)
    busy, free = an_instance(1, outstanding=30), an_instance(2)
    lane = a_lane("blue", 1.0, busy, free)

    counts = Counter(
        chosen.spec.instance_id
        for _ in range(1_000)
        if (chosen := choose_instance(lane, RoutingStrategy.RANDOM, rng))
    )

    assert counts["i-1"] == pytest.approx(500, abs=80)
    assert choose_instance(a_lane("blue", 1.0), RoutingStrategy.RANDOM, rng) is None


@pytest.mark.source("botocore PrefixAwareRoutingConfig, PrefixAwareId")
def test_requests_with_one_prefix_and_one_identifier_come_to_one_instance() -> None:
    rng, routing = random.Random(1), PrefixRouting(prefix_bytes=4, concurrency_threshold=2)
    lane = a_lane("blue", 1.0, *(an_instance(number) for number in range(8)))

    def chosen(body: bytes, identifier: str = "") -> str:
        instance = choose_by_prefix(lane, routing, body, identifier, rng)
        assert instance is not None
        return instance.spec.instance_id

    same = {chosen(b"same" + bytes([number])) for number in range(20)}
    others = {chosen(bytes([number]) * 4) for number in range(40)}
    by_identifier = {chosen(b"same", str(number)) for number in range(40)}

    assert len(same) == 1
    assert len(others) > 4
    assert len(by_identifier) > 4


@pytest.mark.source("botocore PrefixAwareRoutingConfig ConcurrencyThreshold")
def test_a_prefix_goes_elsewhere_while_its_instance_is_busy() -> None:
    rng, routing = random.Random(1), PrefixRouting(prefix_bytes=4, concurrency_threshold=2)
    instances = [an_instance(number) for number in range(3)]
    lane = a_lane("blue", 1.0, *instances)

    first = choose_by_prefix(lane, routing, b"x", "", rng)
    assert first is not None
    first.outstanding = 2
    second = choose_by_prefix(lane, routing, b"x", "", rng)
    for instance in instances:
        instance.outstanding = 5
    first.outstanding = 4
    third = choose_by_prefix(lane, routing, b"x", "", rng)

    assert second is not None
    assert second is not first
    assert third is first


def test_a_draining_instance_takes_no_more_requests() -> None:
    instance = an_instance()

    assert instance.acquire()
    assert instance.close_to_requests()

    assert not instance.acquire()
    assert not instance.close_to_requests()
    assert not instance.become(InstanceState.HEALTHY)
    assert instance.outstanding == 1
