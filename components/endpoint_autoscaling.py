"""Keeps the invocations per instance of a variant at a target by changing its instance count."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import names
from components.capacity import ScalingSettings

ENDPOINT_AUTOSCALING_TYPE = "greenlight:components:EndpointAutoscaling"

_NAMESPACE = "sagemaker"
_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_METRIC = "SageMakerVariantInvocationsPerInstance"


@dataclass(frozen=True, kw_only=True)
class EndpointAutoscalingArgs:
    """What autoscaling is told: which variant, and how far it may go.

    Args:
        after: what has to be done first: the swap. Registering a target may change the count at
            once, which SageMaker refuses while it updates the endpoint; and a renamed variant
            exists only after the swap. (Options of a component don't make its children wait.)
    """

    endpoint_name: pulumi.Input[str]
    variant_name: pulumi.Input[str]
    scaling: ScalingSettings
    after: pulumi.Resource


class EndpointAutoscaling(pulumi.ComponentResource):
    """A scalable target and its target-tracking policy.

    Attributes:
        resource_id: the variant's name in Application Auto Scaling.
    """

    resource_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: EndpointAutoscalingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(ENDPOINT_AUTOSCALING_TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=[args.after])
        target = aws.appautoscaling.Target(
            names.child_name(name, names.SCALABLE_TARGET),
            service_namespace=_NAMESPACE,
            scalable_dimension=_DIMENSION,
            resource_id=pulumi.Output.concat(
                "endpoint/", args.endpoint_name, "/variant/", args.variant_name
            ),
            min_capacity=args.scaling.min_capacity,
            max_capacity=args.scaling.max_capacity,
            opts=child,
        )
        aws.appautoscaling.Policy(
            names.child_name(name, names.SCALING_POLICY),
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration={
                "target_value": float(args.scaling.target_invocations_per_instance),
                "predefined_metric_specification": {"predefined_metric_type": _METRIC},
                "scale_in_cooldown": args.scaling.scale_in_cooldown_seconds,
                "scale_out_cooldown": args.scaling.scale_out_cooldown_seconds,
            },
            opts=child,
        )
        self.resource_id = target.resource_id
        self.register_outputs({"resourceId": self.resource_id})
