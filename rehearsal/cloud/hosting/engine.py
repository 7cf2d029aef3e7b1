"""The shell around the pure deployment engine: one lock, one ticker, real fleets.

Each tick looks at the fleets and the alarms, advances every endpoint, makes the fleets follow
and publishes the routes. Nothing under the lock waits for a process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.clock import Clock, ManualClock
from rehearsal.cloud.cloudwatch.backend import RehearsedCloudWatch
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.fleets.fleets import Fleets, VariantWish
from rehearsal.cloud.fleets.instance import InstanceSpec
from rehearsal.cloud.hosting.catalog import MODEL, Catalog
from rehearsal.cloud.hosting.deployment import advance
from rehearsal.cloud.hosting.describe import stage_name
from rehearsal.cloud.hosting.serverless import ServerlessVariants, definition_of
from rehearsal.cloud.hosting.state import (
    Endpoint,
    Fleet,
    FleetView,
    Observation,
    Status,
    Variant,
)
from rehearsal.cloud.hosting.traffic import route_from_endpoint
from rehearsal.cloud.record import Record
from rehearsal.cloud.runtime.invoke import Invoker
from rehearsal.cloud.runtime.meter import Meter
from rehearsal.cloud.settings import SAMPLE_INTERVAL_SECONDS

logger = logging.getLogger(__name__)

MINIMUM_TICK_WALL_SECONDS = 0.02
MAXIMUM_TICK_WALL_SECONDS = 0.25
# A machine that slept is not made to relive every minute it missed.
MAXIMUM_MINUTES_PER_TICK = 60


@dataclass
class Engine:
    """Endpoints and the ticker that moves them; every attribute is guarded by `lock`."""

    clock: Clock
    catalog: Catalog
    fleets: Fleets
    cloudwatch: RehearsedCloudWatch
    record: Record
    invoker: Invoker
    faults: Faults
    lock: threading.RLock = field(default_factory=threading.RLock)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    # Called under the lock with the alarms that were just evaluated.
    after_alarms: Callable[[list[Any]], None] = lambda alarms: None
    after_minute: Callable[[float], None] = lambda minute: None
    # Called under the lock at every look, before alarms are evaluated.
    on_tick: Callable[[], None] = lambda: None
    on_deleted: Callable[[Endpoint], None] = lambda endpoint: None
    # Called under the lock when an operation set off a deployment.
    on_change_began: Callable[[Endpoint], None] = lambda endpoint: None
    on_changed: Callable[[Endpoint | None, Endpoint], None] = lambda before, after: None
    serverless: ServerlessVariants = field(init=False)
    _meters: dict[tuple[str, str, str], Meter] = field(default_factory=dict)
    _published: dict[str, tuple[Endpoint, int]] = field(default_factory=dict)
    _wake: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _last_sample: float = 0.0
    _last_minute: int = 0

    def __post_init__(self) -> None:
        self.serverless = ServerlessVariants(
            self.clock, self.fleets, self.catalog, self._start_on_demand
        )

    # ---- ticking

    def start(self) -> None:
        """Begin to tick."""
        self._last_minute = int(self.clock.now() // 60)
        if isinstance(self.clock, ManualClock):
            # Whoever moves the clock ticks, too: nothing may happen in between.
            return
        self._thread = threading.Thread(target=self._run, name="cloud-engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the ticker, then every instance."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.fleets.stop()

    def _start_on_demand(self) -> None:
        """Have a process started that a request waits for."""
        if not isinstance(self.clock, ManualClock):
            self.wake()
            return
        # Nobody looks until the clock is moved, so the request itself does: the first time sets
        # the launch off, the second one brings it to its end.
        with self.lock:
            self._follow()
            self._follow()

    def wake(self) -> None:
        """Ask for a tick now; called when an instance changed."""
        self._wake.set()

    def _run(self) -> None:
        interval = min(
            MAXIMUM_TICK_WALL_SECONDS, max(MINIMUM_TICK_WALL_SECONDS, 1.0 / self.clock.speed)
        )
        while not self._stopping.is_set():
            self._wake.wait(interval)
            self._wake.clear()
            # A thread's edge: a defect in one tick must be seen and must not end the cloud.
            try:
                self.tick()
            except Exception:
                logger.exception("tick failed")

    def tick(self) -> None:
        """Look once and act on what is seen."""
        with self.lock:
            self.flush_meters()
            self._pass_minutes()
            self.on_tick()
            alarms = self.cloudwatch.evaluate_alarms()
            if alarms:
                self.after_alarms(alarms)
            for endpoint in list(self.endpoints.values()):
                self.replace(advance(endpoint, self.observe(endpoint)))
            self._follow()
            self._sample()

    def observe(self, endpoint: Endpoint) -> Observation:
        """Return what can be seen of an endpoint now."""
        fleets = endpoint.fleets
        states = self.cloudwatch.states() if endpoint.deployment is not None else {}
        return Observation(
            now=self.clock.now(),
            fleets={fleet.fleet_id: self._view(endpoint, fleet) for fleet in fleets},
            alarms_in_alarm=frozenset(n for n, state in states.items() if state == "ALARM"),
        )

    def _view(self, endpoint: Endpoint, fleet: Fleet) -> FleetView:
        if fleet.kind == "serverless":
            return self.serverless.view(endpoint, fleet)
        return self.fleets.view(fleet.fleet_id)

    def fleet_ids(self) -> set[str]:
        """Return the fleets that endpoints have now."""
        return set().union(*(_fleet_ids(endpoint) for endpoint in self.endpoints.values()))

    def flush_meters(self) -> None:
        """Bring the metrics up to now; queries call it, too."""
        with self.lock:
            for meter in self._meters.values():
                meter.flush(self.cloudwatch.store)

    # ---- changing an endpoint

    def replace(self, endpoint: Endpoint) -> None:
        """Put a new state in place of the old one and record what changed."""
        with self.lock:
            before = self.endpoints.get(endpoint.name)
            if endpoint is before:
                return
            if before is not None and _fleet_ids(before) - _fleet_ids(endpoint):
                # What a fleet answered since the last sample must not leave with it.
                self.flush_meters()
                self._sample_endpoint(before)
            if endpoint.status is Status.ABSENT:
                del self.endpoints[endpoint.name]
                self.catalog.tags.pop(endpoint.arn, None)
                for key in [key for key in self._meters if key[0] == endpoint.name]:
                    del self._meters[key]
                self.on_deleted(endpoint)
            else:
                self.endpoints[endpoint.name] = endpoint
            self._record_change(before, endpoint)
            self.on_changed(before, endpoint)

    def settle(self) -> None:
        """Let a change take effect before the call that made it returns."""
        self._follow()
        self.wake()

    def _record_change(self, before: Endpoint | None, after: Endpoint) -> None:
        if before is None or before.status is not after.status:
            self.record.event(
                "endpoint_status",
                endpoint_name=after.name,
                status=after.status.value,
                endpoint_config_name=after.config_name,
                failure_reason=after.failure_reason,
            )
        old = before.deployment if before is not None else None
        new = after.deployment
        stage = stage_name(new)
        same = (
            old is not None
            and new is not None
            and (old.position, old.failure_reason)
            == (
                new.position,
                new.failure_reason,
            )
        )
        if new is not None and stage is not None and not (same and stage_name(old) == stage):
            shares = after.green_shares
            self.record.event(
                "deployment_stage",
                endpoint_name=after.name,
                stage=stage,
                operation=new.kind.value,
                position=new.position,
                green_traffic_percent={n: round(100 * share) for n, share in shares.items()},
                endpoint_config_name=after.pending.config_name if after.pending else None,
                failure_reason=new.failure_reason,
            )

    # ---- following

    def _follow(self) -> None:
        """Take traffic away before the instances that had it, and give it after they are up."""
        self._publish()
        self.fleets.reconcile(self._wishes())
        self._publish()

    def _wishes(self) -> dict[str, dict[str, VariantWish]]:
        wishes = {}
        for endpoint in self.endpoints.values():
            for fleet in endpoint.fleets:
                wishes[fleet.fleet_id] = self._fleet_wish(endpoint, fleet)
        return wishes

    def _fleet_wish(self, endpoint: Endpoint, fleet: Fleet) -> dict[str, VariantWish]:
        wish = {}
        for variant in fleet.variants:
            model = self.catalog.models.get(variant.definition["ModelName"])
            spec = InstanceSpec(
                instance_id="",
                endpoint_name=endpoint.name,
                config_name=fleet.config_name,
                variant_name=variant.name,
                fleet_id=fleet.fleet_id,
                model=model.members if model is not None else None,
                definition=definition_of(variant),
            )
            wish[variant.name] = VariantWish(
                count=self._wanted_count(endpoint, fleet, variant), spec=spec
            )
        return wish

    def _wanted_count(self, endpoint: Endpoint, fleet: Fleet, variant: Variant) -> int:
        if fleet.refusal is not None:
            return 0
        if variant.desired_serverless is not None:
            return self.serverless.wanted(endpoint, fleet, variant)
        return variant.target_count

    def meter(self, endpoint_name: str, variant_name: str, config_name: str) -> Meter:
        """Return the meter of a lane, made on first use."""
        key = (endpoint_name, variant_name, config_name)
        if key not in self._meters:
            self._meters[key] = Meter(
                *key, is_serverless=self._is_serverless(endpoint_name, config_name)
            )
        return self._meters[key]

    def _is_serverless(self, endpoint_name: str, config_name: str) -> bool:
        endpoint = self.endpoints.get(endpoint_name)
        fleets = (endpoint.live, endpoint.pending) if endpoint is not None else ()
        return any(
            fleet.kind == "serverless"
            for fleet in fleets
            if fleet is not None and fleet.config_name == config_name
        )

    def _publish(self) -> None:
        self.serverless.follow(self.endpoints)
        for name in [known for known in self._published if known not in self.endpoints]:
            del self._published[name]
            self.invoker.routes.pop(name, None)
        for name, endpoint in self.endpoints.items():
            current = (endpoint, self.fleets.version)
            last = self._published.get(name)
            if last is not None and last[0] is endpoint and last[1] == current[1]:
                continue
            self._published[name] = current
            route = route_from_endpoint(
                endpoint,
                self.fleets.healthy,
                self.meter,
                self.invoker.captures.of,
                self.serverless.on_demand,
            )
            if route is None:
                self.invoker.routes.pop(name, None)
            else:
                self.invoker.routes[name] = route

    # ---- time passing

    def _pass_minutes(self) -> None:
        minute = int(self.clock.now() // 60)
        first = max(self._last_minute, minute - MAXIMUM_MINUTES_PER_TICK)
        for passed in range(first, minute):
            self.after_minute(passed * 60.0)
        self._last_minute = minute

    def _sample(self) -> None:
        now = self.clock.now()
        if now - self._last_sample < SAMPLE_INTERVAL_SECONDS:
            return
        self._last_sample = now
        for endpoint in self.endpoints.values():
            self._sample_endpoint(endpoint)

    def _sample_endpoint(self, endpoint: Endpoint) -> None:
        self.record.sample(
            endpoint_name=endpoint.name,
            status=endpoint.status.value,
            endpoint_config_name=endpoint.config_name,
            stage=stage_name(endpoint.deployment),
            fleets=self._fleet_samples(endpoint),
            alarms=self._alarms_of(endpoint, self.cloudwatch.states()),
        )

    def _fleet_samples(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        fleets = (("blue", endpoint.live), ("green", endpoint.pending), ("mixed", endpoint.mixed))
        samples = []
        for role, fleet in fleets:
            if fleet is None:
                continue
            view = self.fleets.view(fleet.fleet_id)
            for variant in fleet.variants:
                meter = self.meter(endpoint.name, variant.name, fleet.config_name)
                samples.append(
                    {
                        "role": role,
                        "endpoint_config_name": fleet.config_name,
                        "variant_name": variant.name,
                        "traffic_percent": round(100 * endpoint.shares(variant.name)[role]),
                        "instances": view.healthy.get(variant.name, 0),
                        **meter.take_window().as_dict(),
                    }
                )
        return samples

    def _alarms_of(self, endpoint: Endpoint, states: Mapping[str, str]) -> dict[str, str]:
        return {
            name: state
            for name, state in states.items()
            if self.cloudwatch.dimensions(name).get("EndpointName") == endpoint.name
        }

    def model_members(self, name: str) -> Mapping[str, Any]:
        """Return a model as it was sent, or refuse as not found."""
        return self.catalog.get(MODEL, name).members


def _fleet_ids(endpoint: Endpoint) -> set[str]:
    return {fleet.fleet_id for fleet in endpoint.fleets}
