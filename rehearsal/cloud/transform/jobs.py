"""Every transform job of the cloud: create, describe, list, stop, and a thread per running one."""

from __future__ import annotations

import copy
import itertools
import logging
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.cloud.clock import datetime_from_epoch
from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.events.bus import EventBus
from rehearsal.cloud.events.sagemaker import transform_change
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.fleets.launch import Launcher
from rehearsal.cloud.hosting.catalog import MODEL
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.listing import Row, page
from rehearsal.cloud.ids import new_id
from rehearsal.cloud.role_objects import RoleObjects
from rehearsal.cloud.s3_url import bucket_and_key
from rehearsal.cloud.transform.errors import TransformError
from rehearsal.cloud.transform.inputs import Input
from rehearsal.cloud.transform.job import TRANSFORM_JOB, Job, Status, describe, summary
from rehearsal.cloud.transform.processing import processing_from_members
from rehearsal.cloud.transform.rules import (
    NO_OBJECTS,
    check_job,
    check_model,
    name_is_taken,
    not_found,
)
from rehearsal.cloud.transform.runner import INTERNAL_REASON, JobFailed, JobRun
from rehearsal.cloud.transform.storage import Storage
from rehearsal.cloud.transform.transformer import Stopped
from rehearsal.cloud.transform.usage import JobMetrics

logger = logging.getLogger(__name__)

# Clients that look right after StopTransformJob find Stopping, as they do on AWS.
STOPPING_WALL_SECONDS = 0.5
CAPACITY_REASON = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a "
    "different ML instance type."
)


