"""What came of one request to a container, whatever it was sent for."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from rehearsal.cloud.runtime.connection import (
    Answer,
    AnswerBroken,
    InstanceTimeout,
    InstanceUnreachable,
)

TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container {container}. "
    "Review the latency metrics for each container in Amazon CloudWatch, resolve the "
    "issue, and try again."
)
EXITED = "An error occurred while handling request as the model process exited."


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one request.

    Args:
        answer: the last container's answer; None when it gave no whole one
        failure: SageMaker's text when there is no answer, else empty
        container: name of the container that answered or failed
        model_latency_us: time over all containers, in microseconds
        status: the answer's status; that of an answer which broke off; 0 without any
        broken: the answer began and its body didn't arrive whole
        latencies: microseconds by container, in the order they were asked
        is_streamed: the answer went on to the client as it came, and `answer` is None
    """

    answer: Answer | None
    failure: str
    container: str
    model_latency_us: float
    status: int
    broken: bool = False
    latencies: tuple[tuple[str, float], ...] = ()
    is_streamed: bool = False

    @property
    def is_good(self) -> bool:
        arrived = self.answer is not None or (self.is_streamed and not self.broken)
        return arrived and 200 <= self.status < 300


def answered(container: str, began: float, answer: Answer) -> Outcome:
    """Return the outcome of a whole answer; `began` is of the performance counter."""
    latency_us = (time.perf_counter() - began) * 1e6
    return Outcome(
        answer=answer,
        failure="",
        container=container,
        model_latency_us=latency_us,
        status=answer.status,
        latencies=((container, latency_us),),
    )


def failed(container: str, began: float, error: InstanceTimeout | InstanceUnreachable) -> Outcome:
    """Return the outcome of a request that got no whole answer."""
    latency_us = (time.perf_counter() - began) * 1e6
    failure, status = EXITED, 0
    if isinstance(error, InstanceTimeout):
        failure = TIMED_OUT.format(container=container)
    elif isinstance(error, AnswerBroken):
        failure, status = str(error), error.status
    return Outcome(
        answer=None,
        failure=failure,
        container=container,
        model_latency_us=latency_us,
        status=status,
        broken=isinstance(error, AnswerBroken),
        latencies=((container, latency_us),),
    )


def too_large(outcome: Outcome) -> Outcome:
    """Return the outcome of an answer above SageMaker's limit: its body isn't loaded (assumed)."""
    return replace(outcome, answer=None, broken=True, failure="the answer is too large")
