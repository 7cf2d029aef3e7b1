"""From an endpoint's state to the routes the runtime reads."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.hosting.state import SERVING, Endpoint, Fleet, Variant
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.routing import Lane, Route, RoutingStrategy, VariantRoute

HealthyInstances = Callable[[str, str], tuple[Instance, ...]]
MeterOf = Callable[[str, str, str], Meter]


def route_from_endpoint(
    endpoint: Endpoint, healthy: HealthyInstances, meter: MeterOf
) -> Route | None:
    """Return where requests go now, or None while the endpoint answers none.

    While two fleets serve, variants and weights are the blue fleet's; once the traffic is all
    green, they are the green fleet's.
    """
    if endpoint.status not in SERVING or endpoint.live is None:
        return None
    full = endpoint.shift is not None and endpoint.shift.full
    if full and endpoint.pending is not None:
        leading: Fleet = endpoint.pending
    else:
        leading = endpoint.live
    routes = tuple(
        VariantRoute(
            name=variant.name,
            weight=variant.current_weight,
            lanes=_lanes(endpoint, variant, healthy, meter),
            routing_strategy=_routing_strategy(variant),
        )
        for variant in leading.variants
    )
    return Route(endpoint_name=endpoint.name, variants=routes)


def _routing_strategy(variant: Variant) -> RoutingStrategy:
    """Return the variant's strategy; without a RoutingConfig instances are chosen at random."""
    asked = variant.definition.get("RoutingConfig", {}).get("RoutingStrategy")
    return RoutingStrategy.RANDOM if asked is None else RoutingStrategy(asked)


def _lanes(
    endpoint: Endpoint, variant: Variant, healthy: HealthyInstances, meter: MeterOf
) -> tuple[Lane, ...]:
    green_share = endpoint.green_shares.get(variant.name, 0.0)
    shift = endpoint.shift
    green_active = shift.green_active.get(variant.name, 0) if shift is not None else 0
    blue_active = None
    if shift is not None and shift.blue_active is not None:
        blue_active = shift.blue_active.get(variant.name)
    lanes = []
    for role, fleet, share, active in (
        ("blue", endpoint.live, 1.0 - green_share, blue_active),
        ("green", endpoint.pending, green_share, green_active),
    ):
        if fleet is None or share <= 0:
            continue
        lanes.append(
            Lane(
                role=role,
                config_name=fleet.config_name,
                share=share,
                instances=healthy(fleet.fleet_id, variant.name)[:active],
                meter=meter(endpoint.name, variant.name, fleet.config_name),
            )
        )
    return tuple(lanes)
