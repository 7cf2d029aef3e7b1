"""The engine's variants and their instances, as the metrics of instances see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rehearsal.cloud.cloudwatch.instance_metrics import Group
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.state import Fleet


@dataclass(frozen=True)
class SeenInstance:
    """One instance, seen from outside."""

    instance: Instance

    @property
    def outstanding(self) -> int:
        return self.instance.outstanding

    @property
    def instance_id(self) -> str:
        return self.instance.spec.instance_id

    @property
    def pids(self) -> tuple[int, ...]:
        """The containers' processes; none of a container in a machine of its own."""
        found = (container.running.pid for container in self.instance.containers)
        return tuple(pid for pid in found if pid is not None)

    @property
    def loaded_models(self) -> int | None:
        models = self.instance.multi_model
        return models.loaded_count if models is not None else None


def groups_of(engine: Engine) -> Iterator[Group]:
    """Yield every variant of every fleet that has an instance, the engine's lock being held."""
    for endpoint in engine.endpoints.values():
        for fleet in endpoint.fleets:
            yield from _groups_of_fleet(engine, endpoint.name, fleet)


def _groups_of_fleet(engine: Engine, endpoint_name: str, fleet: Fleet) -> Iterator[Group]:
    for variant in fleet.variants:
        instances = engine.fleets.healthy(fleet.fleet_id, variant.name)
        if instances or variant.current_serverless is not None:
            yield Group(
                endpoint_name=endpoint_name,
                variant_name=variant.name,
                instances=[SeenInstance(instance) for instance in instances],
                metrics_config=fleet.config.get("MetricsConfig", {}),
                has_concurrency=fleet.kind != "async",
                serverless=variant.current_serverless,
            )
