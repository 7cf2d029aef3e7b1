"""Proves a finished artifact: the server's own code answers every compared row as scikit-learn.

`conversion` proves the graph; this proves what serves, in every runtime the server has for the
artifact: reading the body, feeding the graph or the compiled forest, naming the classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automation.errors import EqualityError
from automation.gate.answers import Answers, first_difference, sklearn_answers
from automation.gate.features import Rows, instances
from automation.gate.server_proof import answers_of_server
from automation.gate.training import TrainedModel

PROJECT = Path(__file__).resolve().parents[2]
ROWS_OF_BODY = 500
MOST_ROWS = 2_000


def prove_served(
    trained: TrainedModel, rows: Rows, files: Mapping[str, bytes], *, allow_pickle: bool = False
) -> tuple[str, ...]:
    """Ask the server the rows and compare.

    Args:
        rows: that scikit-learn answers; of many, some are taken, evenly spread.
        files: the artifact's, by path.
        allow_pickle: whether the server may read an estimator that is a pickle.

    Returns:
        names of the runtimes that were compared.

    Raises:
        ArtifactError: the server refuses the artifact.
        EqualityError: a runtime answers a row differently, or not at all.
    """
    if len(rows) > MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
    parts = list(_parts(rows))
    bodies = [json.dumps({"instances": instances(part)}).encode() for part in parts]
    answered = answers_of_server(PROJECT, files, bodies, allow_pickle=allow_pickle)
    names = sorted({name for answer in answered for name in answer})
    for part, answer in zip(parts, answered, strict=True):
        if "error" in answer:
            raise EqualityError(
                f"the server refuses rows that scikit-learn answers: {answer['error']}; this is a "
                "fault of greenlight: please report it with the estimator"
            )
        expected = sklearn_answers(trained, part)
        for name, given in answer.items():
            difference = first_difference(
                expected, _answers(trained, given, len(part)), part, f"the server's {name} runtime"
            )
            if difference is not None:
                raise EqualityError(f"what serves answers otherwise: {difference}")
    return tuple(names)


def _parts(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), ROWS_OF_BODY):
        yield rows[start : start + ROWS_OF_BODY]


def _answers(trained: TrainedModel, given: Mapping[str, Any], count: int) -> Answers:
    """Read what a runtime answered, as `server prove` writes it."""
    labels = given["class_indexes"] if trained.is_classifier else given["labels"]
    probabilities = given["probabilities"]
    parts = [] if probabilities is None else probabilities if trained.outputs else [probabilities]
    return Answers(
        is_answered=np.ones(count, dtype=bool),
        labels=np.array(labels, dtype=np.int64 if trained.is_classifier else np.float64),
        probabilities=tuple(np.array(part, dtype=np.float64) for part in parts),
        refusal=None,
    )
