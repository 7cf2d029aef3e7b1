"""What moto gets wrong for a rehearsal, corrected in one place; listed in rehearsal/README.md.

Each correction replaces one thing of moto's and says why. Hosting itself is not here: its
operations are routed before moto sees them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException
from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.core.utils import unix_time, utcnow

from rehearsal.cloud.clock import Clock, datetime_from_epoch
from rehearsal.cloud.cloudwatch.backend import RehearsedCloudWatch
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.record import Record
from rehearsal.cloud.services import publish
from rehearsal.cloud.shapes import service_model

# Where moto dates what people look at. SQS is left out: it waits by these functions, and would
# wait forever for a clock that stands still.
DATED_MODULES = tuple(
    f"moto.{service}.models" for service in ("ecr", "iam", "kms", "logs", "s3", "sts")
)


def install_clock(clock: Clock) -> None:
    """Let moto date what it makes by the rehearsal's clock and not by the wall's."""

    def rehearsed_utcnow() -> datetime:
        return datetime_from_epoch(clock.now()).replace(tzinfo=None)

    def rehearsed_unix_time(dt: datetime | None = None) -> float:
        return clock.now() if dt is None else unix_time(dt)

    _set_times(rehearsed_utcnow, rehearsed_unix_time)


def remove_clock() -> None:
    """Give moto the wall's time back, for whoever uses it next in this process."""
    _set_times(utcnow, unix_time)


def _set_times(now: Callable[[], datetime], seconds: Callable[..., float]) -> None:
    for name in DATED_MODULES:
        module = import_module(name)
        for attribute, function in (("utcnow", now), ("unix_time", seconds)):
            if hasattr(module, attribute):
                setattr(module, attribute, function)


def install_cloudwatch(
    account_id: str, region: str, clock: Clock, record: Record, before_query: Callable[[], None]
) -> RehearsedCloudWatch:
    """Replace moto's CloudWatch data: it sums copies with more dimensions, ignores namespaces,
    starts alarms in OK, never evaluates them, runs no action and knows no composite alarm.
    """
    backend = RehearsedCloudWatch(region, account_id)

    def send(arn: str, subject: str, message: str) -> None:
        publish(account_id, region, arn, message, subject=subject)

    backend.attach(clock, record, before_query, send)
    cloudwatch_backends[account_id][region] = backend
    for operation in service_model("cloudwatch").operation_names:
        if operation in backend.api.operations:
            setattr(CloudWatchResponse, _method_name(operation), _answer(operation))
        elif not hasattr(CloudWatchResponse, _method_name(operation)):
            setattr(CloudWatchResponse, _method_name(operation), _refusal(operation))
    return backend


def _answer(operation: str) -> Callable[[Any], ActionResult]:
    """Return moto's method of an operation, answered by the rehearsed backend."""
    method = _method_name(operation)
    known = getattr(CloudWatchResponse, method, None)
    # A second cloud of this process must not wrap the first one's method.
    moto_method = getattr(known, "rehearsed_over", known)

    def answer(self: Any) -> ActionResult:
        backend = self.cloudwatch_backend
        if not isinstance(backend, RehearsedCloudWatch):
            if moto_method is None:
                raise CloudWatchException("UnknownOperation", f"moto does not do {operation}")
            plain: ActionResult = moto_method(self)
            return plain
        try:
            return ActionResult(backend.api(operation, self._get_params()))
        except ApiError as err:
            raise CloudWatchException(err.code, err.message) from err

    setattr(answer, "rehearsed_over", moto_method)  # noqa: B010 - mypy knows no such attribute
    return answer


def _refusal(operation: str) -> Callable[[Any], ActionResult]:
    """Return a method that refuses an operation by name, which moto answers with status 500."""

    def refuse(_: Any) -> ActionResult:
        raise CloudWatchException("ValidationError", f"the rehearsal cloud does not do {operation}")

    return refuse


def _method_name(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
