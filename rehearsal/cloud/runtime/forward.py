"""Brings one request to an instance's containers and tells what came of it; never raises.

Every way a request reaches a container (InvokeEndpoint, shadow copies, asynchronous invocations,
batch transform) goes through `forward`, so that a failure reads the same everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rehearsal.cloud.faults.registry import NO_FAULT, InvocationFault
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.connection import (
    Answer,
    AnswerBroken,
    ConnectionPool,
    InstanceTimeout,
    InstanceUnreachable,
)

PRIMARY = "primary"
Headers = Sequence[tuple[str, str]]

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
    """

    answer: Answer | None
    failure: str
    container: str
    model_latency_us: float
    status: int
    broken: bool = False
    latencies: tuple[tuple[str, float], ...] = ()

    @property
    def is_good(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300


def forward(
    instance: Instance,
    *,
    method: str = "POST",
    path: str = "/invocations",
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
    target_container: str | None = None,
) -> Outcome:
    """Send a request to the instance's container, or through its containers in order.

    In a serial pipeline each later container gets the answer before it with that answer's
    Content-Type; the caller's Accept goes to the last one alone (assumed). The first answer
    that isn't 2xx ends the way.

    Args:
        timeout_seconds: wall seconds for all containers together
        target_container: host name of the one container to ask, in a direct pipeline
    """
    fault = instance.next_fault()
    targets = targets_of(instance, target_container)

    def send(seconds: float) -> Outcome:
        return _send(targets, method, path, headers, body, seconds)

    if fault is NO_FAULT:
        return send(timeout_seconds)
    return spoiled(instance, fault, targets[0][0], send, timeout_seconds)


def _send(
    targets: Sequence[tuple[str, ConnectionPool]],
    method: str,
    path: str,
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
) -> Outcome:
    began = time.perf_counter()
    if len(targets) == 1:
        name, pool = targets[0]
        return _ask(name, pool, method, path, headers, body, timeout_seconds)
    latencies: list[tuple[str, float]] = []
    for position, (name, pool) in enumerate(targets, start=1):
        left = timeout_seconds - (time.perf_counter() - began)
        step_headers = headers if position == len(targets) else without_accept(headers)
        outcome = _ask(name, pool, method, path, step_headers, body, max(left, 0.001))
        latencies.extend(outcome.latencies)
        if not outcome.is_good or outcome.answer is None:
            break
        body = outcome.answer.body
        headers = with_content_type(headers, outcome.answer.headers.get("content-type"))
    return Outcome(
        answer=outcome.answer,
        failure=outcome.failure,
        container=outcome.container,
        model_latency_us=(time.perf_counter() - began) * 1e6,
        status=outcome.status,
        broken=outcome.broken,
        latencies=tuple(latencies),
    )


def spoiled(
    instance: Instance,
    fault: InvocationFault,
    container: str,
    send: Callable[[float], Outcome],
    timeout_seconds: float,
) -> Outcome:
    """Send a request that goes wrong on purpose; its delay counts as the model's own time."""
    began = time.perf_counter()
    if fault.crash and instance.running is not None:
        instance.running.stop(0)
    time.sleep(min(fault.delay_seconds, timeout_seconds))
    answer, failure = None, ""
    if fault.delay_seconds >= timeout_seconds:
        failure = TIMED_OUT.format(container=container)
    elif fault.status is not None:
        headers = {"content-type": "text/plain"}
        answer = Answer(status=fault.status, headers=headers, body=fault.message.encode())
    else:
        sent = send(timeout_seconds - fault.delay_seconds)
        return replace(sent, model_latency_us=(time.perf_counter() - began) * 1e6)
    latency_us = (time.perf_counter() - began) * 1e6
    return Outcome(
        answer=answer,
        failure=failure,
        container=container,
        model_latency_us=latency_us,
        status=0 if answer is None else answer.status,
        latencies=((container, latency_us),),
    )


def containers_of(instance: Instance) -> list[tuple[str, ConnectionPool]]:
    """Return the instance's containers by name, in order; a single one is `primary`."""
    containers = getattr(instance, "containers", ())
    if len(containers) > 1:
        return [(container.hostname, container.pool) for container in containers]
    assert instance.pool is not None
    return [(PRIMARY, instance.pool)]


def targets_of(
    instance: Instance, target_container: str | None
) -> list[tuple[str, ConnectionPool]]:
    """Return the containers a request goes to: the one asked for, else all of them."""
    containers = containers_of(instance)
    if target_container is None:
        return containers
    return [(name, pool) for name, pool in containers if name == target_container]


def without_accept(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers but Accept."""
    return [(name, value) for name, value in headers if name.lower() != "accept"]


def with_content_type(headers: Headers, content_type: str | None) -> list[tuple[str, str]]:
    """Return the headers with another Content-Type, or without one."""
    others = [(name, value) for name, value in headers if name.lower() != "content-type"]
    return others if content_type is None else [("Content-Type", content_type), *others]


def _ask(
    name: str,
    pool: ConnectionPool,
    method: str,
    path: str,
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
) -> Outcome:
    answer, failure, status, broken = None, "", 0, False
    began = time.perf_counter()
    try:
        answer = pool.request(
            method, path, headers=headers, body=body, timeout_seconds=timeout_seconds
        )
        status = answer.status
    except InstanceTimeout:
        failure = TIMED_OUT.format(container=name)
    except AnswerBroken as err:
        failure, status, broken = str(err), err.status, True
    except InstanceUnreachable:
        failure = EXITED
    latency_us = (time.perf_counter() - began) * 1e6
    return Outcome(
        answer=answer,
        failure=failure,
        container=name,
        model_latency_us=latency_us,
        status=status,
        broken=broken,
        latencies=((name, latency_us),),
    )
