"""Rows go out as numbers and come back as answers, or the reason is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automation.errors import InvocationError, UsageError
from automation.invocation import answers_from, invoke, rows_from_file, rows_from_texts

ROWS = [(1.0, 2.0)]


def test_a_classification_is_read_with_its_confidence() -> None:
    body = json.dumps({"predictions": [{"predicted_class": "setosa", "confidence": 0.9}]})

    (answer,) = answers_from(ROWS, body.encode(), "AllTraffic")

    assert (answer.row, answer.label, answer.confidence, answer.variant) == (
        (1.0, 2.0), "setosa", 0.9, "AllTraffic",
    )  # fmt: skip


def test_a_regressors_plain_value_is_read() -> None:
    (answer,) = answers_from(ROWS, b'{"predictions": [3.5]}', "AllTraffic")

    assert (answer.label, answer.confidence) == ("3.5", None)


@pytest.mark.parametrize(
    "body", [b"[]", b"no json", b'{"predictions": []}', b'{"predictions": [{}]}', b'{"x": 1}']
)
def test_an_answer_of_another_container_is_refused(body: bytes) -> None:
    with pytest.raises(InvocationError, match="serves another container"):
        answers_from(ROWS, body, "AllTraffic")


def test_rows_are_read_from_the_command_line() -> None:
    assert rows_from_texts(["1,2.5", "3,4"]) == [(1.0, 2.5), (3.0, 4.0)]
    assert rows_from_texts(['red,,true,"a,b",nan']) == [("red", None, True, "a,b", "nan")]
    with pytest.raises(UsageError, match=r"row '1,\"x' is not comma-separated values"):
        rows_from_texts(['1,"x'])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "1,2\n\n3,4\n"),
        ("rows.json", '{"instances": [[1, 2], [3, 4]]}'),
        ("list.json", "[[1, 2], [3, 4]]"),
        ("whole.json", "[[1.0, 2e0], [3, 4]]"),
    ],
)
def test_rows_are_read_from_a_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)

    assert rows_from_file(tmp_path / name) == [(1.0, 2.0), (3.0, 4.0)]


def test_a_file_may_hold_texts_booleans_and_missing_values(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[["red", null, false]]')

    assert rows_from_file(tmp_path / "rows.json") == [("red", None, False)]


def test_several_outputs_are_told_each_with_its_name() -> None:
    outputs = {"a": {"predicted_class": "x"}, "b": {"predicted_value": 2.5}}
    body = json.dumps({"predictions": [{"outputs": outputs}]}).encode()

    (answer,) = answers_from(ROWS, body, "AllTraffic")

    assert (answer.label, answer.confidence) == ("a x, b 2.5", None)


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.csv", None), ("rows.json", '{"rows": []}'), ("deep.json", "[[[1]]]")],
)
def test_a_file_that_holds_no_rows_is_refused(
    tmp_path: Path, name: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)

    with pytest.raises(UsageError, match="cannot be read"):
        rows_from_file(tmp_path / name)


def test_nothing_to_send_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="no rows to send"):
        invoke("wine-dev", [])
