"""An asynchronous endpoint's queue: without instances, over updates, after its time, at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cloud import BUCKET, CloudUser, start_cloud, wait_for
from tests.support.work import (
    Inbox,
    add_work_image,
    invoke_later,
    make_async_config,
    metric,
    read,
    wait_read,
)

MONITOR = "DG async-inference-monitor"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    started.prepare()
    add_work_image(started)
    yield started
    started.cloud.stop()


def scale(user: CloudUser, endpoint: str, count: int) -> None:
    user.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": count}],
    )
    assert user.wait(endpoint)["EndpointStatus"] == "InService"


@pytest.mark.source(MONITOR + "; DG async-inference-autoscale: HasBacklogWithoutCapacity")
def test_a_queue_without_instances_is_seen_in_the_metrics(user: CloudUser) -> None:
    make_async_config(user, "zero")
    user.make_endpoint("zero", "zero")
    scale(user, "zero", 0)
    before = metric(user, "zero", "HasBacklogWithoutCapacity", "Maximum", variant=False)

    for _ in range(3):
        invoke_later(user, "zero", Body=b"1", ContentType="text/csv")
    wait_for(
        lambda: metric(user, "zero", "HasBacklogWithoutCapacity", "Maximum", variant=False) == 1,
        "a backlog without capacity",
    )

    assert not before
    assert metric(user, "zero", "ApproximateBacklogSize", "Maximum", variant=False) == 3
    assert metric(user, "zero", "ApproximateBacklogSizePerInstance", "Maximum", variant=False) == 3
    assert user.cloud.engine.invoker.routes["zero"].variants[0].lanes[0].instances == ()


@pytest.mark.source("DG async-inference-autoscale: requests wait while there are no instances")
def test_requests_wait_while_there_is_no_instance_and_survive_an_update(user: CloudUser) -> None:
    make_async_config(user, "away")
    make_async_config(user, "away-2", model="away")
    user.make_endpoint("away", "away")
    scale(user, "away", 0)

    answer = invoke_later(user, "away", Body=b"1,2", ContentType="text/csv")
    user.sagemaker.update_endpoint(EndpointName="away", EndpointConfigName="away-2")

    assert wait_read(user, answer["OutputLocation"]) == b"3"
    assert answer["OutputLocation"].startswith(f"s3://{BUCKET}/away/out/")
    assert user.wait("away")["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == (
        f"s3://{BUCKET}/away-2/out"
    )


@pytest.mark.source("botocore InvokeEndpointAsyncInput$RequestTTLSeconds; " + MONITOR)
def test_a_request_expires_in_the_queue_after_its_time(user: CloudUser) -> None:
    inbox = Inbox(user, "ends")
    make_async_config(user, "stale", notification={"ErrorTopic": inbox.topic_arn})
    user.make_endpoint("stale", "stale")
    scale(user, "stale", 0)

    answer = invoke_later(user, "stale", Body=b"1,2", ContentType="text/csv", RequestTTLSeconds=60)
    told = inbox.wait(inferenceId=answer["InferenceId"])

    assert told["invocationStatus"] == "Failed"
    assert "expired after 60 seconds" in told["failureReason"]


@pytest.mark.assumed("what becomes of a queue when its endpoint is deleted")
def test_a_queue_is_dropped_with_its_endpoint(user: CloudUser) -> None:
    make_async_config(user, "gone")
    user.make_endpoint("gone", "gone")
    scale(user, "gone", 0)
    answer = invoke_later(user, "gone", Body=b"1", ContentType="text/csv")

    user.sagemaker.delete_endpoint(EndpointName="gone")
    wait_for(lambda: "gone" not in user.cloud.engine.endpoints, "the endpoint to go")
    user.make_endpoint("gone", "gone")
    second = invoke_later(user, "gone", Body=b"2", ContentType="text/csv")

    assert wait_read(user, second["OutputLocation"]) == b"2"
    assert read(user, answer["OutputLocation"]) is None
    assert read(user, answer["FailureLocation"]) is None
