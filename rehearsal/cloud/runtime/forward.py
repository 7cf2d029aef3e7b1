"""Brings one request to an instance's containers and tells what came of it; never raises.

Every way a request reaches a container (InvokeEndpoint, shadow copies, asynchronous invocations,
batch transform) goes through `forward`, so that a failure reads the same everywhere and a fault
on purpose meets them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from rehearsal.cloud.faults.registry import NO_FAULT, InvocationFault
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.connection import (
    Answer,
    ConnectionPool,
    InstanceTimeout,
    InstanceUnreachable,
    StreamedAnswer,
)
from rehearsal.cloud.runtime.outcome import Outcome as Outcome
from rehearsal.cloud.runtime.outcome import answered, failed

INVOCATIONS = "/invocations"
Headers = Sequence[tuple[str, str]]


class Target(NamedTuple):
    """One container a request goes to."""

    hostname: str
    pool: ConnectionPool
    path: str


def forward(
    instance: Instance,
    *,
    path: str = INVOCATIONS,
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
    targets = targets_of(instance, target_container, path)
    if fault is NO_FAULT:
        return _send(targets, headers, body, timeout_seconds)

    def send(seconds: float) -> Outcome:
        return _send(targets, headers, body, seconds)

    return spoiled(instance, fault, targets[0].hostname, send, timeout_seconds)


def forward_stream(
    instance: Instance,
    *,
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
    end_seconds: float,
    target_container: str | None,
) -> tuple[str, StreamedAnswer] | Outcome:
    """Send a request; return the container's name and its answer, whose body is yet to come.

    Of a serial pipeline only the last container streams. An answer that isn't 2xx, or none at
    all, is an outcome as `forward` returns it.

    Args:
        timeout_seconds: wall seconds until the answer begins
        end_seconds: wall seconds until the answer must have ended
    """
    fault = instance.next_fault()
    *before, (name, pool, path) = targets_of(instance, target_container, INVOCATIONS)
    if fault is not NO_FAULT:

        def nothing(_: float) -> Outcome:
            return answered(name, time.perf_counter(), Answer(status=200, headers={}, body=b""))

        outcome = spoiled(instance, fault, name, nothing, timeout_seconds)
        if not outcome.is_good:
            return outcome
    if before:
        outcome = _serial(before, headers, body, timeout_seconds, ends=False)
        if not outcome.is_good or outcome.answer is None:
            return outcome
        body = outcome.answer.body
        headers = with_content_type(headers, outcome.answer.headers.get("content-type"))
    began = time.perf_counter()
    try:
        answer = pool.stream(
            path,
            headers=headers,
            body=body,
            timeout_seconds=timeout_seconds,
            end_seconds=end_seconds,
        )
        if 200 <= answer.status < 300:
            return name, answer
        return answered(name, began, _whole(answer))
    except (InstanceTimeout, InstanceUnreachable) as err:
        return failed(name, began, err)


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
    if fault.delay_seconds >= timeout_seconds:
        return failed(container, began, InstanceTimeout("delayed on purpose"))
    if fault.status is not None:
        headers = {"content-type": "text/plain"}
        answer = Answer(status=fault.status, headers=headers, body=fault.message.encode())
        return answered(container, began, answer)
    sent = send(timeout_seconds - fault.delay_seconds)
    return replace(sent, model_latency_us=(time.perf_counter() - began) * 1e6)


def targets_of(instance: Instance, target_container: str | None, path: str) -> list[Target]:
    """Return the containers a request goes to, in order: the one asked for, else all of them.

    Args:
        path: where to send it; of a pipeline's containers only a multi-model one has a path of
            its own
    """
    containers = instance.containers
    if len(containers) == 1:
        return [Target(containers[0].hostname, containers[0].pool, path)]
    return [
        Target(each.hostname, each.pool, INVOCATIONS if each.multi_model is None else path)
        for each in containers
        if target_container is None or each.hostname == target_container
    ]


def without_accept(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers but Accept."""
    return [(name, value) for name, value in headers if name.lower() != "accept"]


def with_content_type(headers: Headers, content_type: str | None) -> list[tuple[str, str]]:
    """Return the headers with another Content-Type, or without one."""
    others = [(name, value) for name, value in headers if name.lower() != "content-type"]
    return others if content_type is None else [("Content-Type", content_type), *others]


def _send(
    targets: Sequence[Target],
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
) -> Outcome:
    if len(targets) > 1:
        return _serial(targets, headers, body, timeout_seconds, ends=True)
    name, pool, path = targets[0]
    began = time.perf_counter()
    try:
        answer = pool.request(
            "POST", path, headers=headers, body=body, timeout_seconds=timeout_seconds
        )
    except (InstanceTimeout, InstanceUnreachable) as err:
        return failed(name, began, err)
    return answered(name, began, answer)


def _serial(
    targets: Sequence[Target],
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
    *,
    ends: bool,
) -> Outcome:
    """Pass a request through containers in order.

    Args:
        ends: the last of these is the pipeline's last, which gets the caller's Accept
    """
    began = time.perf_counter()
    latencies: list[tuple[str, float]] = []
    for position, target in enumerate(targets, start=1):
        left = max(timeout_seconds - (time.perf_counter() - began), 0.001)
        is_last = ends and position == len(targets)
        step_headers = headers if is_last else without_accept(headers)
        outcome = _send([target], step_headers, body, left)
        latencies.extend(outcome.latencies)
        if not outcome.is_good or outcome.answer is None:
            break
        body = outcome.answer.body
        headers = with_content_type(headers, outcome.answer.headers.get("content-type"))
    return replace(
        outcome,
        model_latency_us=(time.perf_counter() - began) * 1e6,
        latencies=tuple(latencies),
    )


def _whole(answer: StreamedAnswer) -> Answer:
    """Read a streamed answer that turned out to be an error."""
    try:
        body = b"".join(answer.parts())
    finally:
        answer.close()
    return Answer(status=answer.status, headers=answer.headers, body=body)
