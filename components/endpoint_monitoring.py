"""Alarms and the dashboard of an endpoint.

Two kinds of alarm that must not be mixed: rollback alarms look at the config being moved to and
make SageMaker undo the swap; alerts look at the whole endpoint and tell people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components import names
from components.dashboard import dashboard_body
from components.settings import RollbackAlarmSettings

ROLLBACK_ALARMS_TYPE = "greenlight:components:RollbackAlarms"
ENDPOINT_MONITORING_TYPE = "greenlight:components:EndpointMonitoring"

_NAMESPACE = "AWS/SageMaker"
_PERIOD_SECONDS = 60
_MICROSECONDS_PER_MS = 1000


def error_alarm(maximum_5xx_errors: int, evaluation_periods: int) -> dict[str, Any]:
    """An alarm on more 5xx answers per minute than are accepted."""
    return {
        "namespace": _NAMESPACE,
        "metric_name": "Invocation5XXErrors",
        "statistic": "Sum",
        "comparison_operator": "GreaterThanThreshold",
        "threshold": float(maximum_5xx_errors),
        "period": _PERIOD_SECONDS,
        "evaluation_periods": evaluation_periods,
        # A minute without requests has no data and proves nothing bad.
        "treat_missing_data": "notBreaching",
    }


def latency_alarm(maximum_model_latency_ms: int, evaluation_periods: int) -> dict[str, Any]:
    """An alarm on a slower average answer than is accepted; SageMaker measures microseconds."""
    return {
        "namespace": _NAMESPACE,
        "metric_name": "ModelLatency",
        "statistic": "Average",
        "comparison_operator": "GreaterThanThreshold",
        "threshold": float(maximum_model_latency_ms * _MICROSECONDS_PER_MS),
        "period": _PERIOD_SECONDS,
        "evaluation_periods": evaluation_periods,
        "treat_missing_data": "notBreaching",
    }


@dataclass(frozen=True, kw_only=True)
class RollbackAlarmsArgs:
    """What rollback alarms are told.

    Args:
        endpoint_config_name: the config being moved to; the alarms see its fleet alone.
    """

    endpoint_name: pulumi.Input[str]
    variant_name: pulumi.Input[str]
    endpoint_config_name: pulumi.Input[str]
    settings: RollbackAlarmSettings
    tags: Mapping[str, str]


class RollbackAlarms(pulumi.ComponentResource):
    """The alarms that undo a swap; they are pointed at the new config before the swap begins.

    The third dimension, EndpointConfigName, keeps the blue fleet's errors out: without it an
    endpoint that already fails could not be mended, as its own alarm would undo every swap.

    Source: Developer Guide, "Auto-rollback configuration and monitoring".

    Attributes:
        alarm_names: the alarms' names, in a fixed order.
    """

    alarm_names: pulumi.Output[list[str]]

    def __init__(
        self, name: str, args: RollbackAlarmsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(ROLLBACK_ALARMS_TYPE, name, None, opts)
        dimensions = {
            "EndpointName": args.endpoint_name,
            "VariantName": args.variant_name,
            "EndpointConfigName": args.endpoint_config_name,
        }
        settings = args.settings
        rules = {
            names.ERROR_ROLLBACK_ALARM: error_alarm(settings.maximum_5xx_errors, 1),
            names.LATENCY_ROLLBACK_ALARM: latency_alarm(settings.maximum_model_latency_ms, 1),
        }
        alarms = [
            aws.cloudwatch.MetricAlarm(
                names.child_name(name, suffix),
                alarm_description="undoes a swap; read by SageMaker, tells nobody",
                dimensions=dimensions,
                tags=args.tags,
                opts=pulumi.ResourceOptions(parent=self),
                **rule,
            )
            for suffix, rule in rules.items()
        ]
        self.alarm_names = pulumi.Output.all(*[alarm.name for alarm in alarms]).apply(list)
        self.register_outputs({"alarmNames": self.alarm_names})


@dataclass(frozen=True, kw_only=True)
class EndpointMonitoringArgs:
    """What an endpoint's monitoring is told.

    Args:
        alert_topic_arn: where alerts go.
        settings: the limits, shared with the rollback alarms.
    """

    endpoint_name: pulumi.Output[str]
    variant_name: str
    region: pulumi.Output[str]
    alert_topic_arn: pulumi.Input[str]
    settings: RollbackAlarmSettings
    tags: Mapping[str, str]


class EndpointMonitoring(pulumi.ComponentResource):
    """Alerts on the endpoint as a whole, and its dashboard.

    Attributes:
        dashboard_name: the dashboard in CloudWatch.
    """

    dashboard_name: pulumi.Output[str]

    # Minutes in a row before people are told; a rollback alarm acts after one.
    _ALERT_PERIODS = 3

    def __init__(
        self, name: str, args: EndpointMonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(ENDPOINT_MONITORING_TYPE, name, None, opts)
        settings = args.settings
        rules = {
            names.ERROR_ALERT: error_alarm(settings.maximum_5xx_errors, self._ALERT_PERIODS),
            names.LATENCY_ALERT: latency_alarm(
                settings.maximum_model_latency_ms, self._ALERT_PERIODS
            ),
        }
        for suffix, rule in rules.items():
            aws.cloudwatch.MetricAlarm(
                names.child_name(name, suffix),
                alarm_description="tells people; undoes nothing",
                dimensions={"EndpointName": args.endpoint_name, "VariantName": args.variant_name},
                alarm_actions=[args.alert_topic_arn],
                ok_actions=[args.alert_topic_arn],
                tags=args.tags,
                opts=pulumi.ResourceOptions(parent=self),
                **rule,
            )
        dashboard = aws.cloudwatch.Dashboard(
            names.child_name(name, names.DASHBOARD),
            dashboard_name=args.endpoint_name,
            dashboard_body=pulumi.Output.all(args.endpoint_name, args.region).apply(
                lambda values: dashboard_body(
                    endpoint_name=values[0], variant_name=args.variant_name, region=values[1]
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.dashboard_name = dashboard.dashboard_name
        self.register_outputs({"dashboardName": self.dashboard_name})