@dataclass
class TransformJobs:
    """All jobs; their states are guarded by the hosting engine's lock."""

    engine: Engine
    launcher: Launcher
    objects: RoleObjects
    bus: EventBus
    maximum_instances: int
    jobs: dict[str, Job] = field(default_factory=dict)
    _runs: dict[str, JobRun] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)
    _numbers: Callable[[], int] = field(default=itertools.count(1).__next__)

    def __post_init__(self) -> None:
        self._metrics = JobMetrics(store=self.engine.cloudwatch.store)

    # ---- operations, under the engine's lock

    def create(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        check_job(asked)
        name = asked["TransformJobName"]
        arn = self.engine.catalog.arn(TRANSFORM_JOB, name)
        if name in self.jobs:
            raise name_is_taken(arn)
        model = self.engine.catalog.get(MODEL, asked["ModelName"]).members
        check_model(model)
        self._expect_quota(asked["TransformResources"])
        now = self.engine.clock.now()
        job = Job(
            name=name,
            arn=arn,
            asked=copy.deepcopy(dict(asked)),
            model=model,
            created_at=now,
            changed_at=now,
        )
        storage = self._storage(job)
        run = self._run_of(job, storage, self._inputs(storage, asked))
        self.engine.catalog.put_tags(arn, asked.get("Tags", ()))
        self._runs[name] = run
        self._put(job)
        thread = threading.Thread(
            target=self._run, args=(name, run), name="cloud-transform", daemon=True
        )
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()
        return {"TransformJobArn": arn}

    def describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return describe(self.get(asked["TransformJobName"]))

    def list_jobs(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        rows = [
            Row(
                name=job.name,
                status=job.status.value,
                times={"CreationTime": job.created_at, "LastModifiedTime": job.changed_at},
                summary=summary(job),
            )
            for job in self.jobs.values()
        ]
        return page(rows, asked, result_key="TransformJobSummaries")

    def stop_job(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        job = self.get(asked["TransformJobName"])
        if job.status is not Status.IN_PROGRESS:
            raise validation_exception(
                f"The request was rejected because the transform job is in status {job.status}."
            )
        self._put(replace(job, status=Status.STOPPING))
        run = self._runs[job.name]
        # Not on the caller's way: a container may take seconds to end.
        threading.Thread(target=run.stop, name="cloud-transform-stop", daemon=True).start()
        return {}

    def get(self, name: str) -> Job:
        """Return a job, or refuse as not found."""
        if name not in self.jobs:
            raise not_found(name)
        return self.jobs[name]

    # ---- for the rest of the cloud

    def tick(self) -> None:
        """Send the metrics of jobs' instances that are due; called under the engine's lock."""
        self._metrics.tick(self.engine.clock.now(), self.instances())

    def instances(self) -> list[Instance]:
        """Return every instance whose container may still run."""
        with self.engine.lock:
            runs = list(self._runs.values())
        return [
            instance
            for run in runs
            for instance in run.instances
            if instance.running is not None and instance.running.exit_code() is None
        ]

    def running(self) -> list[str]:
        """Return the names of the jobs that have not ended."""
        with self.engine.lock:
            return [job.name for job in self.jobs.values() if job.is_running]

    def stop(self) -> None:
        """End every job and wait until nothing is left of it."""
        with self.engine.lock:
            runs = list(self._runs.values())
        for run in runs:
            run.stop()
        for thread in self._threads:
            thread.join(timeout=30)

    # ---- making a run

    def _expect_quota(self, resources: Mapping[str, Any]) -> None:
        """Refuse a job that the account's quota of its instance type doesn't allow."""
        used: Counter[str] = Counter()
        for job in self.jobs.values():
            held = job.asked["TransformResources"]
            used[held["InstanceType"]] += held["InstanceCount"] if job.is_running else 0
        refusal = self.engine.faults.quota_refusal(
            resources["InstanceType"],
            utilization=used[resources["InstanceType"]],
            delta=resources["InstanceCount"],
            usage="transform job",
        )
        if refusal is not None:
            raise refusal

    def _storage(self, job: Job) -> Storage:
        return Storage(
            objects=self.objects,
            asked=job.asked,
            role_arn=str(job.model.get("ExecutionRoleArn", "")),
            created_at=job.created_at,
            capture_id=new_id(),
        )

    def _inputs(self, storage: Storage, asked: Mapping[str, Any]) -> list[Input]:
        try:
            items = storage.inputs()
        except TransformError as err:
            raise validation_exception(str(err)) from err
        if not items:
            url = asked["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
            raise validation_exception(
                NO_OBJECTS.format(
                    url=url,
                    region=self.engine.catalog.region,
                    role=storage.role_arn,
                    bucket=bucket_and_key(url)[0],
                )
            )
        return items

    def _run_of(self, job: Job, storage: Storage, items: list[Input]) -> JobRun:
        generates = job.asked.get("DataCaptureConfig", {}).get("GenerateInferenceId", False)
        # Of its own: a job's threads must not disturb the order of the cloud's ids.
        rng = random.Random(job.arn)
        processing = processing_from_members(
            job.asked.get("DataProcessing", {}),
            new_id=(lambda: _uuid(rng)) if generates else None,
            started=f"{datetime_from_epoch(job.created_at):%Y-%m-%dT%H:%M:%SZ}",
        )
        return JobRun(
            job=job,
            items=items,
            processing=processing,
            launcher=self.launcher,
            storage=storage,
            clock=self.engine.clock,
            faults=self.engine.faults,
            new_instance_id=lambda: f"i-{self._numbers():017x}",
            started=lambda: self._change(job.name, started_at=self.engine.clock.now()),
        )

    # ---- a job's thread

    def _run(self, name: str, run: JobRun) -> None:
        status, reason = Status.COMPLETED, None
        # A thread's edge: an unexpected error must fail this job and not be lost.
        try:
            if self._lacks_capacity(run):
                raise JobFailed(CAPACITY_REASON)
            run.run()
        except Stopped:
            status = Status.STOPPED
        except JobFailed as err:
            status, reason = Status.FAILED, str(err)
        except Exception:
            logger.exception("transform job failed job=%s", name)
            status, reason = Status.FAILED, INTERNAL_REASON
        if run.stopping.is_set():
            time.sleep(STOPPING_WALL_SECONDS)
            status, reason = Status.STOPPED, None
        with self.engine.lock:
            self._runs.pop(name, None)
            self._change(
                name, status=status, failure_reason=reason, ended_at=self.engine.clock.now()
            )

    def _lacks_capacity(self, run: JobRun) -> bool:
        resources = run.job.asked["TransformResources"]
        held = [*self.engine.fleets.processes(), *self.instances()]
        types = Counter(each.spec.definition.get("InstanceType") for each in held)
        subject = {"endpoint_name": None, "instance_type": resources["InstanceType"]}
        if self.engine.faults.lacks_capacity(subject, types):
            return True
        return bool(len(held) + resources["InstanceCount"] > self.maximum_instances)

    def _change(self, name: str, **members: Any) -> None:
        with self.engine.lock:
            self._put(replace(self.jobs[name], changed_at=self.engine.clock.now(), **members))

    def _put(self, job: Job) -> None:
        before = self.jobs.get(job.name)
        self.jobs[job.name] = job
        if before is None or before.status is not job.status:
            self.engine.record.event(
                "transform_job",
                transform_job_name=job.name,
                status=job.status.value,
                failure_reason=job.failure_reason,
            )
            self.bus.send(
                transform_change(describe(job), self.engine.catalog.tags.get(job.arn, {}))
            )


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
