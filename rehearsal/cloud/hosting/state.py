"""An endpoint and its deployment as frozen values; nothing here knows of processes or clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from rehearsal.cloud.hosting.rollout import Counts, Shift, Side, Step

# How the requests of a fleet come to it.
RouteKind = Literal["realtime", "async", "serverless", "multi_model"]


class Status(StrEnum):
    """EndpointStatus, in SageMaker's words; ABSENT is ours, for after the deletion."""

    CREATING = "Creating"
    IN_SERVICE = "InService"
    UPDATING = "Updating"
    SYSTEM_UPDATING = "SystemUpdating"
    ROLLING_BACK = "RollingBack"
    OUT_OF_SERVICE = "OutOfService"
    DELETING = "Deleting"
    FAILED = "Failed"
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"
    ABSENT = "Absent"


class Kind(StrEnum):
    """What set a deployment off."""

    CREATE = "create"
    UPDATE = "update"
    SCALE = "scale"
    DELETE = "delete"
    PATCH = "patch"


# Which statuses accept a change; every other one refuses as "in progress".
ACCEPTING: Mapping[Kind, frozenset[Status]] = {
    Kind.UPDATE: frozenset({Status.IN_SERVICE, Status.UPDATE_ROLLBACK_FAILED}),
    Kind.SCALE: frozenset({Status.IN_SERVICE}),
    Kind.PATCH: frozenset({Status.IN_SERVICE}),
    Kind.DELETE: frozenset(
        {
            Status.IN_SERVICE,
            Status.FAILED,
            Status.OUT_OF_SERVICE,
            Status.UPDATE_ROLLBACK_FAILED,
        }
    ),
}
# Which statuses answer invocations.
SERVING = frozenset(
    {
        Status.IN_SERVICE,
        Status.UPDATING,
        Status.SYSTEM_UPDATING,
        Status.ROLLING_BACK,
        Status.UPDATE_ROLLBACK_FAILED,
    }
)

# Instance families whose endpoints can't use deployment guardrails.
UNGUARDED_FAMILIES = ("ml.inf1.",)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One production variant of one fleet, as wanted and as targeted right now.

    Args:
        desired_count: instances the endpoint should end with
        target_count: instances that should exist at this step
        desired_weight: weight asked for
        current_weight: weight in force
        definition: the ProductionVariant as it was sent
        shadow: gets copies of requests instead of requests; its weight says of how many
        desired_serverless: ServerlessConfig asked for; None for a variant with instances
        current_serverless: ServerlessConfig in force
    """

    name: str
    desired_count: int
    target_count: int
    desired_weight: float
    current_weight: float
    definition: Mapping[str, Any] = field(default_factory=dict)
    shadow: bool = False
    desired_serverless: Mapping[str, int] | None = None
    current_serverless: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The instances of one endpoint config within one endpoint, shadow variants included.

    Args:
        config: the endpoint config's members, kept because the config may be deleted meanwhile
        kind: how its requests come
        refusal: why nothing of it may be launched, known before a launch is tried
    """

    fleet_id: str
    config_name: str
    variants: tuple[Variant, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    kind: RouteKind = "realtime"
    refusal: str | None = None

    @property
    def desired_counts(self) -> dict[str, int]:
        return {variant.name: variant.desired_count for variant in self.variants}

    @property
    def production(self) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.variants if not variant.shadow)

    @property
    def shadows(self) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.variants if variant.shadow)

    @property
    def production_counts(self) -> dict[str, int]:
        return {variant.name: variant.desired_count for variant in self.production}

    @property
    def target_counts(self) -> dict[str, int]:
        return {variant.name: variant.target_count for variant in self.variants}

    @property
    def has_guardrails(self) -> bool:
        """Tell whether its instances' types allow deployment guardrails.

        Source: SageMaker Developer Guide, deployment guardrails, exclusions
        """
        types = [str(variant.definition.get("InstanceType", "")) for variant in self.variants]
        return not any(each.startswith(UNGUARDED_FAMILIES) for each in types)

    def variant(self, name: str) -> Variant:
        """Return the variant of that name; asking for one that isn't there is a defect."""
        return next(variant for variant in self.variants if variant.name == name)


