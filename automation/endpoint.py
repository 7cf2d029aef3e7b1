"""What an endpoint is doing right now, from one DescribeEndpoint and its alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.swap_plan import AlarmView, EndpointView, endpoint_view

MOVING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """The instances behind one variant of one endpoint config.

    Args:
        role: `blue` serves before a swap, `green` is what it moves to.
        weight: the variant's share among those of its config, 0 to 1; None while unknown.
    """

    role: str
    endpoint_config_name: str
    variant_name: str
    current_instance_count: int | None
    desired_instance_count: int | None
    weight: float | None


@dataclass(frozen=True, kw_only=True)
class EndpointState:
    """One look at an endpoint, with everything a person watches."""

    name: str
    view: EndpointView
    fleets: tuple[FleetState, ...]
    alarms: tuple[AlarmView, ...]

    @property
    def is_moving(self) -> bool:
        """Whether SageMaker is still at work on it."""
        return self.view.status in MOVING

    @property
    def line(self) -> str:
        """The whole look in one line."""
        stages = "; ".join(self.view.stages)
        firing = [alarm.name for alarm in self.alarms if alarm.state == "ALARM"]
        alarms = f" | alarm: {', '.join(firing)}" if firing else ""
        return f"{self.view.status}{f' | {stages}' if stages else ''}{alarms}"


def state_from(
    name: str, description: Mapping[str, Any], alarms: Sequence[Mapping[str, Any]] = ()
) -> EndpointState:
    """Read the answers of DescribeEndpoint and DescribeAlarms."""
    view = endpoint_view(description)
    fleets = _fleets("blue", view.endpoint_config_name, description.get("ProductionVariants", ()))
    pending = description.get("PendingDeploymentSummary")
    if pending is not None:
        fleets += _fleets(
            "green",
            pending.get("EndpointConfigName", ""),
            pending.get("ProductionVariants", ()),
        )
    return EndpointState(
        name=name,
        view=view,
        fleets=fleets,
        alarms=tuple(
            AlarmView(
                name=alarm["AlarmName"],
                state=alarm["StateValue"],
                reason=alarm.get("StateReason", ""),
            )
            for alarm in alarms
        ),
    )


class EndpointReader:
    """Asks AWS for the state of endpoints; credentials and endpoints come from the environment.

    Args:
        region: where the endpoints are; left out, boto3's own order of places decides.
    """

    def __init__(self, region: str | None = None) -> None:
        import boto3

        session = boto3.Session(region_name=region)
        self._sagemaker = session.client("sagemaker")
        self._cloudwatch = session.client("cloudwatch")

    def look(self, name: str, alarm_names: Sequence[str] = ()) -> EndpointState | None:
        """Look at one endpoint; None where there is none of that name."""
        from botocore.exceptions import ClientError

        try:
            description = self._sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as err:
            if "Could not find endpoint" in str(err):
                return None
            raise
        configured = _alarm_names(description) if not alarm_names else list(alarm_names)
        alarms: Sequence[Mapping[str, Any]] = ()
        if configured:
            alarms = self._cloudwatch.describe_alarms(AlarmNames=configured)["MetricAlarms"]
        return state_from(name, description, alarms)


def _fleets(
    role: str, endpoint_config_name: str, variants: Sequence[Mapping[str, Any]]
) -> tuple[FleetState, ...]:
    total = sum(variant.get("CurrentWeight", 0.0) for variant in variants)
    return tuple(
        FleetState(
            role=role,
            endpoint_config_name=endpoint_config_name,
            variant_name=variant["VariantName"],
            current_instance_count=variant.get("CurrentInstanceCount"),
            desired_instance_count=variant.get("DesiredInstanceCount"),
            weight=variant.get("CurrentWeight", 0.0) / total if total else None,
        )
        for variant in variants
    )


def _alarm_names(description: Mapping[str, Any]) -> list[str]:
    deployment = description.get("LastDeploymentConfig", {})
    alarms = deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    return [alarm["AlarmName"] for alarm in alarms]
