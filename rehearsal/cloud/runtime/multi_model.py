"""Invokes one model of a multi-model container; loading is the instance's business."""

from __future__ import annotations

import time

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.definition import PRIMARY
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.fleets.model_api import ModelNotLoaded
from rehearsal.cloud.fleets.multi_model import ModelNotReady, MultiModel, TargetModelMissing
from rehearsal.cloud.runtime.connection import Answer
from rehearsal.cloud.runtime.failure import refusal
from rehearsal.cloud.runtime.forward import Headers, forward
from rehearsal.cloud.runtime.meter import Value
from rehearsal.cloud.runtime.outcome import Outcome, answered

NOT_FOUND = 404


def forward_to_model(
    instance: Instance,
    models: MultiModel,
    target_model: str,
    *,
    headers: Headers,
    body: bytes,
    timeout_seconds: float,
) -> tuple[Outcome, tuple[Value, ...]]:
    """Load the target model if need be and invoke it; return what is measured besides.

    A container may have dropped a model by itself: after a 404 it is asked, and a model it
    doesn't hold any more is loaded and invoked once again.

    Raises:
        ApiError: ModelNotReadyException, or ValidationError without such a model
    """
    deadline = time.monotonic() + timeout_seconds
    outcome, values, is_lost = _try(instance, models, target_model, headers, body, deadline)
    if is_lost:
        outcome, values, _ = _try(instance, models, target_model, headers, body, deadline)
    return outcome, values


def _try(
    instance: Instance,
    models: MultiModel,
    target_model: str,
    headers: Headers,
    body: bytes,
    deadline: float,
) -> tuple[Outcome, tuple[Value, ...], bool]:
    began = time.perf_counter()
    try:
        loaded = models.invoke_path(target_model, timeout_seconds=_left(deadline))
    except ModelNotReady as err:
        raise ApiError("ModelNotReadyException", str(err), status=429) from err
    except TargetModelMissing as err:
        raise refusal(str(err)) from err
    except ModelNotLoaded as err:
        # The container's own words about the model are the model's error (assumed).
        answer = Answer(status=max(err.status, 0), headers={}, body=err.body.encode())
        return answered(PRIMARY, began, answer), (), False
    values: tuple[Value, ...] = (("ModelCacheHit", float(loaded.cache_hit), "None"),)
    if not loaded.cache_hit:
        values += (("ModelLoadingWaitTime", loaded.waiting_us, "Microseconds"),)
    with loaded:
        outcome = forward(
            instance,
            path=loaded.path,
            headers=headers,
            body=body,
            timeout_seconds=_left(deadline),
        )
        is_lost = outcome.status == NOT_FOUND and loaded.is_lost()
    for timing in models.take_timings():
        values += ((timing.metric, timing.microseconds, "Microseconds"),)
    return outcome, values, is_lost


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())