@dataclass(frozen=True, kw_only=True)
class PlannedRollback:
    """An update that is to come back to its old config once its fleet is up: a fault on purpose.

    Args:
        rolling_back_polls: how many Describe calls see RollingBack before InService
        failure_reason: what is left as FailureReason; empty for none
    """

    rolling_back_polls: int = 0
    failure_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A plan on its way.

    Args:
        previous: the live fleet's wanted counts and weights before a scale, put back if it fails
        timeout_seconds: from its start until it rolls back, in rehearsal time; or None
        failure_reason: set once the deployment is rolling back; empty when nobody is to know why
        rollback: how the deployment is to be undone on purpose, or None
        polls_left: Describe calls that RollingBack is still to be seen by
    """

    kind: Kind
    steps: tuple[Step, ...]
    position: int = 0
    entered: bool = False
    started_at: float
    step_started_at: float
    alarm_names: tuple[str, ...] = ()
    timeout_seconds: float | None = None
    deployment_config: Mapping[str, Any] | None = None
    previous: Fleet | None = None
    failure_reason: str | None = None
    rollback: PlannedRollback | None = None
    polls_left: int = 0

    @property
    def step(self) -> Step | None:
        return self.steps[self.position] if self.position < len(self.steps) else None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint, between two changes of state.

    Args:
        config_name: what Describe names: the old config until an update has succeeded
        live: the blue fleet; None before a first deployment succeeded
        pending: the green fleet of a deployment under way, or of one whose rollback failed
        mixed: such a green fleet while the update that mends it runs; it serves until then
        mixed_shares: the fraction 0..1 of the blue fleet's traffic that `mixed` has, per variant
        shift: where traffic goes while there are two fleets
    """

    name: str
    arn: str
    status: Status
    config_name: str
    creation_time: float
    last_modified_time: float
    live: Fleet | None = None
    pending: Fleet | None = None
    mixed: Fleet | None = None
    mixed_shares: Mapping[str, float] = field(default_factory=dict)
    shift: Shift | None = None
    deployment: Deployment | None = None
    failure_reason: str | None = None
    last_deployment_config: Mapping[str, Any] | None = None

    def fleet(self, side: Side) -> Fleet | None:
        """Return the fleet on a side."""
        return self.live if side is Side.BLUE else self.pending

    @property
    def fleets(self) -> tuple[Fleet, ...]:
        """Every fleet that may have instances."""
        every = (self.live, self.pending, self.mixed)
        return tuple(fleet for fleet in every if fleet is not None)

    @property
    def has_guardrails(self) -> bool:
        """Tell whether every fleet may use deployment guardrails; else updates are plain swaps."""
        return all(fleet.has_guardrails for fleet in self.fleets)

    def shares(self, variant_name: str) -> dict[str, float]:
        """Return the fraction 0..1 of a variant's traffic by fleet; all three make 1.

        What a failed rollback left of an older update keeps its share until all is green.
        """
        green = self.green_shares.get(variant_name, 0.0)
        mixed = self.mixed_shares.get(variant_name, 0.0)
        return {
            "blue": (1.0 - green) * (1.0 - mixed),
            "mixed": (1.0 - green) * mixed,
            "green": green,
        }

    @property
    def green_shares(self) -> dict[str, float]:
        """Traffic fraction 0..1 of the green fleet, per variant."""
        if self.pending is None:
            return {}
        if self.shift is None:
            return dict.fromkeys(self.pending.desired_counts, 0.0)
        if self.shift.full:
            return dict.fromkeys(self.pending.desired_counts, 1.0)
        return {
            name: self.shift.green_active.get(name, 0) / count if count else 0.0
            for name, count in self.pending.desired_counts.items()
        }


@dataclass(frozen=True, kw_only=True)
class FleetView:
    """What can be seen of a fleet's real instances.

    Args:
        healthy: instances that answer pings, per variant
        existing: instances whose process may still run, per variant
        failure: why instances could not be launched, once that is certain
    """

    healthy: Counts = field(default_factory=dict)
    existing: Counts = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything a decision may look at."""

    now: float
    fleets: Mapping[str, FleetView] = field(default_factory=dict)
    alarms_in_alarm: frozenset[str] = frozenset()

    def view(self, fleet: Fleet | None) -> FleetView:
        """Return the view of a fleet; an unknown fleet has no instances."""
        return self.fleets.get(fleet.fleet_id, FleetView()) if fleet is not None else FleetView()
