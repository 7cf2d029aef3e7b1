"""A release while things go wrong on purpose: greenlight tells the truth and keeps what serves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import requests

from automation import driver
from automation.deployment import Deployment
from automation.errors import ImageError, UpdateFailedError
from components.swap_plan import Verdict
from tests.e2e.conftest import Cloud, a_rehearsal

pytestmark = [pytest.mark.timeout(600), pytest.mark.fault("rehearsal faults")]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
BASELINE, CHALLENGER = "random-forest", "gradient-boosting"


@dataclass(frozen=True)
class Bench:
    """A rehearsal with iris in service, and the way to break it."""

    cloud: Cloud
    deployments: list[Deployment] = field(default_factory=list)

    def break_on_purpose(self, kind: str, **settings: Any) -> None:
        answer = requests.post(
            f"{self.cloud.session.cloud_url}/rehearsal/faults",
            json={"kind": kind, **settings},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text

    def swap(self) -> Deployment:
        """Move to the estimator that isn't live; after a rollback that is the same one again."""
        promoted = [d for d in self.deployments if d.verdict is Verdict.PROMOTED]
        estimator = (CHALLENGER, BASELINE)[len(promoted) % 2]
        deployment = driver.up("iris", "dev", estimator=estimator)
        self.deployments.append(deployment)
        return deployment

    def live_config(self, deployment: Deployment) -> str:
        return str(self.cloud.endpoint(str(deployment.endpoint_name))["EndpointConfigName"])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with a_rehearsal(tmp_path_factory.mktemp("faults") / "rehearsal") as cloud:
        bench = Bench(cloud)
        bench.break_on_purpose("launch-failure", reason="ping")
        with pytest.raises(UpdateFailedError, match="did not pass the ping health check"):
            driver.up("iris", "dev", estimator=BASELINE)
        # A failed first creation is simply run again.
        assert driver.up("iris", "dev", estimator=BASELINE).verdict is Verdict.PROMOTED
        yield bench


def test_a_throttled_swap_is_watched_to_its_good_end(bench: Bench) -> None:
    bench.break_on_purpose("throttle", operation="UpdateEndpoint", times=5)
    bench.break_on_purpose("throttle", operation="DescribeEndpoint", times=5)

    deployment = bench.swap()

    assert deployment.verdict is Verdict.PROMOTED
    assert bench.live_config(deployment) == deployment.endpoint_config_name


@pytest.mark.parametrize("polls", [0, 2])
def test_a_silent_rollback_is_red_and_nothing_that_serves_is_deleted(
    bench: Bench, polls: int
) -> None:
    bench.break_on_purpose("silent-rollback", rolling_back_polls=polls)

    deployment = bench.swap()

    assert deployment.verdict is Verdict.ROLLED_BACK
    live = bench.live_config(deployment)
    assert deployment.endpoint_config_name == live
    assert deployment.rejected_endpoint_config_name != live
    assert live in bench.cloud.config_names()


def test_a_fleet_without_capacity_is_rolled_back_and_says_so(bench: Bench) -> None:
    bench.break_on_purpose("capacity", available=0)

    deployment = bench.swap()

    assert deployment.verdict is Verdict.ROLLED_BACK
    assert "InsufficientInstanceCapacity" in str(deployment.reason)


def test_the_next_good_swap_is_promoted_and_the_old_pairs_go(bench: Bench) -> None:
    requests.delete(f"{bench.cloud.session.cloud_url}/rehearsal/faults", timeout=10)

    deployment = bench.swap()

    assert deployment.verdict is Verdict.PROMOTED
    assert bench.cloud.config_names() == {bench.live_config(deployment)}


def test_an_image_that_sagemaker_refuses_stops_up_and_revert_before_they_begin(
    bench: Bench,
) -> None:
    ecr = boto3.client("ecr")
    [repository] = ecr.describe_repositories()["repositories"]
    name = repository["repositoryName"]
    [image_id] = ecr.list_images(repositoryName=name)["imageIds"]
    ecr.batch_delete_image(repositoryName=name, imageIds=[image_id])
    ecr.put_image(
        repositoryName=name,
        imageTag=image_id["imageTag"],
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}),
        imageManifestMediaType=OCI_INDEX,
    )
    models = bench.cloud.model_names()

    for begin in (bench.swap, lambda: driver.revert("iris", "dev")):
        with pytest.raises(ImageError, match=f"media type {re.escape(OCI_INDEX)}"):
            begin()

    assert bench.cloud.model_names() == models
