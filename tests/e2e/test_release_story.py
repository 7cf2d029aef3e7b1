"""A release from the first deployment to an empty cloud, told once and asserted on afterwards.

What is asserted is the cloud's own record and answers, and what a client outside of it was served;
never what a command printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from automation import driver
from automation.deployment import Deployment
from automation.errors import FoundationInUseError, SwapRolledBackError
from automation.load import Load, Tally, questions_for, runtime_client
from automation.spec import load_spec
from components.swap_plan import Verdict
from tests.e2e.conftest import ROOT, Cloud, a_rehearsal

pytestmark = pytest.mark.timeout(600)

BASELINE, CHALLENGER, BAD = "random-forest", "gradient-boosting", "one-hot-proline"


@dataclass
class Chapter:
    """One swap: what came of it, what the cloud held afterwards, what the client saw."""

    deployment: Deployment
    endpoint: dict[str, Any]
    config_names: set[str]
    model_names: set[str]
    during: Tally
    after: Tally


@dataclass
class Release:
    """Everything the story left as evidence."""

    iris: Deployment
    wine: Deployment
    chapters: dict[str, Chapter] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    inventory: list[dict[str, str]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    foundation_refused: str = ""

    def samples_of(self, deployment: Deployment) -> list[dict[str, Any]]:
        return [s for s in self.record["samples"] if s["endpoint_name"] == deployment.endpoint_name]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    with a_rehearsal(tmp_path_factory.mktemp("release") / "rehearsal") as cloud:
        yield tell(cloud)


def tell(cloud: Cloud) -> Release:
    release = Release(iris=driver.up("iris", "dev"), wine=driver.up("wine", "dev"))
    questions = questions_for(load_spec(ROOT, "wine"), ROOT, (BASELINE, CHALLENGER, BAD))
    endpoint = str(release.wine.endpoint_name)
    with Load(runtime_client(), endpoint, questions, requests_per_second=20) as load:
        for name, estimator in (
            ("good", CHALLENGER),
            ("bad", BAD),
            ("revert", None),
            ("again", BASELINE),
        ):
            release.chapters[name] = swap(cloud, load, estimator)
    with pytest.raises(FoundationInUseError) as refused:
        driver.destroy("iris", "dev")
    release.foundation_refused = str(refused.value)
    driver.destroy("wine", "dev")
    driver.destroy("iris", "dev")
    release.record = cloud.get("record")
    release.inventory = cloud.get("inventory")["resources"]
    release.processes = cloud.get("status")["processes"]
    return release


def swap(cloud: Cloud, load: Load, estimator: str | None) -> Chapter:
    load.take()
    if estimator is None:
        deployment = driver.revert("wine", "dev")
    else:
        deployment = driver.up("wine", "dev", estimator=estimator)
    during = load.take()
    after = Tally()
    while after.sent < 10:
        part = load.take()
        after.answers += part.answers
        after.failures += part.failures
    return Chapter(
        deployment=deployment,
        endpoint=cloud.endpoint(str(deployment.endpoint_name)),
        config_names=cloud.config_names(),
        model_names=cloud.model_names(),
        during=during,
        after=after,
    )


def test_both_models_are_promoted_at_their_first_deployment(release: Release) -> None:
    assert release.iris.verdict is Verdict.PROMOTED
    assert release.wine.verdict is Verdict.PROMOTED
    assert release.iris.stack == "dev"
    assert release.wine.stack == "dev-wine"


@pytest.mark.parametrize("name", ["good", "revert", "again"])
def test_a_good_swap_is_promoted_and_its_target_is_live(release: Release, name: str) -> None:
    chapter = release.chapters[name]

    assert chapter.deployment.verdict is Verdict.PROMOTED
    assert chapter.endpoint["EndpointStatus"] == "InService"
    assert chapter.endpoint["EndpointConfigName"] == chapter.deployment.endpoint_config_name
    assert "FailureReason" not in chapter.endpoint


@pytest.mark.parametrize("name", ["good", "revert", "again"])
def test_no_request_fails_during_a_good_swap(release: Release, name: str) -> None:
    chapter = release.chapters[name]

    assert chapter.during.answers.total() > 0
    assert chapter.during.failures == {}
    assert chapter.after.failures == {}


@pytest.mark.parametrize(
    ("name", "live"),
    [("good", CHALLENGER), ("bad", CHALLENGER), ("revert", CHALLENGER), ("again", BASELINE)],
)
def test_the_right_model_answers_alone_after_each_swap(
    release: Release, name: str, live: str
) -> None:
    assert set(release.chapters[name].after.answers) == {live}


def test_both_models_answer_while_the_canary_bakes(release: Release) -> None:
    assert set(release.chapters["good"].during.answers) == {BASELINE, CHALLENGER}


def test_a_good_swap_leaves_only_the_pair_that_serves(release: Release) -> None:
    for name in ("good", "revert", "again"):
        chapter = release.chapters[name]

        wine = {config for config in chapter.config_names if config.startswith("wine-")}
        assert wine == {chapter.deployment.endpoint_config_name}
        assert len([model for model in chapter.model_names if model.startswith("wine-")]) == 1


def test_a_rolled_back_update_is_red_and_says_why(release: Release) -> None:
    deployment = release.chapters["bad"].deployment

    assert deployment.verdict is Verdict.ROLLED_BACK
    assert deployment.reason is not None
    assert "rollback-5xx-errors" in deployment.reason
    assert "ALARM" in deployment.reason
    with pytest.raises(SwapRolledBackError):
        deployment.require_promoted()


def test_a_rolled_back_update_deletes_nothing_that_serves(release: Release) -> None:
    good, bad = release.chapters["good"], release.chapters["bad"]

    live = good.deployment.endpoint_config_name
    assert bad.endpoint["EndpointConfigName"] == live
    assert bad.endpoint["FailureReason"] != ""
    assert {live, bad.deployment.rejected_endpoint_config_name} <= bad.config_names


def test_only_what_the_canary_answered_failed_in_the_bad_swap(release: Release) -> None:
    failures = release.chapters["bad"].during.failures

    assert set(failures) == {"ModelError (500)"}
    recorded = sum(
        fleet["errors_5xx"]
        for sample in release.samples_of(release.wine)
        for fleet in sample["fleets"]
        if fleet["endpoint_config_name"]
        == release.chapters["bad"].deployment.rejected_endpoint_config_name
    )
    assert recorded == failures.total()


def test_traffic_shares_always_sum_to_a_hundred_while_serving(release: Release) -> None:
    for sample in release.samples_of(release.wine):
        shares = [fleet["traffic_percent"] for fleet in sample["fleets"]]
        if sample["status"] in ("InService", "Updating"):
            assert sum(shares) == pytest.approx(100), sample


def test_the_canary_took_half_before_it_took_all(release: Release) -> None:
    target = release.chapters["good"].deployment.endpoint_config_name

    shares = [
        fleet["traffic_percent"]
        for sample in release.samples_of(release.wine)
        for fleet in sample["fleets"]
        if fleet["endpoint_config_name"] == target
    ]

    assert 50 in shares
    assert shares.index(50) < shares.index(100)


def test_the_alarm_tripped_in_the_bake_and_only_for_the_bad_model(release: Release) -> None:
    tripped = [
        event
        for event in release.record["events"]
        if event["kind"] == "alarm_state" and event["state"] == "ALARM"
        and event.get("endpoint_name") == release.wine.endpoint_name
        and "rollback" in event["alarm_name"]
    ]  # fmt: skip

    assert {event["alarm_name"].rsplit("-", 1)[0] for event in tripped} == {
        "wine-dev-rollback-5xx-errors"
    }


def test_each_swap_called_update_endpoint_once(release: Release) -> None:
    updates = [
        event["endpoint_config_name"]
        for event in release.record["events"]
        if event["kind"] == "api_call" and event["operation"] == "UpdateEndpoint"
    ]

    assert len(updates) == len(set(updates)) == 4


def test_a_base_stack_in_use_is_not_destroyed(release: Release) -> None:
    assert "dev-wine" in release.foundation_refused


def test_nothing_is_left_in_the_cloud(release: Release) -> None:
    assert release.inventory == []
    assert release.processes == []
