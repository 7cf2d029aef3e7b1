"""Asks a contestant and compares its answers with scikit-learn's, before anything is measured."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.serving.contestant import Answer, Contestant
from benchmarks.serving.server_process import ContestantError
from benchmarks.serving.workload import Rows, Workload

TOLERANCE = 1e-5
CHECKED_BODIES = {1: 48, 100: 8}
CLIENTS = 16


def check(contestant: Contestant, port: int, workload: Workload) -> None:
    """Ask for several answers, one after the other and then at once, and compare them all.

    Answers that belong to one another's requests, as a mistaken batching would give, are found by
    the second part.

    Raises:
        ContestantError: an answer is not 2xx, cannot be read, or differs
    """
    asked = range(CHECKED_BODIES[workload.rows])
    for number in asked:
        _check_one(contestant, port, workload, number)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [
            pool.submit(_check_one, contestant, port, workload, number) for number in asked
        ]:
            done.result()


def ask(contestant: Contestant, port: int, rows: Sequence[Sequence[float]]) -> bytes:
    """Send one request and return its answer's body.

    Raises:
        ContestantError: the answer is not 2xx
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"content-type": "application/json"}
        connection.request("POST", contestant.path, contestant.body(rows), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if not 200 <= response.status < 300:
        raise ContestantError(f"{contestant.name} answered {response.status}: {body[:500]!r}")
    return body


def _check_one(contestant: Contestant, port: int, workload: Workload, number: int) -> None:
    body = ask(contestant, port, workload.requests[number])
    try:
        answer = contestant.read(json.loads(body), workload.model.class_names)
    except (KeyError, IndexError, TypeError, ValueError) as err:
        raise ContestantError(
            f"{contestant.name} answered {body[:500]!r}, which holds no predictions: {err!r}"
        ) from err
    wrong = difference(answer, workload.answers[number])
    if wrong is not None:
        raise ContestantError(
            f"{contestant.name} differs from scikit-learn on request {number} of "
            f"{workload.name}: {wrong}"
        )


def difference(answer: Answer, expected: Rows) -> str | None:
    """Return how an answer differs from scikit-learn's probabilities, None where it does not."""
    answered = np.asarray(answer.probabilities, dtype=np.float64)
    if answered.shape != expected.shape:
        return f"probabilities of shape {answered.shape} instead of {expected.shape}"
    if (largest := float(np.abs(answered - expected).max())) > TOLERANCE:
        return f"a probability is {largest:.2g} away"
    labels = expected.argmax(axis=1).tolist()
    if answer.labels != labels:
        return f"labels {answer.labels} instead of {labels}"
    return None
