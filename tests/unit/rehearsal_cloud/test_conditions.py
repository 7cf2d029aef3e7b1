"""Conditions of policy statements: what holds, what doesn't, what nobody here can know."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.identity.conditions import Context, conditions_hold, matches, resolved

SOURCE = "IAM User Guide, Condition operators"
CONTEXT = Context(
    values={
        "aws:principalaccount": ("111122223333",),
        "aws:securetransport": ("true",),
        "s3:prefix": ("models/v1",),
        "s3:max-keys": ("10",),
        "aws:tagkeys": ("Stage", "Team"),
        "aws:principalarn": ("arn:aws:iam::111122223333:role/execution",),
    },
    complete=("aws:principaltag/",),
)


@pytest.mark.source(SOURCE)
@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": "111122223333"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": ["1", "111122223333"]}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "1*"}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": ["1", "111122223333"]}}, False),
        ({"StringLike": {"s3:prefix": "models/*"}}, True),
        ({"StringNotLike": {"s3:prefix": "models/*"}}, False),
        ({"StringEqualsIgnoreCase": {"s3:prefix": "MODELS/V1"}}, True),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, True),
        ({"NumericGreaterThan": {"s3:max-keys": "10"}}, False),
        ({"NumericEquals": {"s3:max-keys": "ten"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/exec*"}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["Team"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, False),
        ({"StringEquals": {"aws:PrincipalTag/team": "ml"}}, False),
        ({"StringEqualsIfExists": {"aws:PrincipalTag/team": "ml"}}, True),
        ({"StringNotEquals": {"aws:PrincipalTag/team": "ml"}}, True),
        ({"ForAllValues:StringEquals": {"aws:PrincipalTag/team": "ml"}}, True),
        ({"Null": {"aws:PrincipalTag/team": "true"}}, True),
        ({"Null": {"aws:PrincipalAccount": "true"}}, False),
    ],
)
def test_a_condition_on_what_is_known_holds_or_not(
    condition: dict[str, Any], verdict: bool
) -> None:
    assert conditions_hold(condition, CONTEXT) is verdict


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
        {"Null": {"aws:SourceVpce": "true"}},
        {"IpAddress": {"aws:PrincipalAccount": "10.0.0.0/8"}},
        {"StringEquals": {"s3:prefix": "home/${aws:userid}"}},
    ],
)
def test_a_condition_on_what_nobody_here_knows_is_unknown(condition: dict[str, Any]) -> None:
    assert conditions_hold(condition, CONTEXT) is None


def test_one_condition_that_fails_decides_whatever_else_is_unknown() -> None:
    condition = {
        "StringEquals": {"aws:SourceVpce": "vpce-1", "aws:PrincipalAccount": "999999999999"}
    }

    assert conditions_hold(condition, CONTEXT) is False


@pytest.mark.source("IAM User Guide, Policy variables")
def test_variables_are_filled_in_from_the_request() -> None:
    assert resolved("a/${aws:PrincipalAccount}/b", CONTEXT) == "a/111122223333/b"
    assert resolved("a/${aws:PrincipalTag/team, 'none'}", CONTEXT) == "a/none"
    assert resolved("${$}{x}", CONTEXT) == "${x}"
    assert resolved("a/${aws:userid}", CONTEXT) is None


def test_only_star_and_question_mark_are_wildcards() -> None:
    assert matches("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b\nc")
    assert matches("v?", "v1")
    assert not matches("v?", "v10")
    assert not matches("a.c", "abc")
    assert matches("s3:get*", "s3:GetObject", ignore_case=True)
