"""Which instance answers an invocation: immutable tables, replaced whole, read without a lock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.meter import Meter

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One fleet's instances of one variant, and the share of the variant's traffic they get."""

    role: str
    config_name: str
    share: float
    instances: tuple[Instance, ...]
    meter: Meter


@dataclass(frozen=True, kw_only=True)
class VariantRoute:
    """One variant: its weight among the variants, its lanes among themselves."""

    name: str
    weight: float
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where the requests of one endpoint go."""

    endpoint_name: str
    variants: tuple[VariantRoute, ...]

    def variant(self, name: str) -> VariantRoute | None:
        """Return the variant of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)


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


def choose_instance(lane: Lane, rng: random.Random) -> Instance | None:
    """Return the instance with the fewest outstanding requests, chance among equals."""
    instances = lane.instances
    if len(instances) == 1:
        return instances[0]
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
