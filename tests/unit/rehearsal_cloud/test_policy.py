"""IAM's evaluation within one account: allows, denies, boundaries, resources' own policies."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.identity.conditions import Context
from rehearsal.cloud.identity.policy import Policies, Request, is_allowed, trusts

SOURCE = "IAM User Guide, Policy evaluation logic for requests within a single account"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/execution"
OBJECT = "arn:aws:s3:::artifacts/models/v1/model.tar.gz"
REQUEST = Request(action="s3:GetObject", resource=OBJECT, role_arn=ROLE)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(**more: Any) -> dict[str, Any]:
    return {**allow(), "Effect": "Deny", **more}


def by_identity(*statements: dict[str, Any], **more: Any) -> Policies:
    return Policies(identity=(document(*statements),), **more)


@pytest.mark.source(SOURCE)
@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        (allow(), True),
        (allow(action=["logs:*", "S3:getobject"]), True),
        (allow(action="s3:Get*", resource="arn:aws:s3:::artifacts/models/*"), True),
        (allow(action="*", resource="*"), True),
        (allow(action="s3:PutObject"), False),
        (allow(resource="arn:aws:s3:::artifacts"), False),
        (allow(resource="arn:aws:s3:::Artifacts/*"), False),
        (allow(resource=["arn:aws:s3:::other/*", OBJECT]), True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::artifacts/*"}, False),
    ],
)
def test_an_identity_policy_allows_what_it_names(statement: dict[str, Any], verdict: bool) -> None:
    assert is_allowed(REQUEST, by_identity(statement)) is verdict


@pytest.mark.source(SOURCE)
def test_nothing_is_allowed_without_a_policy() -> None:
    assert not is_allowed(REQUEST, Policies(identity=()))


@pytest.mark.source(SOURCE)
def test_a_deny_wins_over_every_allow() -> None:
    assert not is_allowed(REQUEST, by_identity(allow(), deny()))
    assert not is_allowed(REQUEST, by_identity(allow(), deny(Action="s3:*", Resource="*")))
    assert is_allowed(REQUEST, by_identity(allow(), deny(Resource="arn:aws:s3:::other/*")))


@pytest.mark.source(SOURCE)
def test_a_boundary_allows_nothing_by_itself_and_limits_everything() -> None:
    assert not is_allowed(REQUEST, Policies(identity=(), boundary=document(allow())))
    assert is_allowed(REQUEST, by_identity(allow(), boundary=document(allow())))
    assert not is_allowed(REQUEST, by_identity(allow(), boundary=document(allow("logs:*", "*"))))


@pytest.mark.source(SOURCE)
@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": [ROLE]}, True),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/execution/SageMaker"}, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, False),
        ({"AWS": "arn:aws:iam::999999999999:role/execution"}, False),
        ({"Service": "sagemaker.amazonaws.com"}, False),
    ],
)
def test_a_resources_policy_allows_the_role_it_names(principal: Any, verdict: bool) -> None:
    policies = Policies(identity=(), resource=document(allow(Principal=principal)))

    assert is_allowed(REQUEST, policies) is verdict


@pytest.mark.source(SOURCE)
def test_a_resources_policy_denies_the_role_its_account_and_who_is_not_excepted() -> None:
    def with_resource(**principal: Any) -> Policies:
        return by_identity(allow(), resource=document(deny(**principal)))

    assert not is_allowed(REQUEST, with_resource(Principal="*"))
    assert not is_allowed(REQUEST, with_resource(Principal={"AWS": ACCOUNT}))
    assert not is_allowed(REQUEST, with_resource(NotPrincipal={"AWS": "arn:aws:iam::1:root"}))
    assert is_allowed(REQUEST, with_resource(NotPrincipal={"AWS": ROLE}))


@pytest.mark.source("KMS Developer Guide, Default key policy")
def test_a_keys_policy_decides_whether_identity_policies_count() -> None:
    of_account = document(allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    of_other = document(allow(Principal={"AWS": "arn:aws:iam::999999999999:root"}))

    assert is_allowed(REQUEST, by_identity(allow(), resource=of_account, resource_decides=True))
    assert not is_allowed(REQUEST, by_identity(allow(), resource=of_other, resource_decides=True))
    assert not is_allowed(
        REQUEST, Policies(identity=(), resource=of_account, resource_decides=True)
    )


def test_what_a_condition_asks_and_nobody_knows_is_taken_in_favour_of_the_role() -> None:
    unknown = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}

    assert is_allowed(REQUEST, by_identity(allow(Condition=unknown)))
    assert is_allowed(REQUEST, by_identity(allow(), deny(Condition=unknown)))
    assert is_allowed(REQUEST, by_identity(allow(resource="arn:aws:s3:::${aws:userid}/*")))


def test_a_condition_that_fails_takes_the_statement_away() -> None:
    request = Request(
        action="s3:GetObject",
        resource=OBJECT,
        role_arn=ROLE,
        context=Context(values={"aws:securetransport": ("true",)}),
    )
    plain = {"Bool": {"aws:SecureTransport": "false"}}

    assert not is_allowed(request, by_identity(allow(Condition=plain)))
    assert is_allowed(request, by_identity(allow(), deny(Condition=plain)))


@pytest.mark.source("IAM User Guide, AWS JSON policy elements: Principal")
@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}}, True),
        ({"Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, False),
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}, "Effect": "Deny"}, False),
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:TagSession"}, False),
        (
            {
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}},
            },
            False,
        ),
        (
            {
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                    "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:*"},
                },
            },
            True,
        ),
    ],
)
def test_a_trust_policy_must_let_the_service_assume_the_role(
    statement: dict[str, Any], verdict: bool
) -> None:
    policy = document({"Effect": "Allow", "Action": "sts:AssumeRole", **statement})
    context = Context(values={"aws:sourceaccount": (ACCOUNT,)})

    assert trusts(policy, "sagemaker.amazonaws.com", context) is verdict
