"""Which instance takes the next request of a queue: pure, over the runtime's routes."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.routing import Route, choose_lane, choose_variant


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a request is processed."""

    variant_name: str
    config_name: str
    instance: Instance


def free_place(route: Route, concurrency: int, rng: random.Random) -> Place | None:
    """Return an instance that may take one more request, or None when all are busy.

    Variants by weight and lanes by share, among those that have such an instance; then the
    instance with the fewest requests.
    """
    variants = []
    for variant in route.variants:
        lanes = tuple(
            replace(lane, instances=tuple(i for i in lane.instances if i.outstanding < concurrency))
            for lane in variant.lanes
        )
        if any(lane.instances for lane in lanes):
            variants.append(replace(variant, lanes=lanes))
    variant_route = choose_variant(replace(route, variants=tuple(variants)), rng)
    lane = choose_lane(variant_route, rng) if variant_route is not None else None
    if variant_route is None or lane is None:
        return None
    return Place(
        variant_name=variant_route.name,
        config_name=lane.config_name,
        instance=min(lane.instances, key=lambda instance: instance.outstanding),
    )


def instance_count(route: Route | None) -> int:
    """Return the instances behind an endpoint that take requests now."""
    if route is None:
        return 0
    return sum(len(lane.instances) for variant in route.variants for lane in variant.lanes)
