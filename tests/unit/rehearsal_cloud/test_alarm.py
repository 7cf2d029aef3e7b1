"""Alarm evaluation against the tables of the CloudWatch User Guide."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloudwatch.alarm import (
    AlarmRule,
    AlarmState,
    Datapoint,
    evaluate,
    reason_for,
)

GUIDE = "CW User Guide, configuring how CloudWatch alarms treat missing data"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
OK, ALARM, NONE = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
KEPT = None


def a_rule(treatment: str, *, needed: int, periods: int = 3) -> AlarmRule:
    return AlarmRule(
        comparison_operator="GreaterThanThreshold",
        threshold=1,
        evaluation_periods=periods,
        datapoints_to_alarm=needed,
        treat_missing_data=treatment,
    )


def datapoints(picture: str) -> list[float | None]:
    return [{"0": 0.0, "X": 2.0, "-": None}[mark] for mark in picture.split()]


@pytest.mark.source(GUIDE)
@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("0 - - - -", (OK, OK, OK, OK)),
        ("- - - - -", (NONE, KEPT, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", (ALARM, KEPT, ALARM, OK)),
    ],
)
@pytest.mark.parametrize("current", list(AlarmState))
def test_three_of_three_follows_the_guides_table(
    picture: str, expected: tuple[AlarmState | None, ...], current: AlarmState
) -> None:
    for treatment, state in zip(TREATMENTS, expected, strict=True):
        found = evaluate(a_rule(treatment, needed=3), datapoints(picture), current)

        assert found is (current if state is KEPT else state), treatment


@pytest.mark.source(GUIDE)
@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - X -", (ALARM, KEPT, ALARM, OK)),
    ],
)
def test_two_of_three_follows_the_guides_table(
    picture: str, expected: tuple[AlarmState | None, ...]
) -> None:
    for treatment, state in zip(TREATMENTS, expected, strict=True):
        found = evaluate(a_rule(treatment, needed=2), datapoints(picture), OK)

        assert found is (OK if state is KEPT else state), treatment


@pytest.mark.parametrize(
    ("operator", "breaching"),
    [
        ("GreaterThanThreshold", [2.0]),
        ("GreaterThanOrEqualToThreshold", [1.0, 2.0]),
        ("LessThanThreshold", [0.0]),
        ("LessThanOrEqualToThreshold", [0.0, 1.0]),
    ],
)
def test_each_comparison_breaches_where_its_name_says(
    operator: str, breaching: list[float]
) -> None:
    rule = AlarmRule(comparison_operator=operator, threshold=1, evaluation_periods=1)

    found = [value for value in (0.0, 1.0, 2.0) if evaluate(rule, [value], OK) is ALARM]

    assert found == breaching


@pytest.mark.parametrize(
    ("picture", "state", "said"),
    [
        (
            "0 X X",
            ALARM,
            "2 out of the last 3 datapoints [2.0 (15/01/27 08:02:00), 2.0 (15/01/27 08:01:00)] "
            "were greater than the threshold (1) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (
            "- - 0",
            OK,
            "1 out of the last 3 datapoints [0.0 (15/01/27 08:02:00)] was not greater than the "
            "threshold (1) (minimum 3 datapoints for ALARM -> OK transition).",
        ),
        ("- - -", OK, "no datapoints were received for 3 periods and 3 missing datapoints"),
        ("- - -", NONE, "Insufficient Data: 3 datapoints were unknown."),
    ],
)
def test_an_alarm_says_why_it_is_in_its_state(picture: str, state: AlarmState, said: str) -> None:
    points = [
        Datapoint(start=1_800_000_000.0 + 60 * index, value=value)
        for index, value in enumerate(datapoints(picture))
    ]

    assert said in reason_for(a_rule("notBreaching", needed=1), points, state)
