"""What a contestant is: how it is started, what it is sent, and how its answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Request = Sequence[Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a contestant predicted, by row: the class's index, and each class's probability."""

    labels: list[int]
    probabilities: list[list[float]]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One server.

    Args:
        role: "ours"; "floor", which answers a constant; "peer", which goals compare with; or
            "besides", which no goal looks at
        environment: name of the folder in `containers/` whose `requirements.lock` it runs on
        command: how it starts; in it and in `variables` {python}, {bin}, {port}, {second_port},
            {third_port}, {artifact}, {pickle}, {answer} and {scratch} are filled in
        directory: where it runs
        body: the request's bytes for rows
        read: the answer in a response's JSON, given the names of the classes; raises KeyError,
            IndexError, TypeError or ValueError where there is none
    """

    name: str
    role: Literal["ours", "floor", "peer", "besides"]
    environment: str
    command: tuple[str, ...]
    directory: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    path: str = "/invocations"
    ping_path: str = "/ping"
    body: Callable[[Request], bytes]
    read: Callable[[Any, Sequence[str]], Answer]

    def filled(self, values: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return command and environment with what is only known once it starts."""
        return (
            [word.format_map(values) for word in self.command],
            {name: text.format_map(values) for name, text in self.variables.items()},
        )


def instances_body(rows: Request) -> bytes:
    """Return rows as SageMaker's JSON format for dense requests has them."""
    return json.dumps({"instances": rows}).encode()


def greenlight_answer(document: Any, classes: Sequence[str]) -> Answer:
    """Read what our container answers to `instances`."""
    predictions = document["predictions"]
    return Answer(
        labels=[prediction["predicted_class_index"] for prediction in predictions],
        probabilities=[
            [prediction["probabilities"][name] for name in classes] for prediction in predictions
        ],
    )
