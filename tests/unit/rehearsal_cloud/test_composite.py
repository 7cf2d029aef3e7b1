"""The rules of composite alarms."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloudwatch.composite import BadRule, name_from_reference, parse_rule

STATES = {"a": "ALARM", "b": "OK", "with space": "ALARM"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ("OK(a)", False),
        ('ALARM("with space")', True),
        ("NOT OK(b)", False),
        ("NOT (OK(b) AND OK(a))", True),
        ("ALARM(a) AND OK(b)", True),
        ("OK(a) AND OK(b) OR ALARM(a)", True),
        ("OK(a) AND (OK(b) OR ALARM(a))", False),
        ("INSUFFICIENT_DATA(nobody)", True),
        ("TRUE", True),
        ("FALSE OR NOT FALSE", True),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a)", True),
    ],
)
def test_a_rule_is_true_where_it_says_so(rule: str, expected: bool) -> None:
    assert parse_rule(rule).is_true(STATES) is expected


def test_a_rule_knows_the_alarms_it_looks_at() -> None:
    assert parse_rule('ALARM(a) AND NOT OK("b c") OR TRUE').children == {"a", "b c"}
    assert name_from_reference("arn:aws:cloudwatch:r:1:alarm:x:y") == "x:y"


@pytest.mark.parametrize("rule", ["", "ALARM", "ALARM()", "ALARM(a))", 'OK("a)', "a AND b", "NOT"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(BadRule):
        parse_rule(rule)
