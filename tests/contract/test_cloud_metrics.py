"""CloudWatch's metric data through boto3: users' own metrics, statistics, math and pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from tests.support.cloud import CloudUser

# A whole hour, so that every period begins on it.
START = datetime(2027, 1, 15, 8, tzinfo=UTC)
DIMENSIONS = [{"Name": "A", "Value": "1"}]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    settings = CloudSettings(directory=tmp_path_factory.mktemp("cloud"))
    started = CloudUser(Cloud(settings, ManualClock(START.timestamp() + 1_800)))
    started.cloud.start()
    yield started
    started.cloud.stop()


def put(user: CloudUser, name: str, *values: float, **more: Any) -> None:
    """Put one value per minute from START on."""
    user.client("cloudwatch").put_metric_data(
        Namespace="Mine",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": DIMENSIONS,
                "Timestamp": START + timedelta(minutes=index),
                "Value": value,
                **more,
            }
            for index, value in enumerate(values)
        ],
    )


def stat(query_id: str, name: str, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Mine", "MetricName": name, "Dimensions": DIMENSIONS}
    asked: dict[str, Any] = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    returned: dict[str, Any] = {
        key: more.pop(key) for key in ("ReturnData", "Label") if key in more
    }
    return {"Id": query_id, "MetricStat": {**asked, **more}, **returned}


def data(user: CloudUser, *queries: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = user.client("cloudwatch").get_metric_data(
        StartTime=START,
        EndTime=START + timedelta(minutes=5),
        MetricDataQueries=list(queries),
        **{"ScanBy": "TimestampAscending", **more},
    )
    results: list[dict[str, Any]] = answer["MetricDataResults"]
    return results


def statistics(user: CloudUser, name: str, *, period: int = 60, **more: Any) -> list[Any]:
    asked: dict[str, Any] = {"StartTime": START, "EndTime": START + timedelta(minutes=5), **more}
    answer = user.client("cloudwatch").get_metric_statistics(
        Namespace="Mine", MetricName=name, Dimensions=DIMENSIONS, Period=period, **asked
    )
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])


@pytest.mark.source("botocore PutMetricData: Values and Counts, StatisticValues, Unit")
def test_values_counts_and_statistic_sets_are_added_up(user: CloudUser) -> None:
    entry = {"MetricName": "sets", "Dimensions": DIMENSIONS, "Timestamp": START, "Unit": "Count"}
    sets = {"SampleCount": 3, "Sum": 9, "Minimum": 1, "Maximum": 5}
    user.client("cloudwatch").put_metric_data(
        Namespace="Mine",
        MetricData=[
            {**entry, "Values": [2.0, 4.0], "Counts": [3, 1]},
            {**entry, "StatisticValues": sets},
        ],
    )

    names = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]
    (point,) = statistics(user, "sets", Statistics=names)
    other = statistics(user, "sets", Statistics=["Sum"], Unit="Seconds")

    assert [point[name] for name in names] == [7, 19, 1, 5, pytest.approx(19 / 7)]
    assert (point["Unit"], other) == ("Count", [])


@pytest.mark.source("issues quote the refusals of PutMetricData")
def test_metric_data_that_cannot_be_is_refused(user: CloudUser) -> None:
    cloudwatch = user.client("cloudwatch")
    both = {"MetricName": "m", "Value": 1.0, "Values": [1.0]}

    with pytest.raises(ClientError, match="The value AWS/ for parameter Namespace is invalid"):
        cloudwatch.put_metric_data(Namespace="AWS/Mine", MetricData=[])
    with pytest.raises(ClientError, match="mutually exclusive and you have specified both"):
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=[both])
    with pytest.raises(ClientError, match="must be of the same size"):
        cloudwatch.put_metric_data(
            Namespace="Mine",
            MetricData=[{"MetricName": "m", "Values": [1.0], "Counts": [1.0, 2.0]}],
        )


@pytest.mark.source("CW statistics definitions; botocore GetMetricStatistics, ExtendedStatistics")
def test_extended_statistics_are_those_of_the_definitions(user: CloudUser) -> None:
    user.client("cloudwatch").put_metric_data(
        Namespace="Mine",
        MetricData=[
            {
                "MetricName": "latency",
                "Dimensions": DIMENSIONS,
                "Timestamp": START,
                "Values": [float(value) for value in range(1, 101)],
            }
        ],
    )

    names = ["p50", "tm90", "TM(10%:90%)", "PR(:25)", "TC(10:20)", "TS(99:)", "IQM", "wm99"]
    (point,) = statistics(user, "latency", ExtendedStatistics=names)

    found = point["ExtendedStatistics"]
    assert found["p50"] == 50.5
    assert (found["tm90"], found["TM(10%:90%)"]) == (45.5, 50.5)
    assert (found["PR(:25)"], found["TC(10:20)"], found["TS(99:)"]) == (25.0, 11.0, 199.0)
    assert (found["IQM"], found["wm99"]) == (50.5, pytest.approx(50.49, abs=0.02))


@pytest.mark.source("botocore GetMetricStatistics: StartTime is rounded down to the minute")
def test_periods_begin_at_the_start_rounded_down_to_the_minute(user: CloudUser) -> None:
    put(user, "rounded", 1.0, 2.0, 4.0, 8.0, 16.0)

    found = statistics(
        user,
        "rounded",
        period=120,
        StartTime=START + timedelta(seconds=90),
        Statistics=["Sum"],
    )

    assert [(point["Timestamp"] - START).seconds for point in found] == [60, 180]
    assert [point["Sum"] for point in found] == [6.0, 24.0]


@pytest.mark.source("issues quote the refusals of GetMetricStatistics")
def test_statistics_that_cannot_be_are_refused(user: CloudUser) -> None:
    with pytest.raises(ClientError, match=r"up to 1,441 datapoints, which exceeds the limit of"):
        statistics(user, "rounded", Statistics=["Sum"], EndTime=START + timedelta(minutes=1_441))
    with pytest.raises(ClientError, match="Must specify either Statistics or Extended"):
        statistics(user, "rounded")
    with pytest.raises(ClientError, match="StartTime must be less than the parameter EndTime"):
        statistics(user, "rounded", Statistics=["Sum"], EndTime=START)
    with pytest.raises(ClientError, match="must be 1, 5, 10, 20, 30 or a multiple of 60"):
        statistics(user, "rounded", period=45, Statistics=["Sum"])


@pytest.mark.source("botocore PutMetricData StorageResolution; periods of 1, 5, 10, 20, 30")
def test_data_to_the_second_can_be_asked_for_by_the_second(user: CloudUser) -> None:
    for name, resolution in (("fine", 1), ("coarse", 60)):
        user.client("cloudwatch").put_metric_data(
            Namespace="Mine",
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": DIMENSIONS,
                    "Timestamp": START + timedelta(seconds=second),
                    "Value": 1.0,
                    "StorageResolution": resolution,
                }
                for second in range(0, 60, 5)
            ],
        )

    fine = statistics(user, "fine", period=10, Statistics=["Sum"])
    minute = statistics(user, "fine", Statistics=["Sum"])
    coarse = statistics(user, "coarse", period=10, Statistics=["Sum"])

    assert [point["Sum"] for point in fine] == [2.0] * 6
    assert [point["Sum"] for point in minute] == [12.0]
    assert [((p["Timestamp"] - START).seconds, p["Sum"]) for p in coarse] == [(0, 12.0)]


@pytest.mark.source("CW using metric math")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2 * 2", [21.0, 42.0, 64.0]),
        ("-(m1 / m2)", [-0.1, -0.1, -4 / 30]),
        ("m1 / (m1 - 1)", [2.0, 4 / 3]),
        ("100 * m1 / SUM([m1, m2])", [100 / 11, 100 / 11, 400 / 34]),
        ("SUM(METRICS())", [11.0, 22.0, 34.0, 5.0]),
        ("AVG([m1, m2])", [5.5, 11.0, 17.0, 5.0]),
        ("MAX(m1)", [4.0] * 5),
        ("MIN([m1, m2])", [1.0, 2.0, 4.0, 5.0]),
        ("IF(m1 > 1, m1, 0)", [0.0, 2.0, 4.0]),
        ("IF(m1 > 1 AND m2 < 30, m2)", [20.0]),
        ("FILL(m1, 0)", [1.0, 2.0, 4.0, 0.0, 0.0]),
        ("FILL(m1, REPEAT)", [1.0, 2.0, 4.0, 4.0, 4.0]),
        ("RATE(m1) * PERIOD(m1)", [1.0, 2.0]),
    ],
)
def test_metric_math_is_calculated_period_by_period(
    user: CloudUser, expression: str, expected: list[float]
) -> None:
    if not data(user, stat("m1", "left"))[0]["Values"]:
        put(user, "left", 1.0, 2.0, 4.0)
        put(user, "right", 10.0, 20.0, 30.0, 5.0)
    inputs = [stat(name, metric, ReturnData=False) for name, metric in NAMES.items()]

    (result,) = data(user, *inputs, {"Id": "e1", "Expression": expression, "Label": "found"})

    assert result["Values"] == pytest.approx(expected)
    assert (result["Id"], result["Label"]) == ("e1", "found")


NAMES = {"m1": "left", "m2": "right"}


@pytest.mark.source("CW using metric math: an expression may use another's id")
def test_an_expression_can_use_another_expression(user: CloudUser) -> None:
    put(user, "chained", 1.0, 2.0)

    (result,) = data(
        user,
        {"Id": "top", "Expression": "low * 10"},
        {"Id": "low", "Expression": "m1 + 1", "ReturnData": False},
        stat("m1", "chained", ReturnData=False),
    )

    assert result["Values"] == [20.0, 30.0]


def test_math_that_is_not_rehearsed_is_refused_by_name(user: CloudUser) -> None:
    for expression, said in (
        ("SEARCH('{Mine}', 'Sum')", "does not do SEARCH in metric math"),
        ("SELECT AVG(m) FROM Mine", "does not do Metrics Insights"),
        ("m1 +", "it ends too early"),
        ("unknown * 2", "unknown is not a query id"),
        ("e1 + 1", "depends on itself"),
    ):
        with pytest.raises(ClientError, match=said):
            data(user, stat("m1", "left"), {"Id": "e1", "Expression": expression})


def test_an_operation_nobody_rehearses_is_refused_by_name(user: CloudUser) -> None:
    with pytest.raises(ClientError, match="does not do DescribeAnomalyDetectors"):
        user.client("cloudwatch").describe_anomaly_detectors()


@pytest.mark.source("botocore GetMetricData: MaxDatapoints, NextToken, ScanBy")
def test_metric_data_comes_in_pages(user: CloudUser) -> None:
    put(user, "paged", 1.0, 2.0, 3.0, 4.0, 5.0)
    cloudwatch = user.client("cloudwatch")
    asked = {
        "StartTime": START,
        "EndTime": START + timedelta(minutes=5),
        "MetricDataQueries": [stat("m1", "paged")],
        "MaxDatapoints": 2,
    }

    values, states = [], []
    token: dict[str, str] = {}
    while True:
        page = cloudwatch.get_metric_data(**asked, **token)
        values.append(page["MetricDataResults"][0]["Values"])
        states.append(page["MetricDataResults"][0]["StatusCode"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert values == [[5.0, 4.0], [3.0, 2.0], [1.0]]
    assert states == ["PartialData", "PartialData", "Complete"]


@pytest.mark.source("botocore ListMetrics: dimension filters, RecentlyActive")
def test_metrics_are_listed_by_name_dimension_and_activity(user: CloudUser) -> None:
    cloudwatch = user.client("cloudwatch")
    day = timedelta(days=1)
    for value, moment in (("old", START - day), ("new", START)):
        cloudwatch.put_metric_data(
            Namespace="Listed",
            MetricData=[
                {
                    "MetricName": "m",
                    "Dimensions": [{"Name": "Age", "Value": value}],
                    "Timestamp": moment,
                    "Value": 1.0,
                }
            ],
        )

    def ages(**more: Any) -> list[str]:
        found = cloudwatch.list_metrics(Namespace="Listed", **more)["Metrics"]
        return sorted(metric["Dimensions"][0]["Value"] for metric in found)

    assert ages() == ["new", "old"]
    assert ages(Dimensions=[{"Name": "Age", "Value": "old"}]) == ["old"]
    assert ages(Dimensions=[{"Name": "Age"}]) == ["new", "old"]
    assert ages(Dimensions=[{"Name": "Other"}]) == []
    assert ages(RecentlyActive="PT3H") == ["new"]
    assert ages(MetricName="other") == []
