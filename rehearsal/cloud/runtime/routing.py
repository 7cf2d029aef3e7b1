"""Which instance answers an invocation: immutable tables, replaced whole, read without a lock."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.capture import Capturer
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.on_demand import OnDemand

T = TypeVar("T")

# From this many requests on, an instance shares a model with one that has to load it first.
MANY_REQUESTS = 8


class RouteKind(StrEnum):
    """What an endpoint's config makes of it; each takes other requests."""

    REALTIME = "realtime"
    ASYNC = "async"
    SERVERLESS = "serverless"
    MULTI_MODEL = "multi_model"


class RoutingStrategy(StrEnum):
    """How an instance is chosen within a variant, in the API's words."""

    RANDOM = "RANDOM"
    LEAST_OUTSTANDING_REQUESTS = "LEAST_OUTSTANDING_REQUESTS"
    PREFIX_AWARE = "PREFIX_AWARE"


@dataclass(frozen=True, kw_only=True)
class PrefixRouting:
    """How requests that begin alike come to the same instance.

    Args:
        prefix_bytes: how much of the body's beginning counts
        concurrency_threshold: requests on an instance at which another one is taken
    """

    prefix_bytes: int
    concurrency_threshold: int


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One fleet's instances of one variant, and the share of the variant's traffic they get.

    Args:
        capturer: keeps calls for the config's data capture; None without one
        on_demand: starts a serverless variant's processes; None where instances stand by
    """

    role: str
    config_name: str
    share: float
    instances: tuple[Instance, ...]
    meter: Meter
    capturer: Capturer | None = None
    on_demand: OnDemand | None = None


@dataclass(frozen=True, kw_only=True)
class VariantRoute:
    """One variant: its weight among the variants, its lanes among themselves."""

    name: str
    weight: float
    lanes: tuple[Lane, ...]
    routing_strategy: RoutingStrategy = RoutingStrategy.RANDOM
    prefix_routing: PrefixRouting | None = None

    @cached_property
    def instance_count(self) -> int:
        """Active instances over all lanes, at least 1."""
        return max(1, sum(len(lane.instances) for lane in self.lanes))


@dataclass(frozen=True, kw_only=True)
class ShadowRoute:
    """One shadow variant: it gets copies of requests, and nobody gets its answers.

    Args:
        share: fraction 0..1 of the production requests that is copied
    """

    share: float
    variant: VariantRoute


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where the requests of one endpoint go."""

    endpoint_name: str
    variants: tuple[VariantRoute, ...]
    kind: RouteKind = RouteKind.REALTIME
    shadows: tuple[ShadowRoute, ...] = ()

    def variant(self, name: str) -> VariantRoute | None:
        """Return the variant of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def named(self, name: str) -> VariantRoute | None:
        """Return the production or shadow variant of that name, or None."""
        shadows = (shadow.variant for shadow in self.shadows)
        return next((each for each in (*self.variants, *shadows) if each.name == name), None)


def choose_variant(route: Route, rng: random.Random) -> VariantRoute | None:
    """Return a variant with probability weight over sum of weights; None when all are 0."""
    if len(route.variants) == 1 and route.variants[0].weight > 0:
        return route.variants[0]
    return _weighted(route.variants, [variant.weight for variant in route.variants], rng)


def choose_lane(variant: VariantRoute, rng: random.Random) -> Lane | None:
    """Return a lane by share, among those that have an instance."""
    lanes = [lane for lane in variant.lanes if lane.instances and lane.share > 0]
    if len(lanes) <= 1:
        return lanes[0] if lanes else _any_lane(variant.lanes)
    return _weighted(lanes, [lane.share for lane in lanes], rng)


def choose_for_model(lane: Lane, target_model: str, rng: random.Random) -> Instance | None:
    """Return the instance that has a target model already, unless it is busy with many requests.

    Source: SageMaker Developer Guide, "How multi-model endpoints work"; how many are many is
        assumed
    """
    holders = [each for each in lane.instances if _holds(each, target_model)]
    least = _least_outstanding(holders, rng)
    if least is None or least.outstanding >= MANY_REQUESTS:
        return _least_outstanding(lane.instances, rng)
    return least


def choose_by_prefix(
    lane: Lane, routing: PrefixRouting, body: bytes, identifier: str, rng: random.Random
) -> Instance | None:
    """Return the instance of a prefix, or the next one that isn't busy.

    Every prefix has an order of the instances of its own, so that another instance takes few
    prefixes away from those there were. When all are busy the least busy one is taken (assumed).

    Source: botocore PrefixAwareRoutingConfig; InvokeEndpointInput PrefixAwareId
    """
    prefix = hashlib.blake2b(body[: routing.prefix_bytes], digest_size=16)
    prefix.update(identifier.encode())

    def rank(instance: Instance) -> bytes:
        mixed = prefix.copy()
        mixed.update(instance.spec.instance_id.encode())
        return mixed.digest()

    for instance in sorted(lane.instances, key=rank):
        if instance.outstanding < routing.concurrency_threshold:
            return instance
    return _least_outstanding(lane.instances, rng)


def _holds(instance: Instance, target_model: str) -> bool:
    models = instance.multi_model
    return models is not None and models.holds(target_model)


def choose_instance(lane: Lane, strategy: RoutingStrategy, rng: random.Random) -> Instance | None:
    """Return an instance by the variant's strategy; chance decides among equals."""
    instances = lane.instances
    if len(instances) <= 1:
        return instances[0] if instances else None
    if strategy is RoutingStrategy.RANDOM:
        return rng.choice(instances)
    return _least_outstanding(instances, rng)


def _least_outstanding(instances: Sequence[Instance], rng: random.Random) -> Instance | None:
    fewest = min((instance.outstanding for instance in instances), default=None)
    equals = [instance for instance in instances if instance.outstanding == fewest]
    return rng.choice(equals) if equals else None


def _any_lane(lanes: Sequence[Lane]) -> Lane | None:
    return next((lane for lane in lanes if lane.instances), None)


def _weighted(items: Sequence[T], weights: Sequence[float], rng: random.Random) -> T | None:
    total = sum(weights)
    if total <= 0:
        return None
    point = rng.random() * total
    for item, weight in zip(items, weights, strict=True):
        point -= weight
        if point < 0:
            return item
    return items[-1]
