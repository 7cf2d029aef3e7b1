"""Puts one rehearsal cloud together, starts it and takes it down again."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from rehearsal.cloud.application import CloudApplication
from rehearsal.cloud.asynchronous.assembly import async_inference
from rehearsal.cloud.clock import Clock, ManualClock, ScaledClock
from rehearsal.cloud.cloudwatch.backend import RehearsedCloudWatch
from rehearsal.cloud.cloudwatch.fleet_groups import groups_of
from rehearsal.cloud.cloudwatch.instance_metrics import InstanceMetrics
from rehearsal.cloud.control import ControlApi
from rehearsal.cloud.corrections import install_clock, install_cloudwatch, remove_clock
from rehearsal.cloud.events.announcer import Announcer
from rehearsal.cloud.events.bus import EventBus
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.fleets.artifacts import ArtifactCache
from rehearsal.cloud.fleets.choice import runtime_and_images
from rehearsal.cloud.fleets.durations import durations_of
from rehearsal.cloud.fleets.fleets import Fleets
from rehearsal.cloud.fleets.images import ImageStore
from rehearsal.cloud.fleets.launch import Launcher
from rehearsal.cloud.fleets.prepare import Preparer
from rehearsal.cloud.history.history import History
from rehearsal.cloud.hosting.api import HostingApi
from rehearsal.cloud.hosting.catalog import Catalog
from rehearsal.cloud.hosting.endpoints import Endpoints
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.http import Server
from rehearsal.cloud.identity.access import Access
from rehearsal.cloud.identity.managed import install_managed_policies
from rehearsal.cloud.ids import new_id, seed_ids
from rehearsal.cloud.model_registry.api import ModelRegistryApi
from rehearsal.cloud.model_registry.groups import ModelRegistry
from rehearsal.cloud.record import Record
from rehearsal.cloud.registry import install_registry
from rehearsal.cloud.role_objects import RoleObjects
from rehearsal.cloud.runtime.invoke import Invoker
from rehearsal.cloud.scaling.api import ScalingApi
from rehearsal.cloud.scaling.scaler import Scaler
from rehearsal.cloud.service_checks import ServiceChecks
from rehearsal.cloud.services import (
    InstanceLogs,
    Objects,
    backend,
    reset_backends,
)
from rehearsal.cloud.settings import ClockKind, CloudSettings
from rehearsal.cloud.timekeeper import Timekeeper
from rehearsal.cloud.transform.api import TransformApi
from rehearsal.cloud.transform.jobs import TransformJobs
from rehearsal.cloud.wsgi import WsgiMount

logger = logging.getLogger(__name__)


class Cloud:
    """One rehearsal cloud: one port, one clock, one directory.

    moto keeps its state in the process, so there is one cloud per process at a time.
    """

    def __init__(self, settings: CloudSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock_of(settings) if clock is None else clock
        self.record = Record(self.clock)
        self.shutdown = threading.Event()
        self.faults = Faults(self.record, seed=settings.seed)
        self.history = History(settings.history_directory, self.clock, start_of(self))
        cloudwatch = self._corrected_moto()
        account_id, region = settings.account_id, settings.region
        directory = settings.directory
        registry = backend("ecr", account_id, region)
        self._runtime, images = runtime_and_images(settings, registry)
        access = Access(account_id=account_id, region=region)
        checks = ServiceChecks(access=access, images=images, registry=registry)
        logs = InstanceLogs(self.clock, directory / "logs", account_id, region)
        launcher = self._launcher(images, checks, logs)
        self.scaler = Scaler()
        self.engine = self._engine(launcher, cloudwatch)
        self.engine.invoker.captures.may_write = access.may_write
        self._instance_metrics = InstanceMetrics(
            store=cloudwatch.store,
            groups=lambda: groups_of(self.engine),
            disk=str(directory),
        )
        endpoints = Endpoints(engine=self.engine, checks=checks, targets=self.scaler)
        self.scaler.hosting = endpoints
        self._asynchronous = async_inference(
            engine=self.engine,
            access=access,
            logs=logs,
            account_id=account_id,
            region=region,
            seed=settings.seed,
        )
        self.engine.on_change_began = self._asynchronous.change_began
        self.events = self._event_bus()
        self.engine.on_changed = Announcer(engine=self.engine, bus=self.events).endpoint_changed
        self._transform = self._transform_jobs(launcher, access)
        self._model_registry = ModelRegistry(
            clock=self.clock,
            catalog=self.engine.catalog,
            bus=self.events,
            etag_of=Objects(account_id).etag,
        )
        self._images = images
        self.timekeeper = Timekeeper(clock=self.clock, tick=self._tick)
        self.application = self._application(endpoints)
        self._server = Server(self.application, self.clock, settings.port)

    def _corrected_moto(self) -> RehearsedCloudWatch:
        """Empty moto and correct what it gets wrong; return the CloudWatch of this cloud."""
        account_id, region = self.settings.account_id, self.settings.region
        reset_backends()
        seed_ids(self.settings.seed)
        install_clock(self.clock)
        install_managed_policies(backend("iam", account_id, region))
        install_registry()
        return install_cloudwatch(
            account_id, region, self.clock, self.record, lambda: self.engine.flush_meters()
        )

    def _transform_jobs(self, launcher: Launcher, access: Access) -> TransformJobs:
        return TransformJobs(
            engine=self.engine,
            launcher=launcher,
            objects=RoleObjects(objects=Objects(self.settings.account_id), permissions=access),
            bus=self.events,
            maximum_instances=self.settings.maximum_instances,
        )

    def _event_bus(self) -> EventBus:
        return EventBus(
            clock=self.clock,
            record=self.record,
            account_id=self.settings.account_id,
            region=self.settings.region,
            new_id=new_id,
        )

    def _launcher(self, images: ImageStore, checks: ServiceChecks, logs: InstanceLogs) -> Launcher:
        directory = self.settings.directory
        return Launcher(
            clock=self.clock,
            preparer=Preparer(
                images=images,
                artifacts=ArtifactCache(directory / "artifacts", Objects(self.settings.account_id)),
                access=checks,
                directory=directory / "instances",
            ),
            runtime=self._runtime,
            log=logs.append,
            record=self.record,
            durations=durations_of(self.settings.durations),
            grace_seconds=self.settings.stop_grace_wall_seconds,
            minimum_startup_wall_seconds=self.settings.minimum_startup_wall_seconds,
        )

    def _engine(self, launcher: Launcher, cloudwatch: RehearsedCloudWatch) -> Engine:
        account_id, region = self.settings.account_id, self.settings.region
        fleets = Fleets(
            launcher,
            self.record,
            faults=self.faults,
            maximum_instances=self.settings.maximum_instances,
            changed=lambda: self.engine.wake(),
            in_order=isinstance(self.clock, ManualClock),
        )
        return Engine(
            clock=self.clock,
            catalog=Catalog(account_id=account_id, region=region),
            fleets=fleets,
            cloudwatch=cloudwatch,
            record=self.record,
            invoker=Invoker(
                self.clock,
                seed=self.settings.seed,
                account_id=account_id,
                region=region,
                put_object=Objects(account_id).put_captured,
            ),
            faults=self.faults,
            after_alarms=self.scaler.alarms_evaluated,
            after_minute=self.scaler.minute_passed,
            on_tick=self._on_tick,
            on_deleted=self.scaler.endpoint_deleted,
        )

    def _on_tick(self) -> None:
        """Send what instances send by themselves, then let Auto Scaling look."""
        self._instance_metrics.tick(self.clock.now())
        self._transform.tick()
        self.scaler.tick()

    def _application(self, endpoints: Endpoints) -> CloudApplication:
        moto = WsgiMount(DomainDispatcherApplication(create_backend_app), port=self.settings.port)
        control = ControlApi(
            settings=self.settings,
            engine=self.engine,
            scaler=self.scaler,
            images=self._images,
            faults=self.faults,
            timekeeper=self.timekeeper,
            transform=self._transform,
            model_registry=self._model_registry,
            queue_sizes=self._asynchronous.dispatcher.sizes,
            shutdown=self.shutdown,
        )
        return CloudApplication(
            invoker=self.engine.invoker,
            async_invoker=self._asynchronous.api,
            control=control,
            hosting=HostingApi(endpoints=endpoints),
            transform=TransformApi(jobs=self._transform),
            model_registry=ModelRegistryApi(engine=self.engine, registry=self._model_registry),
            scaling=ScalingApi(
                account_id=self.settings.account_id,
                region=self.settings.region,
                scaler=self.scaler,
            ),
            moto=moto,
            faults=self.faults,
            history=self.history,
        )

    def _tick(self) -> None:
        """Look once on a manual clock; the ids of what happens then are the moment's own."""
        seed_ids(f"{self.settings.seed}/moment/{self.clock.now()}")
        self.engine.tick()
        self.engine.cloudwatch.settle()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to tick and to answer."""
        self.settings.directory.mkdir(parents=True, exist_ok=True)
        self.history.open()
        self.engine.start()
        self._asynchronous.dispatcher.start()
        self._server.start()
        logger.info("rehearsal cloud started url=%s pid=%d", self.url, os.getpid())

    def stop(self) -> None:
        """Stop answering, end every instance, and leave no process behind."""
        self._server.stop()
        # What the end of the cloud itself sets off belongs to no run.
        record = self.record.as_dict()
        self.engine.invoker.stop()
        self._asynchronous.dispatcher.stop()
        self._transform.stop()
        self.engine.stop()
        self.engine.cloudwatch.close()
        self._runtime.close()
        self.history.close(record)
        remove_clock()


def start_of(cloud: Cloud) -> dict[str, Any]:
    """Return what a replay has to know of a cloud's start."""
    settings = cloud.settings
    return {
        "seed": settings.seed,
        "speed": settings.speed,
        "clock": settings.clock.value,
        "start_time": cloud.clock.now(),
        "region": settings.region,
        "account_id": settings.account_id,
        "maximum_instances": settings.maximum_instances,
        "runtime": settings.runtime.value,
        "durations": settings.durations.value,
    }


def clock_of(settings: CloudSettings) -> Clock:
    """Return the clock that a cloud's settings ask for."""
    if settings.clock is ClockKind.SCALED:
        return ScaledClock(settings.speed)
    start = settings.start_time
    # A manual clock starts on a minute, where periods and alarms begin.
    now = time.time() // 60 * 60 if start is None else start
    return ManualClock(now, speed=settings.speed)
