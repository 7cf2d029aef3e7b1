"""An endpoint that serves one model, and its moves from config to config."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components import names
from components.capacity import smallest_fleet
from components.endpoint_monitoring import RollbackAlarms, RollbackAlarmsArgs
from components.endpoint_swap import EndpointSwap, EndpointSwapArgs
from components.rollout import deployment_config, swap_deadline_seconds
from components.settings import ModelSettings, SwapMode

INFERENCE_ENDPOINT_TYPE = "greenlight:components:InferenceEndpoint"

# What tells this stack's endpoints from anybody else's.
_OWNER_TAGS = frozenset({"Project", "Stack", "Model"})


@dataclass(frozen=True, kw_only=True)
class InferenceEndpointArgs:
    """What an endpoint is told.

    Args:
        model_name: the SageMaker model to serve.
        artifact_digest: SHA-256 of the model's archive, kept with the swap as evidence.
        kms_key_arn: the key of the instances' volumes; nothing means SageMaker's own.
    """

    model_name: pulumi.Input[str]
    artifact_digest: str | None
    settings: ModelSettings
    region: pulumi.Output[str]
    kms_key_arn: pulumi.Input[str | None]
    tags: Mapping[str, str]


class InferenceEndpoint(pulumi.ComponentResource):
    """An endpoint config, the endpoint, the alarms that judge a swap, and the swap.

    A change makes a new config first; the endpoint's own resource ignores it, and the swap moves
    the endpoint. Pulumi deletes the old config at the very end of the update, and only if the swap
    was promoted.

    The endpoint's name is Pulumi's: SageMaker keeps the name of an endpoint whose creation failed,
    so with a fixed name the next `up` could not create it. A failed one serves and costs nothing;
    the swap deletes it once a later creation is in service.

    Attributes:
        swap_verdict: how the last swap ended; nothing with `swap: plain`.
        rollback_alarm_names: the alarms that undo a swap.
        ready: what is done last; whoever needs the endpoint on its config waits for it.
    """

    endpoint_name: pulumi.Output[str]
    endpoint_config_name: pulumi.Output[str]
    rollback_alarm_names: pulumi.Output[list[str]]
    swap_verdict: pulumi.Output[str | None]
    ready: pulumi.Resource

    def __init__(
        self, name: str, args: InferenceEndpointArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(INFERENCE_ENDPOINT_TYPE, name, None, opts)
        self._stem = name
        self._args = args
        config = aws.sagemaker.EndpointConfiguration(
            names.child_name(name, names.ENDPOINT_CONFIG),
            production_variants=[production_variant(args.model_name, args.settings)],
            kms_key_arn=args.kms_key_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.endpoint_config_name = config.name
        if args.settings.swap is SwapMode.PLAIN:
            self._make_plain()
        else:
            self._make_managed()
        self.register_outputs(
            {
                "endpointName": self.endpoint_name,
                "endpointConfigName": self.endpoint_config_name,
                "rollbackAlarmNames": self.rollback_alarm_names,
                "swapVerdict": self.swap_verdict,
            }
        )

    def _make_managed(self) -> None:
        endpoint = aws.sagemaker.Endpoint(
            self._child_name(names.ENDPOINT),
            endpoint_config_name=self.endpoint_config_name,
            tags=self._args.tags,
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["endpointConfigName", "deploymentConfig"]
            ),
        )
        self.endpoint_name = endpoint.name
        self.rollback_alarm_names = self._rollback_alarm_names(endpoint.name)
        swap = EndpointSwap(
            self._child_name(names.ENDPOINT_SWAP),
            self._swap_args(),
            pulumi.ResourceOptions(parent=self, depends_on=[endpoint]),
        )
        self.swap_verdict = swap.verdict.apply(lambda verdict: verdict)
        self.ready = swap

    def _make_plain(self) -> None:
        # The alarms come first here and need the endpoint's name, so it can't be Pulumi's.
        name = self._child_name(names.ENDPOINT)
        self.rollback_alarm_names = self._rollback_alarm_names(name)
        endpoint = aws.sagemaker.Endpoint(
            name,
            name=name,
            endpoint_config_name=self.endpoint_config_name,
            deployment_config=self._deployment_config().apply(plain_deployment_config),
            tags=self._args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.endpoint_name = endpoint.name
        self.swap_verdict = pulumi.Output.from_input(None)
        self.ready = endpoint

    def _child_name(self, suffix: str) -> str:
        return names.child_name(self._stem, suffix)

    def _rollback_alarm_names(self, endpoint_name: pulumi.Input[str]) -> pulumi.Output[list[str]]:
        if not self._args.settings.rollback_alarms.enabled:
            return pulumi.Output.from_input([])
        alarms = RollbackAlarms(
            self._stem,
            RollbackAlarmsArgs(
                endpoint_name=endpoint_name,
                variant_name=self._args.settings.variant_name,
                endpoint_config_name=self.endpoint_config_name,
                settings=self._args.settings.rollback_alarms,
                tags=self._args.tags,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        return alarms.alarm_names

    def _deployment_config(self) -> pulumi.Output[dict[str, Any]]:
        deployment = self._args.settings.deployment
        return self.rollback_alarm_names.apply(
            lambda alarm_names: deployment_config(deployment, alarm_names)
        )

    def _swap_args(self) -> EndpointSwapArgs:
        settings = self._args.settings
        # The fewest instances give the most steps and so the longest rollout.
        fleet = smallest_fleet(settings.initial_instance_count, settings.scaling)
        return EndpointSwapArgs(
            region=self._args.region,
            endpoint_name=self.endpoint_name,
            endpoint_config_name=self.endpoint_config_name,
            deployment_config=self._deployment_config(),
            deadline_seconds=swap_deadline_seconds(settings.deployment, fleet),
            is_autoscaled=settings.scaling is not None,
            artifact_digest=self._args.artifact_digest,
            owner_tags={key: value for key, value in self._args.tags.items() if key in _OWNER_TAGS},
        )


def production_variant(
    model_name: pulumi.Input[str], settings: ModelSettings
) -> aws.sagemaker.EndpointConfigurationProductionVariantArgs:
    """The config's only variant."""
    return aws.sagemaker.EndpointConfigurationProductionVariantArgs(
        variant_name=settings.variant_name,
        model_name=model_name,
        instance_type=settings.instance_type,
        initial_instance_count=settings.initial_instance_count,
        initial_variant_weight=1.0,
    )


_PLAIN_KEYS = {
    "BlueGreenUpdatePolicy": "blue_green_update_policy",
    "RollingUpdatePolicy": "rolling_update_policy",
    "AutoRollbackConfiguration": "auto_rollback_configuration",
    "TrafficRoutingConfiguration": "traffic_routing_configuration",
    "TerminationWaitInSeconds": "termination_wait_in_seconds",
    "MaximumExecutionTimeoutInSeconds": "maximum_execution_timeout_in_seconds",
    "WaitIntervalInSeconds": "wait_interval_in_seconds",
    "MaximumBatchSize": "maximum_batch_size",
    "CanarySize": "canary_size",
    "LinearStepSize": "linear_step_size",
    "Alarms": "alarms",
    "AlarmName": "alarm_name",
    "Type": "type",
    "Value": "value",
}


def plain_deployment_config(config: Any) -> Any:
    """A rollout in the words of Pulumi's own endpoint resource, for `swap: plain`."""
    if isinstance(config, dict):
        return {_PLAIN_KEYS[key]: plain_deployment_config(value) for key, value in config.items()}
    if isinstance(config, list):
        return [plain_deployment_config(value) for value in config]
    return config
