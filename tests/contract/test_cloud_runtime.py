"""InvokeEndpoint: routing, headers, errors and what it leaves in CloudWatch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.cloud import CloudUser, start_cloud, wait_for

SPEED = 60.0
DIMENSIONS = [
    {"Name": "EndpointName", "Value": "two"},
    {"Name": "VariantName", "Value": "main"},
]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=SPEED)
    started.prepare()
    started.make_config("two", instance_count=2)
    started.make_endpoint("two", "two")
    yield started
    started.cloud.stop()


@pytest.fixture(scope="module")
def failing(user: CloudUser) -> str:
    user.make_config("sick", environment={"TINY_STATUS": "503", "TINY_NAME": "sick"})
    user.make_endpoint("sick", "sick")
    return "sick"


def refusal(user: CloudUser, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        user.invoke(**arguments)
    answer: dict[str, Any] = dict(caught.value.response)
    return answer


def cloud_now(user: CloudUser) -> datetime:
    date = requests.get(f"{user.cloud.url}/rehearsal/status", timeout=10).headers["Date"]
    return parsedate_to_datetime(date)


@pytest.mark.source("botocore InvokeEndpointInput, InvokeEndpointOutput")
def test_an_invocation_passes_body_and_headers_and_names_the_variant(user: CloudUser) -> None:
    answer = user.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="two",
        Body=b"\xff\x00binary",
        ContentType="application/x-npy",
        CustomAttributes="trace=1",
        InferenceId="id-1",
    )
    body = answer["Body"].read()

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["InvokedProductionVariant"] == "main"
    assert answer["ContentType"] == "application/json"
    assert answer["CustomAttributes"] == "from-tiny"
    assert b'"length": 8' in body
    assert b'"content_type": "application/x-npy"' in body
    assert b'"attributes": "trace=1"' in body


def test_requests_are_spread_over_the_instances(user: CloudUser) -> None:
    pids = Counter(user.invoke("two")["pid"] for _ in range(40))

    assert len(pids) == 2
    assert min(pids.values()) > 5


def test_an_instance_sees_the_extracted_artifact(user: CloudUser) -> None:
    assert user.invoke("two")["files"] == ["model.onnx"]


@pytest.mark.source("field reports, ModelError texts; botocore ModelError")
def test_a_models_error_is_a_424_with_its_status_and_message(user: CloudUser, failing: str) -> None:
    answer = refusal(user, name=failing)

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["OriginalStatusCode"] == 503
    assert '"name": "sick"' in answer["OriginalMessage"]
    assert answer["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/sick")
    message = answer["Error"]["Message"]
    assert message.startswith('Received server error (503) from primary with message "{')
    assert message.endswith(
        "/aws/sagemaker/Endpoints/sick in account 123456789012 for more information."
    )


@pytest.mark.source("field reports, ValidationError texts of the runtime")
def test_bad_invocations_are_refused_as_validation_errors(user: CloudUser) -> None:
    unknown = refusal(user, name="none")
    oversize = refusal(user, name="two", body=b"x" * 6_291_457)
    multi = refusal(user, name="two", TargetModel="a.tar.gz")
    variant = refusal(user, name="two", TargetVariant="other")

    for answer in (unknown, oversize, multi, variant):
        assert answer["Error"]["Code"] == "ValidationError"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert unknown["Error"]["Message"] == "Endpoint none of account 123456789012 not found."
    assert oversize["Error"]["Message"].endswith("has oversize body.")
    assert multi["Error"]["Message"] == (
        "Endpoint two is not a multi-model endpoint and does not support target model header."
    )


@pytest.mark.source("DG model-ab-testing; ProductionVariant InitialVariantWeight")
def test_variants_get_traffic_by_weight_and_a_target_overrides_it(user: CloudUser) -> None:
    for name in ("ab-a", "ab-b"):
        user.make_config(name)
    variants = [
        {
            "VariantName": name,
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": weight,
        }
        for name, weight in (("ab-a", 3.0), ("ab-b", 1.0))
    ]
    user.sagemaker.create_endpoint_config(EndpointConfigName="ab", ProductionVariants=variants)
    user.make_endpoint("ab", "ab")

    names = Counter(user.invoke("ab")["name"] for _ in range(200))
    targeted = {user.invoke("ab", TargetVariant="ab-b")["name"] for _ in range(10)}

    assert 120 < names["ab-a"] < 180
    assert names["ab-a"] + names["ab-b"] == 200
    assert targeted == {"ab-b"}


@pytest.mark.source("DG monitoring-cloudwatch, endpoint invocation metrics")
def test_invocations_become_metrics_with_both_sets_of_dimensions(user: CloudUser) -> None:
    start = cloud_now(user) - timedelta(minutes=1)
    for _ in range(20):
        user.invoke("two")
    cloudwatch = user.client("cloudwatch")

    def statistics(name: str, dimensions: list[dict[str, str]], *stats: str) -> dict[str, Any]:
        asked: dict[str, Any] = {"Statistics": [s for s in stats if not s.startswith("p")]}
        extended = [stat for stat in stats if stat.startswith("p")]
        if extended:
            asked["ExtendedStatistics"] = extended
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=start,
            EndTime=cloud_now(user) + timedelta(minutes=2),
            Period=3600 * 24,
            **asked,
        )["Datapoints"]
        merged: dict[str, Any] = {}
        for point in points:
            merged.update(point)
            merged.update(point.get("ExtendedStatistics", {}))
        return merged

    with_config = [*DIMENSIONS, {"Name": "EndpointConfigName", "Value": "two"}]
    invocations = statistics("Invocations", DIMENSIONS, "Sum", "SampleCount")
    errors = statistics("Invocation5XXErrors", with_config, "Average")
    latency = statistics("ModelLatency", DIMENSIONS, "Average", "Maximum", "p99")

    assert invocations["Sum"] == invocations["SampleCount"] >= 20
    assert statistics("Invocations", with_config, "Sum")["Sum"] == invocations["Sum"]
    assert statistics("InvocationsPerInstance", DIMENSIONS, "Sum")["Sum"] == (
        pytest.approx(invocations["Sum"] / 2)
    )
    assert errors["Average"] == 0.0
    assert 0 < latency["Average"] <= latency["Maximum"]
    assert latency["p99"] <= latency["Maximum"]
    assert latency["Unit"] == "Microseconds"
    assert statistics("Invocations", [], "Sum") == {}


@pytest.mark.source("CW GetMetricData, exact namespace and dimensions")
def test_metric_data_of_another_namespace_or_dimension_is_not_mixed_in(user: CloudUser) -> None:
    cloudwatch = user.client("cloudwatch")
    for namespace, value in (("One", 5.0), ("Two", 100.0)):
        cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": "m",
                    "Value": value,
                    "Dimensions": [{"Name": "A", "Value": "1"}],
                    "Timestamp": cloud_now(user),
                }
            ],
        )

    now = cloud_now(user)
    result = cloudwatch.get_metric_data(
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        MetricDataQueries=[
            {
                "Id": "a",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "One",
                        "MetricName": "m",
                        "Dimensions": [{"Name": "A", "Value": "1"}],
                    },
                    "Period": 60,
                    "Stat": "p50",
                },
            },
        ],
    )["MetricDataResults"]

    assert [(entry["Id"], entry["Values"]) for entry in result] == [("a", [5.0])]


def changes_of(user: CloudUser, alarm: str) -> list[str]:
    """Return an alarm's changes of state; at this speed a state may be over before it is read."""
    items = user.client("cloudwatch").describe_alarm_history(
        AlarmName=alarm, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    return [item["HistorySummary"].removeprefix("Alarm updated from ") for item in items]


@pytest.mark.source("CW AlarmThatSendsEmail; PutMetricAlarm, initial state")
def test_an_alarm_knows_nothing_then_is_fine_then_trips_and_recovers(user: CloudUser) -> None:
    user.make_config("ill", environment={"TINY_STATUS": "500"})
    user.make_endpoint("ill", "ill")

    user.put_error_alarm("ill-errors", "ill")
    wait_for(lambda: len(changes_of(user, "ill-errors")) == 1, "the alarm to be OK")
    refusal(user, name="ill")
    wait_for(lambda: len(changes_of(user, "ill-errors")) == 3, "the alarm to trip and recover")

    assert changes_of(user, "ill-errors") == [
        "INSUFFICIENT_DATA to OK",
        "OK to ALARM",
        "ALARM to OK",
    ]
    recorded = [
        event["state"]
        for event in user.control("record")["events"]
        if event["kind"] == "alarm_state" and event["alarm_name"] == "ill-errors"
    ]
    assert recorded == ["OK", "ALARM", "OK"]


@pytest.mark.source("CW SetAlarmState: lasts until the next evaluation")
def test_a_forced_state_lasts_until_the_next_evaluation(user: CloudUser) -> None:
    user.put_error_alarm("forced", "two")
    wait_for(lambda: changes_of(user, "forced"), "the first evaluation")

    user.client("cloudwatch").set_alarm_state(
        AlarmName="forced", StateValue="ALARM", StateReason="a test"
    )
    wait_for(lambda: len(changes_of(user, "forced")) == 3, "the next evaluation")

    assert changes_of(user, "forced") == ["INSUFFICIENT_DATA to OK", "OK to ALARM", "ALARM to OK"]


def test_the_clouds_now_is_in_the_date_header_and_runs_fast(user: CloudUser) -> None:
    before, wall = cloud_now(user), time.monotonic()
    wait_for(lambda: cloud_now(user) - before >= timedelta(seconds=30), "rehearsal time to pass")

    assert time.monotonic() - wall < 30
    assert cloud_now(user) > datetime.now(UTC)


def test_a_request_is_cheap_on_a_kept_connection(user: CloudUser) -> None:
    """A floor against gross mistakes such as a new connection per request; no benchmark.

    What costs every request something costs the fastest of them, too, however busy the machine is.
    """
    url = f"{user.cloud.url}/endpoints/two/invocations"
    took = []
    with requests.Session() as session:
        for _ in range(50):
            began = time.perf_counter()
            session.post(url, data=b"1", timeout=10).raise_for_status()
            took.append(time.perf_counter() - began)

    assert min(took) < 0.03
