"""Makes real instances follow the counts an endpoint's state asks for.

Every call returns at once: launches and stops run in threads of their own, and what they reach
is seen by the next look at `view`.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.fleets.health import Unhealthy, is_running
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.fleets.launch import Launcher
from rehearsal.cloud.fleets.prepare import LaunchFailed
from rehearsal.cloud.fleets.start import pass_time, ping_failed
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.state import FleetView
from rehearsal.cloud.record import Record

logger = logging.getLogger(__name__)

# A crashed or failed instance of a serving fleet is replaced after this pause.
REPLACEMENT_PAUSE_WALL_SECONDS = 2.0
ACTIVE = frozenset({InstanceState.STARTING, InstanceState.HEALTHY})


@dataclass(frozen=True, kw_only=True)
class VariantWish:
    """How many instances of one variant should exist, and what each is made of.

    Args:
        spec: the instances' spec; `instance_id` is filled in per launch
    """

    count: int
    spec: InstanceSpec


class Fleets:
    """All instances, by fleet and variant, in launch order.

    Args:
        in_order: for a manual clock: `reconcile` returns when what it set off is done, one after
            another, or waits for the clock to move
    """

    def __init__(
        self,
        launcher: Launcher,
        record: Record,
        *,
        faults: Faults,
        maximum_instances: int,
        changed: Callable[[], None],
        in_order: bool = False,
    ) -> None:
        self._launcher = launcher
        self._record = record
        self._faults = faults
        self._maximum_instances = maximum_instances
        self._changed = changed
        self._in_order = in_order
        self._clock = launcher.clock
        self._waiting: list[tuple[threading.Thread, Instance]] = []
        self._lock = threading.Lock()
        self._fleets: dict[str, dict[str, list[Instance]]] = {}
        self._threads: set[threading.Thread] = set()
        self._numbers = itertools.count(1)
        self.version = 0

    def reconcile(self, wishes: Mapping[str, Mapping[str, VariantWish]]) -> None:
        """Launch and stop instances so that every fleet gets to its wish; others go."""
        self._finish_waiting()
        with self._lock:
            for fleet_id, variants in wishes.items():
                fleet = self._fleets.setdefault(fleet_id, {})
                for name, wish in variants.items():
                    self._reconcile_variant(fleet.setdefault(name, []), wish)
            for fleet_id in [known for known in self._fleets if known not in wishes]:
                for instances in self._fleets[fleet_id].values():
                    self._shrink(instances, 0)
                if not any(self._fleets[fleet_id].values()):
                    del self._fleets[fleet_id]
        self._finish_waiting()

    def view(self, fleet_id: str) -> FleetView:
        """Return what is seen of a fleet now."""
        with self._lock:
            variants = self._fleets.get(fleet_id, {})
            failures = [
                instance.failure
                for instances in variants.values()
                for instance in instances
                if instance.state is InstanceState.FAILED
            ]
            return FleetView(
                healthy={
                    name: sum(i.state is InstanceState.HEALTHY for i in instances)
                    for name, instances in variants.items()
                },
                existing={
                    name: sum(i.state is not InstanceState.FAILED for i in instances)
                    for name, instances in variants.items()
                },
                failure=failures[0] if failures else None,
            )

    def healthy(self, fleet_id: str, variant_name: str) -> tuple[Instance, ...]:
        """Return the instances that take requests, oldest first."""
        with self._lock:
            instances = self._fleets.get(fleet_id, {}).get(variant_name, ())
            return tuple(i for i in instances if i.state is InstanceState.HEALTHY)

    def processes(self) -> list[Instance]:
        """Return every instance whose container may still run."""
        with self._lock:
            return [i for i in self._all() if any(is_running(c) for c in i.containers)]

    def stop(self) -> None:
        """End every instance and wait until all are gone."""
        self._launcher.ending.set()
        self.reconcile({})
        while True:
            with self._lock:
                threads = [thread for thread in self._threads if thread.is_alive()]
            if not threads:
                return
            for thread in threads:
                thread.join()

    # ---- under the lock

    def _reconcile_variant(self, instances: list[Instance], wish: VariantWish) -> None:
        self._notice_crashes(instances)
        active = [i for i in instances if i.state in ACTIVE or i.state is InstanceState.FAILED]
        if len(active) > wish.count:
            self._shrink(instances, wish.count)
            return
        self._retry_failed(instances)
        active = [i for i in instances if i.state in ACTIVE or i.state is InstanceState.FAILED]
        for _ in range(wish.count - len(active)):
            self._launch(instances, wish.spec)

    def _notice_crashes(self, instances: list[Instance]) -> None:
        for instance in instances:
            ended = [c for c in instance.containers if not is_running(c)]
            if instance.state is InstanceState.HEALTHY and ended:
                bad = Unhealthy(hostname=ended[0].hostname, exit_code=ended[0].running.exit_code())
                self._fail_in_service(instance, bad)

    def _fail_in_service(self, instance: Instance, bad: Unhealthy) -> None:
        """Take an instance out that was healthy; it is replaced after a pause."""
        if bad.exit_code is None:
            self._event("unhealthy", instance, container=bad.hostname)
        else:
            self._event("crashed", instance, exit_code=bad.exit_code)
        instance.failure = ping_failed(instance, bad.hostname)
        instance.become(InstanceState.FAILED)
        self._note_retry(instance)
        self.version += 1

    def _note_retry(self, instance: Instance) -> None:
        pause = REPLACEMENT_PAUSE_WALL_SECONDS * self._clock.speed
        instance.retry_at = self._clock.now() + pause

    def _retry_failed(self, instances: list[Instance]) -> None:
        now = self._clock.now()
        for instance in [i for i in instances if i.state is InstanceState.FAILED]:
            if instance.retry_at is not None and instance.retry_at <= now:
                instances.remove(instance)
                self._in_thread(self._end, instance)

    def _shrink(self, instances: list[Instance], count: int) -> None:
        """Stop failed instances first, then idle ones, the newest first, until `count` are left."""
        candidates = [i for i in instances if i.state in ACTIVE or i.state is InstanceState.FAILED]
        surplus = len(candidates) - count
        order = sorted(candidates, key=_spares)
        for instance in reversed(order[len(order) - surplus :] if surplus > 0 else []):
            instance.close_to_requests()
            self.version += 1
            self._in_thread(self._stop, instance, instances)

    def _launch(self, instances: list[Instance], spec: InstanceSpec) -> None:
        running = sum(self._running_by_type().values())
        named = InstanceSpec(**{**vars(spec), "instance_id": f"i-{next(self._numbers):017x}"})
        instance = Instance(spec=named, faults=self._faults)
        short = running >= self._maximum_instances or self._faults.lacks_capacity(
            named.subject, self._running_by_type()
        )
        instances.append(instance)
        if short:
            instance.lacks_capacity = True
            self._in_thread(self._give_up, instance)
            return
        # Taken here, where launches have an order, and not in the threads they run in.
        instance.launch_fault = self._faults.launch(named.subject)
        self._event("launching", instance)
        self._in_thread(self._start, instance)

    def _running_by_type(self) -> Counter[str | None]:
        held = (InstanceState.DRAINING, *ACTIVE)
        return Counter(
            i.spec.subject["instance_type"]
            for i in self._all()
            if i.state in held and not i.lacks_capacity
        )

    def _all(self) -> Iterable[Instance]:
        for variants in self._fleets.values():
            for instances in variants.values():
                yield from instances

    def _in_thread(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(
            target=self._run, args=(target, *arguments), name="cloud-instance", daemon=True
        )
        self._threads.add(thread)
        if not self._in_order:
            thread.start()
            return
        instance = next(each for each in arguments if isinstance(each, Instance))
        self._waiting.append((thread, instance))

    def _finish_waiting(self) -> None:
        """Run the threads of an ordered fleet one by one, as far as the clock allows."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for thread, instance in waiting:
            if thread.ident is None:
                thread.start()
            while thread.is_alive() and not instance.waits(self._clock.now()):
                thread.join(0.001)
        with self._lock:
            self._waiting += [pair for pair in waiting if pair[0].is_alive()]

    # ---- in threads

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        try:
            target(*arguments)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
            self._changed()

    def _start(self, instance: Instance) -> None:
        # A thread's edge: an unexpected error must fail this launch and not be lost.
        try:
            self._launcher.launch(instance)
        except LaunchFailed as err:
            reason = str(err)
        except Exception as err:
            logger.exception("launch failed instance=%s", instance.spec.instance_id)
            reason = f"Request to service failed: {err!r}"
        else:
            if instance.become(InstanceState.HEALTHY):
                self._changed_now()
                self._event("healthy", instance)
                self._begin_watch(instance)
                return
            reason = "the instance was stopped while it started"
        self._launcher.end_containers(instance, hurried=True)
        self._fail_launch(instance, reason)

    def _give_up(self, instance: Instance) -> None:
        """Fail a launch without capacity, once AWS would have given it up."""
        seconds = self._launcher.durations.capacity_wait_seconds(instance.spec.definition)
        pass_time(instance, self._clock, seconds)
        self._fail_launch(instance, messages.NO_CAPACITY)

    def _fail_launch(self, instance: Instance, reason: str) -> None:
        if instance.stopping.is_set():
            return
        with self._lock:
            instance.failure = reason
            instance.become(InstanceState.FAILED)
            self._note_retry(instance)
            self.version += 1
        self._event("launch_failed", instance, reason=reason)

    def _begin_watch(self, instance: Instance) -> None:
        thread = threading.Thread(
            target=self._run, args=(self._watch, instance), name="cloud-watch", daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _watch(self, instance: Instance) -> None:
        bad = self._launcher.watch(instance)
        if bad is None:
            return
        with self._lock:
            if instance.state is InstanceState.HEALTHY:
                self._fail_in_service(instance, bad)

    def _changed_now(self) -> None:
        with self._lock:
            self.version += 1

    def _stop(self, instance: Instance, instances: list[Instance]) -> None:
        self._end(instance)
        with self._lock:
            if instance in instances:
                instances.remove(instance)
            self.version += 1
        self._event("terminated", instance)

    def _end(self, instance: Instance) -> None:
        self._launcher.stop(instance)

    def _event(self, what: str, instance: Instance, **members: object) -> None:
        spec = instance.spec
        self._record.event(
            "fleet",
            endpoint_name=spec.endpoint_name,
            endpoint_config_name=spec.config_name,
            variant_name=spec.variant_name,
            instance_id=spec.instance_id,
            action=what,
            **members,
        )


def _spares(instance: Instance) -> int:
    """Return how readily an instance is given up: a busy one least."""
    if instance.state is InstanceState.FAILED:
        return 2
    return 0 if instance.outstanding > 0 else 1
