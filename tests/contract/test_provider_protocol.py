"""The provider's gRPC service as engines use it: configuration, failures, preview, invokes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from rehearsal.provider.registry import AWS, DOCKER
from rehearsal.provider.server import start_server
from rehearsal.provider.value import UNKNOWN, struct_from_values, values_from_struct
from tests.support.moto_cloud import CountingCloud, counting_cloud
from tests.support.provider_client import CheckFailedError, Client, FastClock, Held, urn

BUCKET = "aws:s3/bucket:Bucket"
REPOSITORY = "aws:ecr/repository:Repository"


@pytest.fixture(scope="module")
def cloud() -> Iterator[CountingCloud]:
    with counting_cloud() as running:
        yield running


@pytest.fixture(scope="module")
def port(cloud: CountingCloud) -> Iterator[int]:
    server, port = start_server(AWS, cloud.url, FastClock())
    yield port
    server.stop(None).wait()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    client = Client(port)
    yield client
    client.close()


def test_it_shakes_hands_as_a_provider_that_takes_plain_values(client: Client) -> None:
    answer = client.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="x"))

    assert not answer.accept_secrets
    assert not answer.accept_resources
    assert answer.supports_autonaming_configuration


@pytest.mark.parametrize(("package", "version"), [(AWS, "7.51.1"), (DOCKER, "5.2.0")])
def test_it_has_the_installed_packages_version(
    cloud: CountingCloud, package: Any, version: str
) -> None:
    server, port = start_server(package, cloud.url)
    client = Client(port)

    answer = client.stub.GetPluginInfo(empty_pb2.Empty())

    assert answer.version == version
    client.close()
    server.stop(None).wait()


def test_wrong_configuration_is_refused_by_name(client: Client) -> None:
    news = struct_from_values({"region": "eu-west-1", "profile": "mine", "regoin": "x"})

    answer = client.stub.CheckConfig(provider_pb2.CheckRequest(urn="u", news=news))

    assert {failure.property for failure in answer.failures} == {"profile", "regoin"}


def test_another_region_replaces_the_provider(client: Client) -> None:
    def a_diff(old: str, new: str) -> Any:
        return client.stub.DiffConfig(
            provider_pb2.DiffRequest(
                urn="u",
                old_inputs=struct_from_values({"region": old}),
                news=struct_from_values({"region": new}),
            )
        )

    assert list(a_diff("eu-west-1", "us-east-1").replaces) == ["region"]
    assert a_diff("eu-west-1", "eu-west-1").changes == provider_pb2.DiffResponse.DIFF_NONE


def test_default_tags_reach_every_taggable_resource(client: Client) -> None:
    client.configure(defaultTags='{"tags": {"team": "ml"}}')

    assert client.check(BUCKET, "b", {})["tagsAll"] == {"team": "ml"}


def test_default_and_ignored_tags_are_told_apart_from_a_resources_own(
    client: Client, cloud: CountingCloud
) -> None:
    token, inputs = "aws:sns/topic:Topic", {"name": "tagged", "tags": {"own": "1"}}
    client.configure(defaultTags='{"tags": {"team": "ml"}}', ignoreTags='{"keyPrefixes": ["sys:"]}')
    made = client.create(token, "t", inputs)
    sns = boto3.client("sns", endpoint_url=cloud.url)
    there = sns.list_tags_for_resource(ResourceArn=made.identifier)["Tags"]
    sns.tag_resource(ResourceArn=made.identifier, Tags=[{"Key": "sys:a", "Value": "1"}])

    undrifted = client.refresh(made)
    sns.tag_resource(ResourceArn=made.identifier, Tags=[{"Key": "theirs", "Value": "1"}])
    drifted = client.refresh(made)
    assert drifted is not None
    mended = client.update(drifted, inputs)

    assert {tag["Key"]: tag["Value"] for tag in there} == {"own": "1", "team": "ml"}
    assert made.outputs["tags"] == {"own": "1"}
    assert made.outputs["tagsAll"] == {"own": "1", "team": "ml"}
    assert undrifted == made
    assert drifted.outputs["tags"] == {"own": "1", "theirs": "1"}
    left = sns.list_tags_for_resource(ResourceArn=made.identifier)["Tags"]
    assert {tag["Key"] for tag in left} == {"own", "team", "sys:a"}
    client.delete(mended)


def test_a_new_default_tag_is_an_update_of_every_resource(client: Client) -> None:
    token, inputs = "aws:sns/topic:Topic", {"name": "later", "tags": {"own": "1"}}
    client.configure()
    made = client.create(token, "t", inputs)
    client.configure(defaultTags='{"tags": {"team": "ml"}}')

    answer = client.diff(made, client.check(token, "t", inputs, made.inputs))
    changed = client.update(made, inputs)

    assert set(answer.detailedDiff) == {"tagsAll.team"}
    assert list(answer.replaces) == []
    assert changed.outputs["tags"] == {"own": "1"}
    assert changed.outputs["tagsAll"] == {"own": "1", "team": "ml"}
    client.delete(changed)


def test_each_connection_has_its_own_configuration(cloud: CountingCloud) -> None:
    server, port = start_server(AWS, cloud.url)
    one, other = Client(port), Client(port)
    one.configure(defaultTags='{"tags": {"team": "one"}}')
    other.configure(defaultTags='{"tags": {"team": "other"}}')

    assert one.check(BUCKET, "b", {})["tagsAll"] == {"team": "one"}
    assert other.check(BUCKET, "b", {})["tagsAll"] == {"team": "other"}
    one.close()
    other.close()
    server.stop(None).wait()


def test_an_unknown_property_is_a_check_failure(client: Client) -> None:
    client.configure()

    with pytest.raises(CheckFailedError) as caught:
        client.check(BUCKET, "b", {"buckett": "x"})

    assert set(caught.value.args[0]) == {"buckett"}


def test_an_unknown_type_is_refused_with_those_there_are(client: Client) -> None:
    client.configure()

    with pytest.raises(grpc.RpcError) as caught:
        client.check("aws:ec2/instance:Instance", "i", {})

    assert "'aws:ec2/instance:Instance' is not in the rehearsal's aws provider" in details(caught)
    assert BUCKET in details(caught)


def test_a_missing_region_is_named(cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    server, port = start_server(AWS, cloud.url)
    client = Client(port)

    with pytest.raises(grpc.RpcError) as caught:
        client.create(BUCKET, "b", {})

    assert "missing region: give aws:region" in details(caught)
    client.close()
    server.stop(None).wait()


def test_a_services_error_reaches_the_engine_in_its_own_words(client: Client) -> None:
    client.configure()
    held = client.create(REPOSITORY, "one", {"name": "taken"})

    with pytest.raises(grpc.RpcError) as caught:
        client.create(REPOSITORY, "two", {"name": "taken"})

    assert "operation error ECR: CreateRepository" in details(caught)
    assert "RepositoryAlreadyExistsException" in details(caught)
    client.delete(held)


def test_a_resource_left_half_made_says_that_it_exists(client: Client) -> None:
    client.configure()

    with pytest.raises(grpc.RpcError) as caught:
        client.create(BUCKET, "b", {"bucket": "half", "tags": {"aws:reserved": "x"}})

    detail = partial_detail(caught)
    assert detail.id == "half"
    assert "setting S3 Bucket (half) tags" in detail.reasons[0]
    assert values_from_struct(detail.properties)["bucket"] == "half"


def test_unknown_inputs_pass_through_a_preview(client: Client, cloud: CountingCloud) -> None:
    client.configure()
    before = list(cloud.calls)
    token = "aws:s3/bucketVersioning:BucketVersioning"
    news = {"bucket": UNKNOWN, "versioningConfiguration": {"status": "Enabled"}}

    outputs = client.preview_create(token, "v", news)

    assert outputs["bucket"] is UNKNOWN
    assert cloud.calls == before


def test_ignored_changes_are_neither_a_difference_nor_made(client: Client) -> None:
    client.configure()
    held = client.create("aws:sns/topic:Topic", "t", {"name": "t", "displayName": "old"})
    news = {"name": "t", "displayName": "old", "tags": {"a": "1"}}
    drifted = Held(
        token=held.token,
        name=held.name,
        identifier=held.identifier,
        inputs=held.inputs,
        outputs={**held.outputs, "displayName": "set by hand"},
    )

    answer = client.diff(
        drifted, client.check(held.token, "t", news, held.inputs), ("displayName",)
    )

    assert list(answer.diffs) == ["tags", "tagsAll"]
    client.delete(held)


def test_cancelling_when_nothing_runs_does_no_harm(client: Client) -> None:
    client.configure()

    client.stub.Cancel(empty_pb2.Empty())

    held = client.create(BUCKET, "b", {})
    client.delete(held)


def test_invokes_answer_as_the_real_data_sources(client: Client) -> None:
    client.configure()

    identity = client.invoke("aws:index/getCallerIdentity:getCallerIdentity")
    region = client.invoke("aws:index/getRegion:getRegion")
    partition = client.invoke("aws:index/getPartition:getPartition")
    token = client.invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken")

    assert identity["accountId"] == "123456789012"
    assert region["region"] == "eu-west-1"
    assert partition["partition"] == "aws"
    assert token["userName"] == "AWS"
    assert token["password"]


def test_an_invokes_unknown_argument_is_refused(client: Client) -> None:
    client.configure()

    with pytest.raises(CheckFailedError) as caught:
        client.invoke("aws:index/getRegion:getRegion", zone="a")

    assert set(caught.value.args[0]) == {"zone"}


def test_an_unknown_invoke_is_refused(client: Client) -> None:
    client.configure()

    with pytest.raises(grpc.RpcError) as caught:
        client.invoke("aws:ec2/getAmi:getAmi")

    assert "'aws:ec2/getAmi:getAmi' is not in the rehearsal's aws provider" in details(caught)


def test_a_name_once_automatic_is_kept_and_a_replacement_gets_another(client: Client) -> None:
    client.configure()
    first = client.check(BUCKET, "b", {})

    kept = client.check(BUCKET, "b", {"tags": {"a": "1"}}, first)
    answer = client.stub.Check(
        provider_pb2.CheckRequest(
            urn=urn(BUCKET, "b"), news=struct_from_values({}), randomSeed=b"another run"
        )
    )

    assert kept["bucket"] == first["bucket"]
    assert values_from_struct(answer.inputs)["bucket"] != first["bucket"]


def details(caught: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    text: str = caught.value.details()
    return text


def partial_detail(caught: pytest.ExceptionInfo[grpc.RpcError]) -> Any:
    """The ErrorResourceInitFailed in a status, found as the engine finds it."""
    trailing = caught.value.trailing_metadata()
    (packed,) = [item.value for item in trailing if item.key == "grpc-status-details-bin"]
    (detail,) = status_pb2.Status.FromString(packed).details
    found = provider_pb2.ErrorResourceInitFailed()
    assert detail.Unpack(found)
    return found
