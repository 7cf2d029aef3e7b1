"""Trust policies."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.services import SAGEMAKER_PRINCIPAL, trusts


def a_statement(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([a_statement({"Service": SAGEMAKER_PRINCIPAL})], True),
        (a_statement({"Service": ["ec2.amazonaws.com", SAGEMAKER_PRINCIPAL]}), True),
        ([a_statement("*")], True),
        ([a_statement({"Service": "ec2.amazonaws.com"})], False),
        ([a_statement({"AWS": "arn:aws:iam::123456789012:root"})], False),
        ([a_statement({"Service": SAGEMAKER_PRINCIPAL}, effect="Deny")], False),
        ([], False),
    ],
)
def test_a_role_must_allow_sagemaker_to_assume_it(statements: Any, expected: bool) -> None:
    assert trusts({"Statement": statements}, SAGEMAKER_PRINCIPAL) is expected
