"""The control API under /rehearsal: for sessions, stand-ins and tests; no AWS client calls it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.faults.registry import Faults, kinds_as_dict
from rehearsal.cloud.fleets.images import ImageStore
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.http import Request, Response
from rehearsal.cloud.inventory import inventory
from rehearsal.cloud.model_registry.groups import ModelRegistry
from rehearsal.cloud.scaling.scaler import Scaler
from rehearsal.cloud.settings import CloudSettings
from rehearsal.cloud.timekeeper import Timekeeper
from rehearsal.cloud.transform.jobs import TransformJobs

PREFIX = "/rehearsal/"
MAXIMUM_NOTE_CHARACTERS = 4_096
# A day, far more than AWS's maintenance takes.
MAXIMUM_PATCH_SECONDS = 86_400


@dataclass
class ControlApi:
    """Answers GET, POST and DELETE below /rehearsal."""

    settings: CloudSettings
    engine: Engine
    scaler: Scaler
    images: ImageStore
    faults: Faults
    timekeeper: Timekeeper
    transform: TransformJobs
    model_registry: ModelRegistry
    queue_sizes: Callable[[], Mapping[str, int]]
    shutdown: threading.Event

    def __post_init__(self) -> None:
        self._routes: Mapping[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
            ("GET", "status"): self._status,
            ("GET", "record"): self._record,
            ("GET", "inventory"): self._inventory,
            ("POST", "clock"): self._move_clock,
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "images"): self._add_image,
            ("POST", "patches"): self._patch,
            ("POST", "notes"): self._add_note,
            ("POST", "shutdown"): self._shutdown,
        }

    def __call__(self, request: Request) -> Response:
        """Route one request; what is refused says what is allowed."""
        name = request.path.removeprefix(PREFIX).strip("/")
        operation = self._routes.get((request.method, name))
        if operation is None:
            known = ", ".join(f"{method} {PREFIX}{path}" for method, path in self._routes)
            return _json(404, {"error": f"no {request.method} {request.path}; there are {known}"})
        try:
            return _json(200, operation(_members(request)))
        except SetupError as err:
            return _json(400, {"error": str(err)})

    def _status(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {})
        clock = self.engine.clock
        return {
            "now": clock.now(),
            "speed": clock.speed,
            "clock": self.settings.clock.value,
            "account": self.settings.account_id,
            "region": self.settings.region,
            "runtime": self.settings.runtime.value,
            "processes": [
                {
                    "pid": container.running.pid,
                    "endpoint_name": instance.spec.endpoint_name,
                    "variant_name": instance.spec.variant_name,
                    "endpoint_config_name": instance.spec.config_name,
                    "instance_id": instance.spec.instance_id,
                    "container": container.hostname,
                    "port": container.port,
                }
                for instance in self.engine.fleets.processes()
                for container in instance.containers
            ]
            + [
                {
                    "pid": container.running.pid,
                    "transform_job_name": instance.spec.endpoint_name,
                    "container": container.hostname,
                    "port": container.port,
                }
                for instance in self.transform.instances()
                for container in instance.containers
            ],
            "queues": self.queue_sizes(),
        }

    def _record(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {})
        return self.engine.record.as_dict()

    def _inventory(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {})
        settings = self.settings
        found = inventory(
            self.engine,
            self.scaler,
            self.model_registry,
            settings.account_id,
            settings.region,
            transform_jobs=self.transform.running(),
        )
        return {"resources": found}

    def _move_clock(self, asked: dict[str, Any]) -> dict[str, Any]:
        seconds = asked.get("advance_seconds")
        if set(asked) != {"advance_seconds"} or not _is_number(seconds):
            raise SetupError('the body must be {"advance_seconds": <number>}')
        return {"now": self.timekeeper.advance(float(seconds))}

    def _list_faults(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {})
        return {"faults": self.faults.as_list(), "kinds": kinds_as_dict()}

    def _add_fault(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self.faults.add(asked).as_dict()

    def _clear_faults(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {"fault_id": False})
        return {"faults": [f.as_dict() for f in self.faults.clear(asked.get("fault_id"))]}

    def _patch(self, asked: dict[str, Any]) -> dict[str, Any]:
        seconds, name = asked.get("seconds"), asked.get("endpoint_name")
        if set(asked) != {"endpoint_name", "seconds"} or not isinstance(name, str):
            raise SetupError('the body must be {"endpoint_name": <name>, "seconds": <number>}')
        if not _is_number(seconds) or not 0 < seconds <= MAXIMUM_PATCH_SECONDS:
            raise SetupError(f"seconds is {seconds!r}; allowed is 1 to {MAXIMUM_PATCH_SECONDS}")
        with self.engine.lock:
            self.scaler.endpoints.patch(name, float(seconds))
        return {}

    def _add_image(self, asked: dict[str, Any]) -> dict[str, Any]:
        arguments = asked.pop("args", {})
        if not isinstance(arguments, dict) or not all(
            isinstance(v, str) for v in arguments.values()
        ):
            raise SetupError(f"field 'args' is {arguments!r}, not an object of strings")
        _expect(asked, {"image_uri": True, "context": True, "dockerfile": False, "target": False})
        dockerfile = asked.get("dockerfile")
        digest = self.images.add(
            asked["image_uri"],
            Path(asked["context"]),
            dockerfile=None if dockerfile is None else Path(dockerfile),
            arguments=arguments,
            target=asked.get("target"),
        )
        return {"digest": digest}

    def _add_note(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {"kind": False, "text": True, "verdict": False, "endpoint_name": False})
        if asked.get("kind", "note") != "note":
            raise SetupError(f"kind {asked['kind']!r} is not 'note', the only kind taken here")
        self.engine.record.event(
            "note",
            endpoint_name=asked.get("endpoint_name"),
            text=asked["text"][:MAXIMUM_NOTE_CHARACTERS],
            verdict=asked.get("verdict"),
        )
        return {}

    def _shutdown(self, asked: dict[str, Any]) -> dict[str, Any]:
        _expect(asked, {})
        self.shutdown.set()
        return {}


def _is_number(value: object) -> TypeGuard[int | float]:
    """Tell a finite number; JSON's true and NaN, as Python reads them, are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _members(request: Request) -> dict[str, Any]:
    if not request.body:
        return {}
    try:
        members = json.loads(request.body)
    except ValueError as err:
        raise SetupError(f"the body is not JSON: {err}") from err
    if not isinstance(members, dict):
        raise SetupError(f"the body is a JSON {type(members).__name__}, not an object")
    return members


def _expect(asked: Mapping[str, Any], fields: Mapping[str, bool]) -> None:
    """Refuse unknown fields by name, missing required ones, and anything but strings."""
    for name in asked:
        if name not in fields:
            raise SetupError(f"field {name!r} is unknown; allowed: {', '.join(fields) or 'none'}")
    for name, required in fields.items():
        if required and name not in asked:
            raise SetupError(f"field {name!r} is missing")
        if name in asked and not isinstance(asked[name], str):
            raise SetupError(f"field {name!r} is {asked[name]!r}, not a string")


def _json(status: int, members: Mapping[str, Any]) -> Response:
    return Response(
        status=status,
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(members).encode(),
    )
