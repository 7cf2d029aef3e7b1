"""Puts one rehearsal cloud together, starts it and takes it down again."""

from __future__ import annotations

import logging
import os
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from rehearsal.cloud.application import CloudApplication
from rehearsal.cloud.clock import Clock, ScaledClock
from rehearsal.cloud.control import ControlApi
from rehearsal.cloud.corrections import install_cloudwatch
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.fleets.artifacts import ArtifactCache
from rehearsal.cloud.fleets.fleets import Fleets
from rehearsal.cloud.fleets.images import ImageStore
from rehearsal.cloud.fleets.launch import Launcher
from rehearsal.cloud.fleets.runtime import ProcessRuntime
from rehearsal.cloud.hosting.api import HostingApi
from rehearsal.cloud.hosting.catalog import Catalog
from rehearsal.cloud.hosting.endpoints import Endpoints
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.http import Server
from rehearsal.cloud.identity.access import Access
from rehearsal.cloud.identity.managed import install_managed_policies
from rehearsal.cloud.record import Record
from rehearsal.cloud.registry import install_registry
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
from rehearsal.cloud.settings import CloudSettings
from rehearsal.cloud.wsgi import WsgiMount

logger = logging.getLogger(__name__)


class Cloud:
    """One rehearsal cloud: one port, one clock, one directory.

    moto keeps its state in the process, so there is one cloud per process at a time.
    """

    def __init__(self, settings: CloudSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = ScaledClock(settings.speed) if clock is None else clock
        self.record = Record(self.clock)
        self.shutdown = threading.Event()
        self.faults = Faults(self.record, seed=settings.seed)
        reset_backends()
        self._runtime = ProcessRuntime()
        account_id, region = settings.account_id, settings.region
        install_managed_policies(backend("iam", account_id, region))
        install_registry()
        cloudwatch = install_cloudwatch(
            account_id, region, self.clock, self.record, lambda: self.engine.flush_meters()
        )
        directory = settings.directory
        registry = backend("ecr", account_id, region)
        images = ImageStore(directory / "images", registry)
        checks = ServiceChecks(
            access=Access(account_id=account_id, region=region), images=images, registry=registry
        )
        artifacts = ArtifactCache(directory / "artifacts", Objects(account_id))
        logs = InstanceLogs(self.clock, directory / "logs", account_id, region)
        launcher = Launcher(
            clock=self.clock,
            images=images,
            artifacts=artifacts,
            runtime=self._runtime,
            access=checks,
            log=logs.write,
        )
        fleets = Fleets(
            launcher,
            self.record,
            faults=self.faults,
            maximum_instances=settings.maximum_instances,
            changed=lambda: self.engine.wake(),
        )
        self.scaler = Scaler()
        self.engine = Engine(
            clock=self.clock,
            catalog=Catalog(account_id=account_id, region=region),
            fleets=fleets,
            cloudwatch=cloudwatch,
            record=self.record,
            invoker=Invoker(self.clock, seed=settings.seed, account_id=account_id, region=region),
            after_alarms=self.scaler.alarms_evaluated,
            after_minute=self.scaler.minute_passed,
            on_deleted=self.scaler.endpoint_deleted,
        )
        endpoints = Endpoints(engine=self.engine, checks=checks, targets=self.scaler)
        self.scaler.hosting = endpoints
        self._images = images
        self._server = Server(self._application(endpoints), self.clock, settings.port)

    def _application(self, endpoints: Endpoints) -> CloudApplication:
        moto = WsgiMount(DomainDispatcherApplication(create_backend_app), port=self.settings.port)
        control = ControlApi(
            settings=self.settings,
            engine=self.engine,
            scaler=self.scaler,
            images=self._images,
            faults=self.faults,
            shutdown=self.shutdown,
        )
        return CloudApplication(
            invoker=self.engine.invoker,
            control=control,
            hosting=HostingApi(endpoints=endpoints),
            scaling=ScalingApi(
                account_id=self.settings.account_id,
                region=self.settings.region,
                scaler=self.scaler,
            ),
            moto=moto,
            faults=self.faults,
        )

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to tick and to answer."""
        self.settings.directory.mkdir(parents=True, exist_ok=True)
        self.engine.start()
        self._server.start()
        logger.info("rehearsal cloud started url=%s pid=%d", self.url, os.getpid())

    def stop(self) -> None:
        """Stop answering, end every instance, and leave no process behind."""
        self._server.stop()
        self.engine.stop()
        self.engine.cloudwatch.close()
        self._runtime.close()
