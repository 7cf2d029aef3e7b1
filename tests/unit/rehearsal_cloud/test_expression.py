"""Metric math, without a store."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.cloudwatch.expression import (
    BadExpression,
    Context,
    Value,
    evaluate_expression,
    ids_in,
)

CONTEXT = Context(moments=(0.0, 60.0, 120.0), period=60.0)
VALUES: Mapping[str, Value] = {"m1": {0.0: 2.0, 120.0: 4.0}, "m2": {0.0: 1.0, 60.0: 3.0}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 ^ 2", 19.0),
        ("-(1 - 3) / 4", 0.5),
        ("1 < 2 && 2 >= 2", 1.0),
        ("m1 + m2", {0.0: 3.0}),
        ("SUM([m1, m2])", {0.0: 3.0, 60.0: 3.0, 120.0: 4.0}),
        ("AVG(m1)", 3.0),
        ("FILL(m1, LINEAR)", {0.0: 2.0, 60.0: 3.0, 120.0: 4.0}),
        ("FILL(m1, m2)", {0.0: 2.0, 60.0: 3.0, 120.0: 4.0}),
        ("FIRST(m1) + LAST(m1)", 6.0),
        ("RUNNING_SUM(m2)", {0.0: 1.0, 60.0: 4.0}),
        ("METRIC_COUNT([m1, m2])", 2.0),
        ("TIME_SERIES(5)", {0.0: 5.0, 60.0: 5.0, 120.0: 5.0}),
        ("ABS(-2) + CEIL(1.2) + FLOOR(1.8)", 5.0),
        ("STDDEV(m1)", 1.0),
        ("IF(m1 > 3, 1, m2)", {0.0: 1.0, 120.0: 1.0}),
        ("m1 / (m1 - 2)", {120.0: 2.0}),
        ("-" * 2_001 + "1", -1.0),
    ],
)
def test_an_expression_comes_to(text: str, expected: Value) -> None:
    assert evaluate_expression(text, VALUES, CONTEXT) == expected


@pytest.mark.parametrize(
    "text",
    ["", "m1 +", "(m1", "m9", "NOPE(m1)", "SUM(m1, m2)", "1 / 0", "m1 $ 2", "SUM(1)", "(" * 99],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        evaluate_expression(text, VALUES, CONTEXT)


def test_ids_are_found_between_functions_and_quotes() -> None:
    assert ids_in('IF(m1 > e2, SUM(METRICS("cpu")), low)') == ["m1", "e2", "low"]


@given(st.text("m1+-*/^()[], <>=", max_size=30))
def test_any_text_is_evaluated_or_refused(text: str) -> None:
    with contextlib.suppress(BadExpression):
        evaluate_expression(text, VALUES, CONTEXT)
