"""Every AWS type through create, preview, refresh, import, update and delete, against moto."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.provider.registry import AWS
from rehearsal.provider.schema import read_schema
from rehearsal.provider.server import start_server
from rehearsal.provider.value import UNKNOWN
from tests.support.moto_cloud import CountingCloud, counting_cloud
from tests.support.provider_cases import BUCKET, CASES, READING, TRUST, Case
from tests.support.provider_client import Client, FastClock


def name_of(case: Case) -> str:
    return case.token.rpartition(":")[2]


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
    client.configure()
    yield client
    client.close()


@pytest.fixture(params=CASES, ids=name_of)
def case(request: pytest.FixtureRequest, client: Client) -> Iterator[Case]:
    """A case whose needs are there, and gone after."""
    found: Case = request.param
    needed = [client.create(token, name, inputs) for name, token, inputs in found.needs]
    yield found
    for held in reversed(needed):
        client.delete(held)


def changed_paths(answer: Any) -> set[str]:
    return set(answer.detailedDiff)


def test_a_resource_lives_as_with_the_real_provider(client: Client, case: Case) -> None:
    made = client.create(case.token, "logical", case.inputs)
    assert made.identifier
    assert made.outputs.keys() <= read_schema(AWS.types[case.token].schema).outputs

    same = client.diff(made, client.check(case.token, "logical", case.inputs, made.inputs))
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE, changed_paths(same)

    refreshed = client.refresh(made)
    assert refreshed == made

    wanted = {**case.inputs, **case.updated}
    differs = client.diff(made, client.check(case.token, "logical", wanted, made.inputs))
    also = {"tagsAll"} if "tags" in case.updated else set()
    assert set(differs.diffs) == set(case.updated) | also
    assert list(differs.replaces) == []

    changed = client.update(made, wanted)
    assert {name: changed.outputs[name] for name in case.read_back} == case.read_back
    settled = client.diff(changed, client.check(case.token, "logical", wanted, changed.inputs))
    assert changed_paths(settled) == set()
    assert client.refresh(changed) == changed

    client.delete(changed)
    assert case.stays or client.refresh(changed) is None
    client.delete(changed)


def test_an_imported_resource_needs_no_change(client: Client, case: Case) -> None:
    made = client.create(case.token, "logical", case.inputs)

    imported = client.read(case.token, "logical", case.import_id(made))

    assert imported is not None
    inputs = client.check(case.token, "logical", case.inputs, imported.inputs)
    differs = client.diff(imported, inputs)
    assert set(differs.diffs) == case.imports_as
    client.delete(made)


def test_a_preview_calls_nothing_and_leaves_unknown_what_only_aws_knows(
    client: Client, cloud: CountingCloud, case: Case
) -> None:
    before = list(cloud.calls)
    entry = AWS.types[case.token]

    outputs = client.preview_create(case.token, "logical", case.inputs)

    assert cloud.calls == before
    unknown = {name for name, value in outputs.items() if value is UNKNOWN}
    known = case.inputs.keys() | {"tagsAll", "region"} | set(entry.defaults)
    assert not unknown & known
    assert outputs.keys() == read_schema(entry.schema).outputs


def test_a_previewed_update_calls_nothing(client: Client, cloud: CountingCloud, case: Case) -> None:
    made = client.create(case.token, "logical", case.inputs)
    before = list(cloud.calls)

    previewed = client.update(made, {**case.inputs, **case.updated}, preview=True)

    assert cloud.calls == before
    shown: Mapping[str, Any] = {
        name: value for name, value in previewed.outputs.items() if name in case.updated
    }
    assert shown == case.updated
    client.delete(made)


def test_managed_policies_are_attached_and_detached(client: Client, cloud: CountingCloud) -> None:
    iam = boto3.client("iam", endpoint_url=cloud.url)
    arns = [
        iam.create_policy(PolicyName=name, PolicyDocument=READING)["Policy"]["Arn"]
        for name in ("one", "other")
    ]
    role = {"assumeRolePolicy": TRUST}
    made = client.create("aws:iam/role:Role", "r", {**role, "managedPolicyArns": arns[:1]})

    changed = client.update(made, {**role, "managedPolicyArns": arns[1:]})

    assert made.outputs["managedPolicyArns"] == arns[:1]
    assert changed.outputs["managedPolicyArns"] == arns[1:]
    client.delete(changed)


def test_a_bucket_with_objects_is_deleted_only_by_force(client: Client) -> None:
    kept = client.create(BUCKET, "kept", {"bucket": "kept", "forceDestroy": False})
    token = "aws:s3/bucketObjectv2:BucketObjectv2"
    client.create(token, "models/a", {"bucket": "kept", "content": "a"})

    with pytest.raises(grpc.RpcError) as caught:
        client.delete(kept)
    forced = client.update(kept, {"bucket": "kept", "forceDestroy": True})
    client.delete(forced)

    assert "BucketNotEmpty" in caught.value.details()
    assert client.refresh(forced) is None


def test_a_drift_is_seen_by_a_refresh_and_set_right_by_an_update(
    client: Client, cloud: CountingCloud
) -> None:
    token, inputs = "aws:sns/topic:Topic", {"name": "drift", "displayName": "ours"}
    made = client.create(token, "t", inputs)
    boto3.client("sns", endpoint_url=cloud.url).set_topic_attributes(
        TopicArn=made.identifier, AttributeName="DisplayName", AttributeValue="theirs"
    )

    drifted = client.refresh(made)
    assert drifted is not None
    differs = client.diff(drifted, client.check(token, "t", inputs, drifted.inputs))
    mended = client.update(drifted, inputs)

    assert drifted.outputs["displayName"] == drifted.inputs["displayName"] == "theirs"
    assert list(differs.diffs) == ["displayName"]
    assert mended.outputs["displayName"] == "ours"
    client.delete(mended)


def test_every_type_is_covered() -> None:
    assert {case.token for case in CASES} == set(AWS.types)
