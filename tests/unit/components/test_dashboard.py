import json

from components.dashboard import dashboard_body


def test_dashboard_shows_every_metric_of_the_variant() -> None:
    body = json.loads(
        dashboard_body(endpoint_name="e", variant_name="AllTraffic", region="eu-west-1")
    )

    series = [
        (metric[1], metric[-1]["stat"])
        for widget in body["widgets"]
        for metric in widget["properties"]["metrics"]
    ]
    assert ("Invocations", "Sum") in series
    assert {stat for name, stat in series if name == "ModelLatency"} == {"p50", "p95", "p99"}
    assert {name for name, _ in series} >= {
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "OverheadLatency",
        "CPUUtilization",
        "MemoryUtilization",
    }


def test_every_series_is_of_this_variant_and_no_widget_overlaps() -> None:
    body = json.loads(
        dashboard_body(endpoint_name="e", variant_name="AllTraffic", region="eu-west-1")
    )

    for widget in body["widgets"]:
        for metric in widget["properties"]["metrics"]:
            assert metric[2:6] == ["EndpointName", "e", "VariantName", "AllTraffic"]
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(set(places)) == len(places)
