"""The faults of one cloud: added by the control API, asked by every part that can fail.

Every part asks at the moment the fault would happen, under its own lock where order matters; an
answer counts as one use. Asking costs one comparison while there is no fault of the kind.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rehearsal.cloud.errors import ApiError, SetupError
from rehearsal.cloud.faults.fault import KINDS, Fault, FaultKind, fault_from_members
from rehearsal.cloud.record import Record

MAXIMUM_FAULTS = 100
# Every use is noted up to this one, then only round numbers (200, 300, ... 1000, 2000, ...): a
# latency fault under load must not push everything else out of the record.
MAXIMUM_NOTED_USES = 100
QUOTA_EXCEEDED = (
    "The account-level service limit '{instance_type} for {usage} usage' is {limit} Instances, "
    "with current utilization of {utilization} Instances and a request delta of {delta} "
    "Instances. Please use AWS Service Quotas to request an increase for this quota. If AWS "
    "Service Quotas is not available, contact AWS support to request an increase for this quota."
)


@dataclass(frozen=True, kw_only=True)
class LaunchFault:
    """How one launch goes wrong.

    Args:
        reason: `image`, `artifact`, `cannot-start`, `ping`, or `hang` for pings without an answer
    """

    fault_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class InvocationFault:
    """How one request to a container goes wrong; several things may at once.

    Args:
        delay_seconds: wall time the model takes longer, before it answers
        crash: whether the container is killed before it gets the request
        status: the HTTP status the model answers instead of its own, or None
        message: the body of that answer
    """

    delay_seconds: float = 0.0
    crash: bool = False
    status: int | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class RollbackFault:
    """An update that comes back to its old config.

    Args:
        rolling_back_polls: how many Describe calls see RollingBack before InService
        failure_reason: the FailureReason left behind, empty for none
    """

    fault_id: str
    rolling_back_polls: int
    failure_reason: str


NO_FAULT = InvocationFault()


class Faults:
    """Faults by id, in the order they were added; every method may be called from any thread."""

    def __init__(self, record: Record, *, seed: int) -> None:
        self._record = record
        self._seed = seed
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._faults: dict[str, Fault] = {}
        self._chances: dict[str, random.Random] = {}
        self._answered: dict[tuple[str, str], int] = {}
        # Replaced whole, and read without the lock on the way of every request.
        self._active: frozenset[FaultKind] = frozenset()

    # ---- the control API's side

    def add(self, members: Mapping[str, Any]) -> Fault:
        """Take a fault on.

        Raises:
            SetupError: a setting is wrong, or there are too many faults
        """
        with self._lock:
            waiting = sum(not fault.is_spent for fault in self._faults.values())
            if waiting >= MAXIMUM_FAULTS:
                raise SetupError(f"there are {waiting} faults waiting already; clear some first")
            asked = fault_from_members("", members)
            # What is refused takes no number.
            fault = replace(asked, fault_id=f"fault-{next(self._numbers)}")
            self._faults[fault.fault_id] = fault
            self._chances[fault.fault_id] = random.Random(f"{self._seed}/{fault.fault_id}")
            self._drop_oldest_spent()
            self._refresh()
        self._note("added", fault)
        return fault

    def clear(self, fault_id: str | None = None) -> list[Fault]:
        """Forget one fault, or all of them; what has already happened is not undone.

        Raises:
            SetupError: no fault has that id
        """
        with self._lock:
            if fault_id is not None and fault_id not in self._faults:
                known = ", ".join(self._faults) or "none"
                raise SetupError(f"no fault {fault_id!r}; there are {known}")
            ids = list(self._faults) if fault_id is None else [fault_id]
            cleared = [self._faults.pop(each) for each in ids]
            for each in ids:
                del self._chances[each]
            self._answered = {k: n for k, n in self._answered.items() if k[0] in self._faults}
            self._refresh()
        for fault in cleared:
            self._note("cleared", fault)
        return cleared

    def as_list(self) -> list[dict[str, Any]]:
        """Return every fault, spent ones included, oldest first."""
        with self._lock:
            return [fault.as_dict() for fault in self._faults.values()]

    # ---- the cloud's side: each call that returns a fault is one use of it

    def launch(self, subject: Mapping[str, str | None]) -> LaunchFault | None:
        """Return how the launch under way is to fail, or None.

        Args:
            subject: endpoint_name, variant_name, endpoint_config_name, instance_type
        """
        fault = self._take(FaultKind.LAUNCH_FAILURE, subject)
        if fault is not None:
            return LaunchFault(fault_id=fault.fault_id, reason=fault.settings["reason"])
        fault = self._take(FaultKind.HEALTH_CHECK_HANG, subject)
        return None if fault is None else LaunchFault(fault_id=fault.fault_id, reason="hang")

    def lacks_capacity(
        self, subject: Mapping[str, str | None], running: Mapping[str | None, int]
    ) -> bool:
        """Tell whether AWS has no instance left for a launch.

        Args:
            subject: endpoint_name, instance_type
            running: instances there are now, by instance type
        """
        if FaultKind.CAPACITY not in self._active:
            return False

        def is_short(fault: Fault) -> bool:
            named = fault.scope.get("instance_type")
            held = sum(running.values()) if named is None else running.get(named, 0)
            return bool(held >= fault.settings["available"])

        return self._take(FaultKind.CAPACITY, subject, is_short) is not None

    def invocation(
        self, endpoint_name: str, variant_name: str, config_name: str, instance_id: str
    ) -> InvocationFault:
        """Return what goes wrong with one request to one container."""
        if not self._active & REQUEST_KINDS:
            return NO_FAULT
        subject = {
            "endpoint_name": endpoint_name,
            "variant_name": variant_name,
            "endpoint_config_name": config_name,
        }
        crash = self._take(FaultKind.CRASH, subject, lambda f: self._is_due(f, instance_id))
        if crash is not None:
            return InvocationFault(crash=True)
        latency = self._take(FaultKind.LATENCY, subject)
        error = self._take(FaultKind.MODEL_ERROR, subject)
        return InvocationFault(
            delay_seconds=0.0 if latency is None else latency.settings["milliseconds"] / 1000,
            status=None if error is None else error.settings["status"],
            message="" if error is None else error.settings["message"],
        )

    @property
    def may_throttle(self) -> bool:
        """Tell whether any call could be throttled now."""
        return FaultKind.THROTTLE in self._active

    def throttles(self, operation: str) -> bool:
        """Tell whether a call is refused as throttled."""
        return self._take(FaultKind.THROTTLE, {"operation": operation}) is not None

    def update(self, endpoint_name: str, config_name: str) -> RollbackFault | None:
        """Return how the update that begins is to be rolled back, or None."""
        subject = {"endpoint_name": endpoint_name, "endpoint_config_name": config_name}
        fault = self._take(FaultKind.SILENT_ROLLBACK, subject)
        return None if fault is None else RollbackFault(fault_id=fault.fault_id, **fault.settings)

    def quota_refusal(
        self, instance_type: str, *, utilization: int, delta: int, usage: str = "endpoint"
    ) -> ApiError | None:
        """Return ResourceLimitExceeded where an account's quota doesn't allow a request, or None.

        Args:
            instance_type: which quota
            utilization: instances of the type that the account uses that way now
            delta: how many more the request wants
            usage: `endpoint` or `transform job`; each has a quota of its own, of the same size here
        """
        fault = self._take(
            FaultKind.QUOTA,
            {"instance_type": instance_type},
            lambda each: bool(delta > 0 and utilization + delta > each.settings["limit"]),
        )
        if fault is None:
            return None
        text = QUOTA_EXCEEDED.format(
            instance_type=instance_type,
            usage=usage,
            limit=fault.settings["limit"],
            utilization=utilization,
            delta=delta,
        )
        return ApiError("ResourceLimitExceeded", text)

    # ---- shared

    def _take(self, kind: FaultKind, subject: Mapping[str, str | None], also: Any = None) -> Any:
        """Use the oldest fault that meets a subject once; by chance where it has a share."""
        if kind not in self._active:
            return None
        with self._lock:
            for fault in self._faults.values():
                if fault.kind is not kind or fault.is_spent or not fault.meets(subject):
                    continue
                if also is not None and not also(fault):
                    continue
                if self._is_spared(fault):
                    continue
                used = fault.used_once_more()
                self._faults[fault.fault_id] = used
                self._refresh()
                break
            else:
                return None
        if _is_noted(used.used):
            self._note("used", used, subject)
        return used

    def _is_due(self, fault: Fault, instance_id: str) -> bool:
        """Count a container's requests; the one after the last allowed one is the crash's."""
        key = (fault.fault_id, instance_id)
        answered = self._answered.get(key, 0)
        if answered >= fault.settings["after_requests"]:
            return True
        self._answered[key] = answered + 1
        return False

    def _is_spared(self, fault: Fault) -> bool:
        share = fault.settings.get("share_percent", 100)
        return bool(share < 100 and self._chances[fault.fault_id].random() * 100 >= share)

    def _refresh(self) -> None:
        self._active = frozenset(f.kind for f in self._faults.values() if not f.is_spent)

    def _drop_oldest_spent(self) -> None:
        for fault in [each for each in self._faults.values() if each.is_spent]:
            if len(self._faults) <= 2 * MAXIMUM_FAULTS:
                return
            del self._faults[fault.fault_id], self._chances[fault.fault_id]

    def _note(
        self, action: str, fault: Fault, subject: Mapping[str, str | None] | None = None
    ) -> None:
        self._record.event(
            "fault",
            action=action,
            fault_id=fault.fault_id,
            fault_kind=fault.kind.value,
            used=fault.used,
            **(fault.scope if subject is None else subject),
        )


REQUEST_KINDS = frozenset({FaultKind.CRASH, FaultKind.LATENCY, FaultKind.MODEL_ERROR})


def kinds_as_dict() -> dict[str, Any]:
    """Return every kind of fault with what it takes, for people and for the command line."""
    return {
        kind.value: {
            "summary": rule.summary,
            "scope": list(rule.scope),
            "settings": {name: setting.allowed for name, setting in rule.settings.items()},
            "times": rule.times,
        }
        for kind, rule in KINDS.items()
    }


def _is_noted(used: int) -> bool:
    return used <= MAXIMUM_NOTED_USES or len(str(used).rstrip("0")) == 1
