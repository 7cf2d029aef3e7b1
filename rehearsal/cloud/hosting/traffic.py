"""From an endpoint's state to the routes the runtime reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.hosting.state import SERVING, Endpoint, Fleet, Variant
from rehearsal.cloud.runtime.capture import Capturer
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.runtime.on_demand import OnDemand
from rehearsal.cloud.runtime.routing import (
    Lane,
    PrefixRouting,
    Route,
    RouteKind,
    RoutingStrategy,
    ShadowRoute,
    VariantRoute,
)

HealthyInstances = Callable[[str, str], tuple[Instance, ...]]
MeterOf = Callable[[str, str, str], Meter]
# endpoint, variant, config name, the config's members
CapturerOf = Callable[[str, str, str, Mapping[str, Any]], Capturer | None]

OnDemandOf = Callable[[str, str], OnDemand | None]


def no_on_demand(fleet_id: str, variant_name: str) -> OnDemand | None:
    """Return what starts processes where instances stand by: nothing."""
    return None


def no_capturer(
    endpoint_name: str, variant_name: str, config_name: str, config: Mapping[str, Any]
) -> None:
    """Capture nothing."""


def route_from_endpoint(
    endpoint: Endpoint,
    healthy: HealthyInstances,
    meter: MeterOf,
    capturer: CapturerOf = no_capturer,
    on_demand: OnDemandOf = no_on_demand,
) -> Route | None:
    """Return where requests go now, or None while the endpoint answers none.

    While two fleets serve, variants, weights and shadows are the blue fleet's; once the traffic is
    all green, they are the green fleet's.
    """
    if endpoint.status not in SERVING or endpoint.live is None:
        return None
    full = endpoint.shift is not None and endpoint.shift.full
    if full and endpoint.pending is not None:
        leading: Fleet = endpoint.pending
    else:
        leading = endpoint.live
    return Route(
        endpoint_name=endpoint.name,
        variants=tuple(
            _variant_route(variant, _lanes(endpoint, variant, healthy, meter, capturer, on_demand))
            for variant in leading.production
        ),
        kind=RouteKind(leading.kind),
        shadows=tuple(
            ShadowRoute(
                share=_shadow_share(leading, variant),
                variant=_variant_route(
                    variant, _shadow_lanes(endpoint, leading, variant, healthy, meter)
                ),
            )
            for variant in leading.shadows
        ),
    )


def _variant_route(variant: Variant, lanes: tuple[Lane, ...]) -> VariantRoute:
    routing = variant.definition.get("RoutingConfig", {})
    strategy = routing.get("RoutingStrategy")
    prefix = routing.get("PrefixAwareRoutingConfig")
    return VariantRoute(
        name=variant.name,
        weight=variant.current_weight,
        lanes=lanes,
        # The API's default is RANDOM.
        routing_strategy=RoutingStrategy.RANDOM if strategy is None else RoutingStrategy(strategy),
        prefix_routing=None
        if prefix is None
        else PrefixRouting(
            prefix_bytes=prefix["PrefixLength"],
            concurrency_threshold=prefix["ConcurrencyThreshold"],
        ),
    )


def _shadow_share(fleet: Fleet, shadow: Variant) -> float:
    """Return the fraction of requests copied: the shadow's weight over the variant's (assumed)."""
    weight = sum(variant.current_weight for variant in fleet.production)
    return min(1.0, shadow.current_weight / weight) if weight > 0 else 0.0


def _shadow_lanes(
    endpoint: Endpoint,
    fleet: Fleet,
    variant: Variant,
    healthy: HealthyInstances,
    meter: MeterOf,
) -> tuple[Lane, ...]:
    role = "blue" if fleet is endpoint.live else "green"
    return (
        Lane(
            role=role,
            config_name=fleet.config_name,
            share=1.0,
            instances=healthy(fleet.fleet_id, variant.name),
            meter=meter(endpoint.name, variant.name, fleet.config_name),
        ),
    )


def _lanes(
    endpoint: Endpoint,
    variant: Variant,
    healthy: HealthyInstances,
    meter: MeterOf,
    capturer: CapturerOf,
    on_demand: OnDemandOf,
) -> tuple[Lane, ...]:
    shares = endpoint.shares(variant.name)
    shift = endpoint.shift
    green_active = shift.green_active.get(variant.name, 0) if shift is not None else 0
    blue_active = None
    if shift is not None and shift.blue_active is not None:
        blue_active = shift.blue_active.get(variant.name)
    lanes = []
    for role, fleet, active in (
        ("blue", endpoint.live, blue_active),
        ("mixed", endpoint.mixed, None),
        ("green", endpoint.pending, green_active),
    ):
        if fleet is None or shares[role] <= 0:
            continue
        lanes.append(
            Lane(
                role=role,
                config_name=fleet.config_name,
                share=shares[role],
                instances=healthy(fleet.fleet_id, variant.name)[:active],
                meter=meter(endpoint.name, variant.name, fleet.config_name),
                on_demand=on_demand(fleet.fleet_id, variant.name),
                capturer=capturer(endpoint.name, variant.name, fleet.config_name, fleet.config),
            )
        )
    return tuple(lanes)
