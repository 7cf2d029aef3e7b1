"""The endpoint resource and the defects that make `EndpointSwap` necessary."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.provider import lifecycle
from rehearsal.provider.diff import diff
from rehearsal.provider.entry import ProviderError
from rehearsal.provider.lifecycle import PartialError, Update
from rehearsal.provider.registry import AWS
from tests.support.scripted_aws import Answer, ScriptedAws, an_error

ENDPOINT = AWS.types["aws:sagemaker/endpoint:Endpoint"]
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/wine"
ROLE_INVALID = (
    'The execution role ARN "r" is invalid. Please ensure that the role exists and that its trust '
    'relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com"'
)
NOT_FOUND = an_error("ValidationException", f'Could not find endpoint "{ARN}".')


def described(status: str, config: str = "old", **members: Any) -> Answer:
    return {
        "EndpointName": "wine",
        "EndpointArn": ARN,
        "EndpointStatus": status,
        "EndpointConfigName": config,
        **members,
    }


def an_update(**news: Any) -> Update:
    """From config `old` to config `new`."""
    old = {"name": "wine", "endpointConfigName": "old"}
    return Update(
        identifier="wine",
        state={**old, "arn": ARN},
        old_inputs=old,
        news={"name": "wine", "endpointConfigName": "new", **news},
    )


def test_a_create_waits_until_the_endpoint_is_in_service() -> None:
    statuses = [described("Creating"), described("Creating"), described("InService", "c")]
    aws = ScriptedAws({"DescribeEndpoint": statuses})

    made = lifecycle.create(ENDPOINT, aws, {"name": "wine", "endpointConfigName": "c"})

    assert made.identifier == "wine"
    assert made.outputs["arn"] == ARN
    assert aws.times("DescribeEndpoint") == 4


@pytest.mark.source("terraform-provider-aws sagemaker/endpoint.go, resourceEndpointCreate")
def test_a_failed_create_leaves_the_endpoint_in_the_cloud_and_out_of_the_state() -> None:
    statuses = [described("Creating"), described("Failed", FailureReason="ping failed")]
    aws = ScriptedAws({"DescribeEndpoint": statuses})

    with pytest.raises(ProviderError, match="last error: ping failed") as caught:
        lifecycle.create(ENDPOINT, aws, {"name": "wine", "endpointConfigName": "c"})

    assert not isinstance(caught.value, PartialError)
    assert aws.times("DeleteEndpoint") == 0


@pytest.mark.source("terraform-provider-aws issue 48990; endpoint.go, resourceEndpointUpdate")
def test_an_update_sends_neither_retained_properties_nor_anything_else_of_its_own() -> None:
    aws = ScriptedAws({"DescribeEndpoint": [described("InService", "new")]})

    lifecycle.update(ENDPOINT, aws, an_update())

    assert aws.members_of("UpdateEndpoint") == {
        "EndpointName": "wine",
        "EndpointConfigName": "new",
    }


@pytest.mark.source("terraform-provider-aws issues 39099, 46663, 48997")
def test_an_update_that_sagemaker_rolled_back_counts_as_a_success() -> None:
    statuses = [described("Updating"), described("InService", FailureReason="alarm tripped")]
    aws = ScriptedAws({"DescribeEndpoint": statuses})

    outputs = lifecycle.update(ENDPOINT, aws, an_update())

    # The state then says `old`, so the next update finds a difference and tries again.
    assert outputs["endpointConfigName"] == "old"


@pytest.mark.source("terraform-provider-aws sagemaker/wait.go; pull request 49020")
@pytest.mark.parametrize("status", ["RollingBack", "UpdateRollbackFailed", "Failed"])
def test_an_update_fails_only_when_a_poll_happens_to_see_the_rollback(status: str) -> None:
    aws = ScriptedAws({"DescribeEndpoint": [described("Updating"), described(status)]})

    with pytest.raises(PartialError, match=f"unexpected state '{status}'"):
        lifecycle.update(ENDPOINT, aws, an_update())


@pytest.mark.assumed("Terraform SDK keeps the planned state of a failed update; not seen on AWS")
def test_a_failed_update_leaves_the_new_values_in_the_state() -> None:
    aws = ScriptedAws({"UpdateEndpoint": [an_error("ValidationException", "in progress")]})

    with pytest.raises(PartialError, match=r"updating SageMaker AI Endpoint \(wine\)") as caught:
        lifecycle.update(ENDPOINT, aws, an_update())

    assert caught.value.identifier == "wine"
    assert caught.value.properties["endpointConfigName"] == "new"


@pytest.mark.source("terraform-provider-aws sagemaker/wait.go")
def test_the_wait_ends_after_an_hour_whatever_the_deployment_may_take() -> None:
    aws = ScriptedAws({"DescribeEndpoint": [described("Updating")]})

    with pytest.raises(PartialError, match="timeout: 1h0m0s"):
        lifecycle.update(ENDPOINT, aws, an_update())


def test_an_update_of_tags_alone_moves_nothing() -> None:
    aws = ScriptedAws({"DescribeEndpoint": [described("InService")]})
    wanted = an_update(endpointConfigName="old", tags={"a": "1"})

    lifecycle.update(ENDPOINT, aws, wanted)

    assert aws.times("UpdateEndpoint") == 0
    assert aws.members_of("AddTags")["Tags"] == [{"Key": "a", "Value": "1"}]


@pytest.mark.source("terraform-provider-aws sagemaker/endpoint.go, findEndpointByName")
def test_a_delete_is_done_as_soon_as_the_endpoint_is_being_deleted() -> None:
    aws = ScriptedAws({"DescribeEndpoint": [described("Deleting")]})

    lifecycle.delete(ENDPOINT, aws, "wine", {})

    assert aws.times("DescribeEndpoint") == 1


@pytest.mark.source("terraform-provider-aws sagemaker/endpoint.go, resourceEndpointCreate")
def test_a_create_deletes_and_repeats_while_the_role_is_not_known_yet() -> None:
    refused = described("Failed", FailureReason=ROLE_INVALID)
    statuses = [refused, described("Deleting"), described("Creating"), described("InService", "c")]
    aws = ScriptedAws({"DescribeEndpoint": statuses})

    made = lifecycle.create(ENDPOINT, aws, {"name": "wine", "endpointConfigName": "c"})

    assert made.identifier == "wine"
    assert (aws.times("CreateEndpoint"), aws.times("DeleteEndpoint")) == (2, 1)


@pytest.mark.source("terraform-provider-aws sagemaker/endpoint.go, resourceEndpointCreate")
def test_a_repeated_create_may_find_the_name_still_taken() -> None:
    taken = an_error("ValidationException", f'Cannot create already existing endpoint "{ARN}".')
    statuses = [described("Failed", FailureReason=ROLE_INVALID), described("Deleting")]
    aws = ScriptedAws({"DescribeEndpoint": statuses, "CreateEndpoint": [{}, taken]})

    with pytest.raises(ProviderError, match=r"creating SageMaker AI Endpoint \(wine\).*existing"):
        lifecycle.create(ENDPOINT, aws, {"name": "wine", "endpointConfigName": "c"})


@pytest.mark.source("terraform-provider-aws sagemaker/endpoint.go, resourceEndpointCreate")
def test_a_role_that_is_never_trusted_fails_the_create_after_two_minutes() -> None:
    refused = described("Failed", FailureReason=ROLE_INVALID)
    aws = ScriptedAws({"DescribeEndpoint": [refused, described("Deleting")] * 40})

    with pytest.raises(ProviderError, match=r"^unexpected state 'Failed'.*sts:AssumeRole"):
        lifecycle.create(ENDPOINT, aws, {"name": "wine", "endpointConfigName": "c"})

    # The clock of these tests moves on by ten seconds at each pause.
    assert aws.times("CreateEndpoint") == aws.times("DeleteEndpoint") == 13


@pytest.mark.source("Terraform plugin SDK retry/state.go, NotFoundChecks")
def test_an_endpoint_that_goes_away_during_an_update_is_missed_after_twenty_polls() -> None:
    aws = ScriptedAws({"DescribeEndpoint": [described("Updating"), NOT_FOUND]})

    with pytest.raises(PartialError, match=r"update: couldn't find resource \(21 retries\)"):
        lifecycle.update(ENDPOINT, aws, an_update())


@pytest.mark.source("terraform-provider-aws sagemaker/endpoint.go, auto_rollback_configuration")
def test_an_edit_of_the_rollback_alarms_replaces_the_endpoint() -> None:
    old = {"deploymentConfig": {"autoRollbackConfiguration": {"alarms": [{"alarmName": "a"}]}}}
    new = {"deploymentConfig": {"autoRollbackConfiguration": {"alarms": [{"alarmName": "b"}]}}}

    difference = diff(ENDPOINT, old_inputs=old, old_outputs=old, news=new)

    assert difference.replaces


def test_deleting_what_is_gone_is_a_success() -> None:
    aws = ScriptedAws({"DeleteEndpoint": [NOT_FOUND]})

    lifecycle.delete(ENDPOINT, aws, "wine", {})

    assert aws.times("DescribeEndpoint") == 0


def test_deleting_an_endpoint_in_progress_is_an_error() -> None:
    busy = an_error("ValidationException", f'Cannot update in-progress endpoint "{ARN}".')

    with pytest.raises(ProviderError, match=r"deleting SageMaker AI Endpoint \(wine\).*progress"):
        lifecycle.delete(ENDPOINT, ScriptedAws({"DeleteEndpoint": [busy]}), "wine", {})


@pytest.mark.parametrize("answer", [NOT_FOUND, described("Deleting")])
def test_a_refresh_takes_a_missing_or_deleting_endpoint_for_gone(answer: Answer) -> None:
    aws = ScriptedAws({"DescribeEndpoint": [answer]})

    assert lifecycle.read(ENDPOINT, aws, "wine", {"name": "wine"}, {}).identifier == ""


def test_the_deployment_is_sent_in_sagemakers_words_and_read_back_in_pulumis() -> None:
    routing = {"type": "CANARY", "waitIntervalInSeconds": 120}
    sizes = {"canarySize": {"type": "INSTANCE_COUNT", "value": 1}}
    deployment = {
        "blueGreenUpdatePolicy": {
            "terminationWaitInSeconds": 0,
            "trafficRoutingConfiguration": {**routing, **sizes},
        },
        "autoRollbackConfiguration": {"alarms": [{"alarmName": "errors"}]},
    }
    sent = {
        "BlueGreenUpdatePolicy": {
            "TerminationWaitInSeconds": 0,
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "WaitIntervalInSeconds": 120,
                "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            },
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }
    answer = described("InService", "new", LastDeploymentConfig=sent)
    aws = ScriptedAws({"DescribeEndpoint": [answer]})

    outputs = lifecycle.update(ENDPOINT, aws, an_update(deploymentConfig=deployment))

    assert aws.members_of("UpdateEndpoint")["DeploymentConfig"] == sent
    assert outputs["deploymentConfig"] == deployment
