"""A client that keeps invoking an endpoint and remembers who answered what.

It exists to prove a swap from outside: every answer is matched against what each model is known to
say of that row, so "the answers changed model" is counted and not believed.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation.errors import GreenlightError
from automation.spec import ModelSpec

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

TOLERANCE = 1e-4
# Two models' answers to a row can be told apart when a probability differs by more than this.
DISTINCT = 0.01
UNKNOWN_MODEL = "unknown"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One row and what each model answers to it.

    Args:
        features: (columns,) the row as JSON numbers.
        expected: model label -> (classes,) probabilities; a model that can't answer is left out.
    """

    features: Sequence[float]
    expected: Mapping[str, Sequence[float]]


@dataclass(kw_only=True)
class Tally:
    """What a stretch of invocations came to."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        """Requests that got an answer or a failure."""
        return self.answers.total() + self.failures.total()

    def text(self) -> str:
        """Describe the stretch in one line."""
        served = ", ".join(f"{count} by {label}" for label, count in sorted(self.answers.items()))
        failed = ", ".join(f"{count} x {name}" for name, count in sorted(self.failures.items()))
        return f"{self.sent} requests: {served or 'none answered'}; failed: {failed or 'none'}"


class Load:
    """Threads that invoke an endpoint until stopped.

    Args:
        client: a `sagemaker-runtime` client without retries, so that no failure is hidden.
        endpoint_name: the endpoint to invoke.
        questions: asked in turn, for ever.
        requests_per_second: of all threads together, wall seconds.
    """

    def __init__(
        self,
        client: SageMakerRuntimeClient,
        endpoint_name: str,
        questions: Sequence[Question],
        *,
        requests_per_second: float,
        threads: int = 2,
    ) -> None:
        self._client = client
        self._endpoint_name = endpoint_name
        self._questions = questions
        self._pause_seconds = threads / requests_per_second
        self._tally = Tally()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(offset,), daemon=True)
            for offset in range(threads)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def take(self) -> Tally:
        """Return the tally since the last call and begin a new one."""
        with self._lock:
            tally, self._tally = self._tally, Tally()
        return tally

    def _run(self, offset: int) -> None:
        turn = offset
        while not self._stop.is_set():
            began = time.monotonic()
            self._ask(self._questions[turn % len(self._questions)])
            turn += len(self._threads)
            self._stop.wait(max(self._pause_seconds - (time.monotonic() - began), 0))

    def _ask(self, question: Question) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        body = json.dumps({"instances": [list(question.features)]})
        try:
            answer = self._client.invoke_endpoint(
                EndpointName=self._endpoint_name, ContentType="application/json", Body=body
            )
            label = model_of(json.loads(answer["Body"].read()), question)
        except ClientError as error:
            self._count(failure=failure_name(error.response))
        except BotoCoreError as error:
            self._count(failure=type(error).__name__)
        else:
            self._count(answer=label)

    def _count(self, *, answer: str | None = None, failure: str | None = None) -> None:
        with self._lock:
            if answer is not None:
                self._tally.answers[answer] += 1
            if failure is not None:
                self._tally.failures[failure] += 1


def runtime_client() -> SageMakerRuntimeClient:
    """Make a client that never retries, so that every lost request is seen."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}, read_timeout=70)
    )


def questions_for(spec: ModelSpec, root: Path, estimators: Sequence[str]) -> list[Question]:
    """Ask what clients would ask: rows no model has seen, with scikit-learn's own answers.

    Rows that two models answer alike are left out: their answers could not tell who gave them.

    Raises:
        GreenlightError: an estimator can't be trained, or gives no probabilities.
    """
    from automation.gate import training
    from automation.gate.answers import sklearn_answers

    trained = {name: training.train(spec, root, name) for name in estimators}
    rows = next(iter(trained.values())).live_rows
    expected: list[dict[str, Sequence[float]]] = [{} for _ in rows]
    for name, model in trained.items():
        answers = sklearn_answers(model, rows)
        if len(answers.probabilities) != 1:
            raise GreenlightError(f"{name} gives no probabilities; its answers can't be told apart")
        probabilities = iter(answers.probabilities[0].tolist())
        for index, answered in enumerate(answers.is_answered):
            if answered:
                expected[index][name] = next(probabilities)
    return [
        Question(features=row.tolist(), expected=known)
        for row, known in zip(rows, expected, strict=True)
        if _all_differ(list(known.values()))
    ]


def _all_differ(answers: Sequence[Sequence[float]]) -> bool:
    return all(
        max(abs(a - b) for a, b in zip(one, other, strict=True)) > DISTINCT
        for i, one in enumerate(answers)
        for other in answers[i + 1 :]
    )


def model_of(answer: Mapping[str, Any], question: Question) -> str:
    """Tell which model gave an answer by its probabilities, or say that none of the known did."""
    probabilities = list(answer["predictions"][0]["probabilities"].values())
    for label, expected in question.expected.items():
        close = (abs(a - b) <= TOLERANCE for a, b in zip(probabilities, expected, strict=True))
        if all(close):
            return label
    return UNKNOWN_MODEL


def failure_name(response: Mapping[str, Any]) -> str:
    """Name a failed call by its error code and, for a model's own error, the status it gave."""
    code = response["Error"]["Code"]
    original = response.get("OriginalStatusCode")
    return str(code) if original is None else f"{code} ({original})"
