"""Runs one job: instances up, objects dealt out, outputs kept, instances down.

What a job stores it stores when it ends: a job that is stopped stores nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.clock import Clock, milliseconds_from_epoch
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.fleets.launch import Launcher
from rehearsal.cloud.fleets.prepare import LaunchFailed
from rehearsal.cloud.runtime.connection import InstanceTimeout, InstanceUnreachable
from rehearsal.cloud.transform.errors import Fault, TransformError
from rehearsal.cloud.transform.inputs import Input, spread
from rehearsal.cloud.transform.job import Job
from rehearsal.cloud.transform.parameters import (
    Parameters,
    container_parameters,
    environment,
    model_with_environment,
    parameters,
)
from rehearsal.cloud.transform.processing import Processing
from rehearsal.cloud.transform.storage import Storage
from rehearsal.cloud.transform.transformer import Stopped, Transformer

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TransformJobs"
# A server that doesn't answer its pings is given up after this long (AWS's staff in
# amazon-sagemaker-examples#815).
STARTUP_SECONDS = 1_800
PARAMETERS_WALL_SECONDS = 10.0
# More requests at a time than this are no faster on one machine.
MAXIMUM_THREADS = 64
SEE_LOGS = "See job logs for more information"
INTERNAL_REASON = "InternalServerError: We encountered an internal error.  Please try again."


class JobFailed(Exception):
    """The job ends Failed; the text is its FailureReason."""


@dataclass
class JobRun:
    """One job while it runs.

    Args:
        new_instance_id: names its instances
        started: called when its instances are up
    """

    job: Job
    items: list[Input]
    processing: Processing
    launcher: Launcher
    storage: Storage
    clock: Clock
    faults: Faults
    new_instance_id: Callable[[], str]
    started: Callable[[], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    instances: list[Instance] = field(default_factory=list)
    outputs: dict[Input, bytes] = field(default_factory=dict)
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Do the whole work.

        Raises:
            JobFailed: instances didn't start, or an object couldn't be transformed
            Stopped: the job was told to stop
        """
        try:
            self._launch_all()
            self.started()
            hands = spread(self.items, len(self.instances))
            self._in_threads(self._work, list(zip(self.instances, hands, strict=True)))
        finally:
            self.end()
        if self.stopping.is_set():
            raise Stopped
        try:
            self.storage.store(self.outputs)
        except TransformError as err:
            self._note(self.instances[0], str(err))
            self._faults.append(err.fault)
        if self._faults:
            raise JobFailed(reason_of(self._faults[0]))

    def stop(self) -> None:
        """End the job's containers at once; what they were asked is lost."""
        self.stopping.set()
        for instance in self.instances:
            instance.close_to_requests()
            self.launcher.end_containers(instance, hurried=True)

    def end(self) -> None:
        """End every container."""
        for instance in self.instances:
            self.launcher.stop(instance, hurried=True)

    # ---- instances

    def _launch_all(self) -> None:
        count = self.job.asked["TransformResources"]["InstanceCount"]
        model = model_with_environment(self.job.model, environment(self.job.asked))
        definition = {
            "InstanceType": self.job.asked["TransformResources"]["InstanceType"],
            "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_SECONDS,
        }
        for _ in range(count):
            spec = InstanceSpec(
                instance_id=f"{self.new_instance_id()}-{int(self.clock.now())}",
                endpoint_name=self.job.name,
                config_name="",
                variant_name=self.job.name,
                fleet_id=self.job.arn,
                model=model,
                definition=definition,
                log_group=LOG_GROUP,
            )
            # What goes wrong on purpose with an endpoint's instances does with a job's.
            instance = Instance(spec=spec, faults=self.faults)
            instance.launch_fault = self.faults.launch(spec.subject)
            self.instances.append(instance)
        self._in_threads(self._launch, [(instance,) for instance in self.instances])

    def _launch(self, instance: Instance) -> None:
        if self.stopping.is_set():
            raise Stopped
        try:
            self.launcher.launch(instance)
        except LaunchFailed as err:
            if self.stopping.is_set():
                raise Stopped from err
            self._note(instance, str(err))
            # The texts of a launch are an endpoint's, but for that of a download.
            text = str(err) if str(err).startswith("Failed to download") else SEE_LOGS
            fault = Fault.CLIENT if text is not SEE_LOGS else Fault.ALGORITHM
            raise JobFailed(f"{fault}: {text}") from err
        instance.become(InstanceState.HEALTHY)

    def _parameters(self, instance: Instance) -> Parameters:
        told: dict[str, Any] = {}
        assert instance.pool is not None
        try:
            answer = instance.pool.request(
                "GET", "/execution-parameters", timeout_seconds=PARAMETERS_WALL_SECONDS
            )
            told = container_parameters(answer.body) if answer.status == 200 else {}
        except (InstanceUnreachable, InstanceTimeout) as err:
            logger.info("no execution parameters job=%s reason=%s", self.job.name, err)
        return parameters(self.job.asked, told)

    # ---- objects

    def _work(self, instance: Instance, items: list[Input]) -> None:
        """Transform one instance's objects, several at a time where requests may be."""
        chosen = self._parameters(instance)
        self._note(instance, chosen.line)
        threads = min(chosen.concurrency, MAXIMUM_THREADS)
        with ThreadPoolExecutor(threads) as requests, ThreadPoolExecutor(threads) as objects:
            transformer = Transformer(
                instance=instance,
                asked=self.job.asked,
                parameters=chosen,
                processing=self.processing,
                requests=requests,
                stopping=self.stopping,
            )
            list(objects.map(lambda item: self._transform(transformer, item), items))

    def _transform(self, transformer: Transformer, item: Input) -> None:
        try:
            output = transformer.transform(self.storage.read(item))
        except Stopped:
            return
        except TransformError as err:
            for line in err.lines:
                self._note(transformer.instance, f"{item.log_name}: {line}")
            with self._lock:
                self._faults.append(err.fault)
            return
        with self._lock:
            self.outputs[item] = output

    def _note(self, instance: Instance, text: str) -> None:
        stream = f"{instance.spec.log_stream}/data-log"
        line = f"{milliseconds_from_epoch(self.clock.now())}:[sagemaker logs]: {text}"
        self.launcher.log(LOG_GROUP, stream, line)

    def _in_threads(self, target: Callable[..., None], arguments: list[tuple[Any, ...]]) -> None:
        """Run a function per instance at the same time; raise the first error when all ended."""
        with ThreadPoolExecutor(len(arguments), thread_name_prefix="cloud-transform") as pool:
            futures = [pool.submit(target, *each) for each in arguments]
        for future in futures:
            future.result()


def reason_of(fault: Fault) -> str:
    """Return the FailureReason of a job by what went wrong first."""
    return INTERNAL_REASON if fault is Fault.INTERNAL else f"{fault}: {SEE_LOGS}"
