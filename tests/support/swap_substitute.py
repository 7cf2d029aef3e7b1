"""Small stand-ins for the four boto3 clients a swap uses, and a clock that a test moves.

`Account` holds what AWS would know about one endpoint; its clients answer as AWS does, in AWS's
words for errors. Each look at the endpoint during an update counts as time passing on SageMaker's
side.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from components.swap_cloud import SwapClients

ENDPOINT_NAME = "wine-dev-endpoint-1a2b3c4"
ALARM_NAME = "wine-dev-rollback-5xx-errors-1a2b3c4"
BLUE = "wine-dev-endpoint-config-blue"
GREEN = "wine-dev-endpoint-config-green"
OTHER = "wine-dev-endpoint-config-other"
_ARN = "arn:aws:sagemaker:eu-west-1:123456789012"


def client_error(code: str, message: str, status: int = 400) -> ClientError:
    """An error as botocore raises it."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "Operation")


def no_connection() -> EndpointConnectionError:
    """What botocore raises when nothing listens."""
    return EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class ManualClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.sleeps: list[float] = []

    def now_seconds(self) -> float:
        """The time as it stands."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move the time."""
        self.sleeps.append(seconds)
        self.seconds += seconds


@dataclass(kw_only=True)
class Account:
    """What AWS knows, and how the next update ends.

    Args:
        outcome: `promote`, `roll_back`, `break` (the rollback fails, too) or `hang`.
        failure_reason: what a rolled-back update leaves; AWS may leave nothing.
        looks_per_update: how many times an update under way is seen.
        raises: errors the named operation raises on its next calls, oldest first.
        stops_after: operations after which the process is gone, to rehearse a crash.
    """

    instance_types: dict[str, dict[str, str]] = field(
        default_factory=lambda: {
            BLUE: {"AllTraffic": "ml.m5.large"},
            GREEN: {"AllTraffic": "ml.m5.large"},
            OTHER: {"AllTraffic": "ml.m5.large"},
        }
    )
    status: str = "InService"
    live: str = BLUE
    pending: str | None = None
    failure_reason_now: str | None = None
    modified: float = 1.0
    outcome: str = "promote"
    failure_reason: str | None = None
    looks_per_update: int = 3
    looks_left: int = 0
    is_gone: bool = False
    alarm_states: dict[str, str] = field(default_factory=lambda: {ALARM_NAME: "OK"})
    alarm_states_during_update: dict[str, str] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    actions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    raises: dict[str, list[Exception]] = field(default_factory=dict)
    stops_after: str | None = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def clients(self) -> SwapClients:
        """The clients of this account."""
        return SwapClients(
            sagemaker=_Client(self, SageMaker(self)),
            cloudwatch=_Client(self, CloudWatch(self)),
            autoscaling=_Client(self, Autoscaling(self)),
            parameters=_Client(self, Parameters(self)),
        )

    def called(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of every call of one operation."""
        return [parameters for name, parameters in self.calls if name == operation]

    def begin_update(self, config_name: str | None) -> None:
        """Start an update that is seen `looks_per_update` times; none means a change of "
        "capacity."""
        self.status = "Updating"
        self.pending = config_name
        self.failure_reason_now = None
        self.modified += 1
        self.looks_left = self.looks_per_update

    def pass_time(self) -> None:
        """One look's worth of SageMaker's work."""
        if self.status != "Updating" or self.outcome == "hang":
            return
        if self.looks_left > 0:
            self.looks_left -= 1
            return
        self.modified += 1
        if self.pending is None:
            self.status = "InService"
        elif self.outcome == "break":
            self.status = "UpdateRollbackFailed"
        else:
            if self.outcome == "promote":
                self.live = self.pending
            else:
                self.failure_reason_now = self.failure_reason
            self.status = "InService"
        self.pending = None


class Stopped(BaseException):
    """The process is gone: nothing may catch it."""


class _Client:
    """Records calls, raises what the account was told to raise, then answers."""

    def __init__(self, account: Account, service: Any) -> None:
        self._account = account
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> Any:
            account = self._account
            account.calls.append((operation, parameters))
            errors = account.raises.get(operation)
            if errors:
                raise errors.pop(0)
            answer = getattr(self._service, operation)(**parameters)
            if account.stops_after == operation:
                raise Stopped
            return answer

        return call


class SageMaker:
    """Hosting, as far as a swap sees it."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        account = self._account
        if account.is_gone or EndpointName != ENDPOINT_NAME:
            raise client_error(
                "ValidationException", f'Could not find endpoint "{_ARN}:endpoint/{EndpointName}".'
            )
        account.pass_time()
        description: dict[str, Any] = {
            "EndpointName": EndpointName,
            "EndpointStatus": account.status,
            "EndpointConfigName": account.live,
            "LastModifiedTime": account.modified,
            "ProductionVariants": [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
        }
        if account.failure_reason_now is not None:
            description["FailureReason"] = account.failure_reason_now
        if account.pending is not None:
            description["PendingDeploymentSummary"] = {
                "EndpointConfigName": account.pending,
                "ProductionVariants": [
                    {
                        "VariantName": "AllTraffic",
                        "CurrentInstanceCount": 1,
                        "DesiredInstanceCount": 2,
                        "VariantStatus": [
                            {"Status": "Baking", "StatusMessage": "Baking for 120 seconds"}
                        ],
                    }
                ],
            }
        return description

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        types = self._account.instance_types.get(EndpointConfigName)
        if types is None:
            raise _missing_config(EndpointConfigName)
        return {
            "ProductionVariants": [
                {"VariantName": name, "InstanceType": instance_type}
                for name, instance_type in types.items()
            ]
        }

    def update_endpoint(self, **request: Any) -> dict[str, Any]:
        account = self._account
        target = request["EndpointConfigName"]
        if account.status == "Updating":
            raise client_error(
                "ValidationException",
                f'Cannot update in-progress endpoint "{_ARN}:endpoint/{ENDPOINT_NAME}".',
            )
        for name in (account.live, target):
            if name not in account.instance_types:
                raise _missing_config(name)
        live, new = account.instance_types[account.live], account.instance_types[target]
        for variant in live:
            is_scaled = f"endpoint/{ENDPOINT_NAME}/variant/{variant}" in account.targets
            if is_scaled and new.get(variant) != live[variant]:
                raise client_error("ValidationException", "Variant has a scalable target.")
        account.begin_update(target)
        account.alarm_states.update(account.alarm_states_during_update)
        return {"EndpointArn": f"{_ARN}:endpoint/{ENDPOINT_NAME}"}

    def list_endpoints(self, **_request: Any) -> dict[str, Any]:
        return {
            "Endpoints": [
                {"EndpointName": name, "EndpointArn": f"{_ARN}:endpoint/{name}"}
                for name in self._account.others
            ]
        }

    def list_tags(self, *, ResourceArn: str) -> dict[str, Any]:
        tags = self._account.others[ResourceArn.rpartition("/")[2]]
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def delete_endpoint(self, *, EndpointName: str) -> None:
        del self._account.others[EndpointName]


class CloudWatch:
    """Alarms that have the state the account says."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def describe_alarms(self, *, AlarmNames: list[str]) -> dict[str, Any]:
        states = self._account.alarm_states
        return {
            "MetricAlarms": [
                {
                    "AlarmName": name,
                    "StateValue": states[name],
                    "StateReason": "4 datapoints were above 0" if states[name] == "ALARM" else "",
                }
                for name in AlarmNames
                if name in states
            ]
        }


class Autoscaling:
    """Scalable targets by resource id; deregistering one drops its policies and actions."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def describe_scalable_targets(self, *, ResourceIds: list[str], **_where: Any) -> dict[str, Any]:
        targets = self._account.targets
        return {"ScalableTargets": [targets[name] for name in ResourceIds if name in targets]}

    def describe_scaling_policies(self, *, ResourceId: str, **_where: Any) -> dict[str, Any]:
        return {"ScalingPolicies": self._account.policies.get(ResourceId, [])}

    def describe_scheduled_actions(self, *, ResourceId: str, **_where: Any) -> dict[str, Any]:
        return {"ScheduledActions": self._account.actions.get(ResourceId, [])}

    def deregister_scalable_target(self, *, ResourceId: str, **_where: Any) -> None:
        del self._account.targets[ResourceId]
        self._account.policies.pop(ResourceId, None)
        self._account.actions.pop(ResourceId, None)

    def register_scalable_target(
        self, *, ServiceNamespace: str, ScalableDimension: str, **target: Any
    ) -> None:
        self._account.targets[target["ResourceId"]] = target

    def put_scaling_policy(
        self, *, ServiceNamespace: str, ScalableDimension: str, ResourceId: str, **policy: Any
    ) -> None:
        kept = self._account.policies.get(ResourceId, [])
        others = [entry for entry in kept if entry["PolicyName"] != policy["PolicyName"]]
        self._account.policies[ResourceId] = [*others, policy]

    def put_scheduled_action(
        self, *, ServiceNamespace: str, ScalableDimension: str, ResourceId: str, **action: Any
    ) -> None:
        kept = self._account.actions.get(ResourceId, [])
        name = action["ScheduledActionName"]
        others = [entry for entry in kept if entry["ScheduledActionName"] != name]
        self._account.actions[ResourceId] = [*others, action]


class Parameters:
    """Systems Manager's parameters as a dictionary."""

    def __init__(self, account: Account) -> None:
        self._stored = account.stored

    def put_parameter(self, *, Name: str, Value: str, **_rest: Any) -> None:
        json.loads(Value)
        self._stored[Name] = Value

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        if Name not in self._stored:
            raise client_error("ParameterNotFound", "")
        return {"Parameter": {"Value": self._stored[Name]}}

    def delete_parameter(self, *, Name: str) -> None:
        if Name not in self._stored:
            raise client_error("ParameterNotFound", "")
        del self._stored[Name]


def _missing_config(name: str) -> ClientError:
    return client_error(
        "ValidationException",
        f'Could not find endpoint configuration "{_ARN}:endpoint-config/{name}".',
    )


RESOURCE_ID = f"endpoint/{ENDPOINT_NAME}/variant/AllTraffic"


def autoscaled(account: Account) -> Account:
    """The account with its variant registered as a scalable target with a policy."""
    account.targets[RESOURCE_ID] = {
        "ResourceId": RESOURCE_ID,
        "MinCapacity": 2,
        "MaxCapacity": 5,
        "RoleARN": "arn:aws:iam::123456789012:role/scaling",
        "SuspendedState": {
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        },
    }
    account.policies[RESOURCE_ID] = [
        {
            "PolicyARN": "arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:1",
            "PolicyName": "invocations",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0},
            "Alarms": [],
        }
    ]
    account.actions[RESOURCE_ID] = [
        {
            "ScheduledActionName": "night",
            "Schedule": "cron(0 20 * * ? *)",
            "ScalableTargetAction": {"MinCapacity": 1},
            "CreationTime": "2026-01-01T00:00:00Z",
        }
    ]
    return account
