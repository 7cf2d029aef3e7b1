"""The body of an endpoint's CloudWatch dashboard. Pure."""

import json
from typing import Any

_WIDGET_WIDTH = 12
_WIDGET_HEIGHT = 6
_PERIOD_SECONDS = 60

# Source: Developer Guide, "SageMaker endpoint invocation metrics" and "SageMaker endpoint metrics".
_WIDGETS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("Invocations", "AWS/SageMaker", (("Invocations", "Sum"), ("InvocationsPerInstance", "Sum"))),
    (
        "Errors",
        "AWS/SageMaker",
        (("Invocation4XXErrors", "Sum"), ("Invocation5XXErrors", "Sum")),
    ),
    (
        "Model latency (microseconds)",
        "AWS/SageMaker",
        (("ModelLatency", "p50"), ("ModelLatency", "p95"), ("ModelLatency", "p99")),
    ),
    (
        "Overhead latency (microseconds)",
        "AWS/SageMaker",
        (("OverheadLatency", "p50"), ("OverheadLatency", "p99")),
    ),
    (
        "Instances (percent)",
        "/aws/sagemaker/Endpoints",
        (("CPUUtilization", "Average"), ("MemoryUtilization", "Average")),
    ),
)


def dashboard_body(*, endpoint_name: str, variant_name: str, region: str) -> str:
    """A dashboard of one variant, as the JSON text CloudWatch takes."""
    dimensions = ["EndpointName", endpoint_name, "VariantName", variant_name]
    widgets = [
        _widget(index, title, namespace, series, dimensions, region)
        for index, (title, namespace, series) in enumerate(_WIDGETS)
    ]
    return json.dumps({"widgets": widgets})


def _widget(
    index: int,
    title: str,
    namespace: str,
    series: tuple[tuple[str, str], ...],
    dimensions: list[str],
    region: str,
) -> dict[str, Any]:
    row, column = divmod(index, 2)
    return {
        "type": "metric",
        "x": column * _WIDGET_WIDTH,
        "y": row * _WIDGET_HEIGHT,
        "width": _WIDGET_WIDTH,
        "height": _WIDGET_HEIGHT,
        "properties": {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "period": _PERIOD_SECONDS,
            "metrics": [
                [namespace, metric, *dimensions, {"stat": statistic}]
                for metric, statistic in series
            ],
        },
    }
