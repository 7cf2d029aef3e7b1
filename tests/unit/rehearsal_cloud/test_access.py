"""What a role may do, from the policies and resources moto holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.cloud.identity.access import Access
from rehearsal.cloud.identity.managed import install_managed_policies
from rehearsal.cloud.services import backend, reset_backends

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/execution"
ACCESS = Access(account_id=ACCOUNT, region=REGION)
GUIDE = "SageMaker Developer Guide, How to use SageMaker AI execution roles"


@pytest.fixture(autouse=True)
def _a_role_without_policies() -> Iterator[None]:
    reset_backends()
    install_managed_policies(service("iam"))
    trust = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "x"}}]
    service("iam").create_role(
        role_name="execution",
        assume_role_policy_document=policy(*trust),
        path="/",
        permissions_boundary=None,
        description="",
        tags=[],
        max_session_duration=3600,
    )
    yield
    reset_backends()


def service(name: str) -> Any:
    return backend(name, ACCOUNT, REGION)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def grant(action: Any, resource: Any, **more: Any) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    name = f"p{len(service('iam').get_role('execution').policies)}"
    service("iam").put_role_policy("execution", name, policy(statement))


def a_bucket(region: str = REGION, **encryption: str) -> None:
    service("s3").create_bucket("artifacts", region)
    service("s3").put_object("artifacts", "model.tar.gz", b"x", **encryption)


def test_a_role_that_is_not_there_or_trusts_another_is_named() -> None:
    assert ACCESS.trust_problem(ROLE + "2") == f"role {ROLE}2 does not exist"
    assert ACCESS.trust_problem(ROLE) == f"role {ROLE} does not trust sagemaker.amazonaws.com"
    assert not ACCESS.may(ROLE + "2", "s3:GetObject", "*")


@pytest.mark.source(GUIDE)
def test_an_artifact_is_read_with_permission_and_in_its_own_region() -> None:
    a_bucket()

    assert not ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    grant("s3:GetObject", "arn:aws:s3:::artifacts/*")
    assert ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    assert not ACCESS.may_read(ROLE, "nowhere", "model.tar.gz")
    abroad = Access(account_id=ACCOUNT, region="us-east-1")
    assert not abroad.may_read(ROLE, "artifacts", "model.tar.gz")


@pytest.mark.source(GUIDE)
def test_the_managed_policy_reads_only_buckets_and_objects_called_sagemaker() -> None:
    a_bucket()
    service("s3").create_bucket("sagemaker-eu-west-1", REGION)
    full = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"

    service("iam").attach_role_policy(full, "execution")

    assert ACCESS.may_read(ROLE, "sagemaker-eu-west-1", "model.tar.gz")
    assert not ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    stored = service("s3").get_object("artifacts", "model.tar.gz")
    service("s3").put_object_tagging(stored, {"SageMaker": "true"})
    assert ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")


def test_a_bucket_policy_can_allow_and_deny() -> None:
    a_bucket()
    statement = {"Action": "s3:*", "Resource": "arn:aws:s3:::artifacts/*"}
    bucket = service("s3").buckets["artifacts"]

    bucket.policy = policy({**statement, "Effect": "Allow", "Principal": {"AWS": ROLE}}).encode()
    assert ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    assert ACCESS.may_write(ROLE, "artifacts", "out/1")
    assert not ACCESS.may_list(ROLE, "artifacts")
    grant("s3:*", "*")
    bucket.policy = policy({**statement, "Effect": "Deny", "Principal": "*"}).encode()
    assert not ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    assert ACCESS.may_list(ROLE, "artifacts", "models/")


def test_a_boundary_takes_permissions_away() -> None:
    a_bucket()
    grant("s3:GetObject", "*")
    role = service("iam").get_role("execution")

    role.permissions_boundary_arn = "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"
    assert not ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    role.permissions_boundary_arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    assert ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")
    role.permissions_boundary_arn = f"arn:aws:iam::{ACCOUNT}:policy/gone"
    assert not ACCESS.may_read(ROLE, "artifacts", "model.tar.gz")


def test_an_encrypted_object_needs_its_key() -> None:
    key = service("kms").create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
    a_bucket(encryption="aws:kms", kms_key_id=key.arn)

    assert not ACCESS.may_decrypt(ROLE, "artifacts", "model.tar.gz")
    grant("kms:Decrypt", key.arn, Condition={"StringLike": {"kms:ViaService": "s3.*"}})
    assert ACCESS.may_decrypt(ROLE, "artifacts", "model.tar.gz")
    key.key_state = "PendingDeletion"
    assert not ACCESS.may_decrypt(ROLE, "artifacts", "model.tar.gz")
    service("s3").put_object("artifacts", "plain", b"x")
    assert ACCESS.may_decrypt(ROLE, "artifacts", "plain")


def test_a_bucket_that_encrypts_with_a_key_takes_nothing_without_it() -> None:
    key = service("kms").create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
    a_bucket()
    grant("s3:PutObject", "*")
    assert ACCESS.may_write(ROLE, "artifacts", "out/1")

    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key.arn}
    bucket = service("s3").buckets["artifacts"]
    bucket.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": default}}
    assert not ACCESS.may_write(ROLE, "artifacts", "out/1")
    grant("kms:GenerateDataKey", key.arn)
    assert ACCESS.may_write(ROLE, "artifacts", "out/1")
    assert not ACCESS.may_write(ROLE, "artifacts", "out/1", "alias/none")


def test_a_key_is_found_by_id_arn_and_alias_or_not_at_all() -> None:
    key = service("kms").create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
    service("kms").create_alias(key.id, "alias/models")

    for name in (key.id, key.arn, "alias/models"):
        found = ACCESS.key(name)
        assert found is not None
        assert found.id == key.id
    assert ACCESS.key("alias/none") is None
    assert ACCESS.key("00000000-0000-0000-0000-000000000000") is None


@pytest.mark.source(GUIDE)
def test_pulling_needs_the_token_and_the_layers() -> None:
    arn = service("ecr").create_repository("servers", None, None, None, None, None).arn

    grant(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], arn)
    assert not ACCESS.may_pull(ROLE, "servers")
    grant("ecr:GetAuthorizationToken", "*")
    assert ACCESS.may_pull(ROLE, "servers")
    assert not ACCESS.may_pull(ROLE, "others")
    assert not ACCESS.may_pull(ROLE, "servers", account_id="683313688378")


def test_a_topic_needs_to_be_there_and_to_be_published_to() -> None:
    topic = service("sns").create_topic("failures").arn

    # The topic's default policy is for its owner's own credentials, not for every role.
    assert not ACCESS.may_publish(ROLE, topic)
    grant("sns:Publish", topic)
    assert ACCESS.may_publish(ROLE, topic)
    assert not ACCESS.may_publish(ROLE, topic + "2")


def test_an_alarm_is_described_by_its_own_arn() -> None:
    grant("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors-*")

    assert ACCESS.may_describe_alarm(ROLE, "errors-dev")
    assert not ACCESS.may_describe_alarm(ROLE, "latency-dev")
