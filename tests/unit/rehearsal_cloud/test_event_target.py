"""What a target gets of an event follows its Input, InputPath or InputTransformer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.events.target import target_text, value_at

RULE = "arn:aws:events:eu-west-1:123456789012:rule/watch"
EVENT = {
    "source": "aws.sagemaker",
    "detail": {"EndpointName": "iris", "ProductionVariants": [{"VariantName": "main", "n": 2}]},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.detail.EndpointName", "iris"),
        ("$.detail.ProductionVariants[0].n", 2),
        ("$.detail.ProductionVariants[1].n", None),
        ("$.detail.Nothing.More", None),
        ("$", EVENT),
    ],
)
def test_a_path_is_followed_through_names_and_indexes(path: str, value: Any) -> None:
    assert value_at(EVENT, path) == value


def test_without_more_the_target_gets_the_whole_event() -> None:
    assert json.loads(target_text({}, RULE, EVENT)) == EVENT


def test_an_input_takes_the_events_place() -> None:
    assert target_text({"Input": '{"a": 1}'}, RULE, EVENT) == '{"a": 1}'


def test_an_input_path_takes_a_part() -> None:
    assert target_text({"InputPath": "$.detail.EndpointName"}, RULE, EVENT) == '"iris"'


def test_a_transformer_fills_a_template_in_strings_and_in_json() -> None:
    transformer = {
        "InputPathsMap": {
            "name": "$.detail.EndpointName",
            "count": "$.detail.ProductionVariants[0].n",
        },
        "InputTemplate": '{"text": "<name> has <count> <unknown>", "name": <name>, "n": <count>, '
        '"rule": <aws.events.rule-name>, "event": <aws.events.event.json>}',
    }

    filled = json.loads(target_text({"InputTransformer": transformer}, RULE, EVENT))

    assert filled == {
        "text": "iris has 2 <unknown>",
        "name": "iris",
        "n": 2,
        "rule": "watch",
        "event": EVENT,
    }
