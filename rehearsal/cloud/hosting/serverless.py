"""Serverless variants in the engine: how many processes there should be, and why none came up.

Source: SageMaker Developer Guide, "Serverless inference" (containers must answer /ping within
three minutes), read 2026; field reports for the failure's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.fleets.fleets import Fleets
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.catalog import Catalog
from rehearsal.cloud.hosting.rollout import Launch
from rehearsal.cloud.hosting.state import Endpoint, Fleet, FleetView, Variant
from rehearsal.cloud.runtime.on_demand import OnDemand

STARTUP_SECONDS = 180
STARTUP_MEMBER = "ContainerStartupHealthCheckTimeoutInSeconds"


@dataclass
class ServerlessVariants:
    """The processes of every serverless variant; guarded by the engine's lock."""

    clock: Clock
    fleets: Fleets
    catalog: Catalog
    wake: Callable[[], None]
    _on_demand: dict[tuple[str, str], OnDemand] = field(default_factory=dict)

    def follow(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Tell every variant's requests which processes answer now, and forget variants gone."""
        known = {
            (fleet.fleet_id, variant.name): (fleet, variant)
            for endpoint in endpoints.values()
            for fleet, variant in _serverless_variants(endpoint)
        }
        for gone in [key for key in self._on_demand if key not in known]:
            self._on_demand.pop(gone).retire(True)
        for key, (fleet, variant) in known.items():
            on_demand = self._on_demand.setdefault(key, OnDemand(self.clock, self.wake))
            on_demand.retire(variant.target_count == 0)
            on_demand.configure(variant.current_serverless or {})
            on_demand.offer(
                self.fleets.healthy(fleet.fleet_id, variant.name),
                self.fleets.view(fleet.fleet_id).failure,
            )

    def on_demand(self, fleet_id: str, variant_name: str) -> OnDemand | None:
        """Return who starts a variant's processes; None for one that runs on instances."""
        return self._on_demand.get((fleet_id, variant_name))

    def wanted(self, endpoint: Endpoint, fleet: Fleet, variant: Variant) -> int:
        """Return the processes a variant should have now; none once its fleet is to go."""
        if variant.target_count == 0:
            return 0
        on_demand = self.on_demand(fleet.fleet_id, variant.name)
        now = on_demand.wanted() if on_demand is not None else 0
        deployment = endpoint.deployment
        step = deployment.step if deployment is not None else None
        is_launching = isinstance(step, Launch) and endpoint.fleet(step.side) is fleet
        return max(now, variant.target_count) if is_launching else now

    def view(self, endpoint: Endpoint, fleet: Fleet) -> FleetView:
        """Return what is seen of a serverless fleet, its failure in serverless words."""
        view = self.fleets.view(fleet.fleet_id)
        pings = {messages.PING_FAILED.format(variant=variant.name) for variant in fleet.variants}
        if view.failure not in pings:
            return view
        failure = messages.SERVERLESS_FAILED.format(
            region=self.catalog.region, account=self.catalog.account_id, endpoint=endpoint.name
        )
        return replace(view, failure=failure)


def definition_of(variant: Variant) -> Mapping[str, Any]:
    """Return what an instance is launched by: a serverless process has its own time to start."""
    if variant.desired_serverless is None:
        return variant.definition
    return {STARTUP_MEMBER: STARTUP_SECONDS, **variant.definition}


def _serverless_variants(endpoint: Endpoint) -> Iterator[tuple[Fleet, Variant]]:
    for fleet in endpoint.fleets:
        for variant in fleet.variants:
            if variant.desired_serverless is not None:
                yield fleet, variant
