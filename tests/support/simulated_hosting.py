"""The hosting API and its engine over instances that are only pictured, and a clock moved by hand.

Everything but processes and other services is the real thing, so that random commands can be tried
by the thousand.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.cloudwatch.backend import RehearsedCloudWatch
from rehearsal.cloud.cloudwatch.metrics import MetricStore
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.registry import Faults
from rehearsal.cloud.fleets.fleets import Fleets, VariantWish
from rehearsal.cloud.fleets.images import Image
from rehearsal.cloud.fleets.instance import Instance, InstanceSpec, InstanceState
from rehearsal.cloud.hosting.api import HostingApi
from rehearsal.cloud.hosting.catalog import Catalog
from rehearsal.cloud.hosting.endpoints import Endpoints
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.neighbours import Checks
from rehearsal.cloud.hosting.state import FleetView
from rehearsal.cloud.http import Request
from rehearsal.cloud.record import Record
from rehearsal.cloud.runtime.invoke import Invoker

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/execution"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/model:1"


class SimulatedFleets:
    """Instances that start, fail and stop when the test says so, and at no other time."""

    def __init__(self) -> None:
        self.version = 0
        self.instances: dict[str, dict[str, list[Instance]]] = {}
        self._numbers = itertools.count(1)

    def reconcile(self, wishes: Mapping[str, Mapping[str, VariantWish]]) -> None:
        for fleet_id, variants in wishes.items():
            fleet = self.instances.setdefault(fleet_id, {})
            for name, wish in variants.items():
                self._reconcile(fleet.setdefault(name, []), wish)
        for fleet_id in [known for known in self.instances if known not in wishes]:
            del self.instances[fleet_id]
            self.version += 1

    def view(self, fleet_id: str) -> FleetView:
        variants = self.instances.get(fleet_id, {})
        failed = [i for each in variants.values() for i in each if i.state is InstanceState.FAILED]
        return FleetView(
            healthy={name: len(_healthy(each)) for name, each in variants.items()},
            existing={
                name: sum(i.state is not InstanceState.FAILED for i in each)
                for name, each in variants.items()
            },
            failure=failed[0].failure if failed else None,
        )

    def healthy(self, fleet_id: str, variant_name: str) -> tuple[Instance, ...]:
        return tuple(_healthy(self.instances.get(fleet_id, {}).get(variant_name, ())))

    def stop(self) -> None:
        self.reconcile({})

    # ---- what the test makes happen

    def in_state(self, state: InstanceState) -> list[Instance]:
        """Return every instance in a state, oldest first."""
        return [
            instance
            for variants in self.instances.values()
            for instances in variants.values()
            for instance in instances
            if instance.state is state
        ]

    def start_up(self, count: int | None = None) -> None:
        """Let so many starting instances answer their first ping, or all of them."""
        for instance in self.in_state(InstanceState.STARTING)[:count]:
            instance.state = InstanceState.HEALTHY
            self.version += 1

    def fail(self, state: InstanceState, reason: str) -> None:
        """Let the newest instance of a state fail."""
        for instance in self.in_state(state)[-1:]:
            instance.state, instance.failure = InstanceState.FAILED, reason
            self.version += 1

    def forget_failed(self) -> None:
        """Take failed instances away, so that new ones are launched for them."""
        for variants in self.instances.values():
            for instances in variants.values():
                instances[:] = [i for i in instances if i.state is not InstanceState.FAILED]
        self.version += 1

    def _reconcile(self, instances: list[Instance], wish: VariantWish) -> None:
        while len(instances) > wish.count:
            instances.pop()
            self.version += 1
        for _ in range(wish.count - len(instances)):
            spec = InstanceSpec(
                **{**vars(wish.spec), "instance_id": f"i-{next(self._numbers):017x}"}
            )
            instances.append(Instance(spec=spec))


class SimulatedAlarms:
    """CloudWatch with alarms that are in the state the test says."""

    def __init__(self) -> None:
        self.store = MetricStore()
        self.in_alarm: set[str] = set()

    def evaluate_alarms(self) -> list[Any]:
        return []

    def states(self) -> dict[str, str]:
        return dict.fromkeys(self.in_alarm, "ALARM")

    def dimensions(self, name: str) -> dict[str, str]:
        return {}


class Permissive:
    """Services that find no problem, but with the roles named in `refused_roles`."""

    def __init__(self) -> None:
        self.refused_roles: set[str] = set()

    def role_problem(self, role_arn: str) -> str | None:
        return "Could not assume role" if role_arn in self.refused_roles else None

    def execution_role_problem(self, role_arn: str) -> str | None:
        return self.role_problem(role_arn)

    def image(self, uri: str) -> Image | None:
        return cast(Image, _AnImage())

    def registered_variants(self, endpoint_name: str) -> frozenset[str]:
        return frozenset()

    def __getattr__(self, name: str) -> Callable[..., str | None]:
        if not name.endswith("_problem"):
            raise AttributeError(name)
        return lambda *arguments, **named: None


class _AnImage:
    digest = "sha256:" + "0" * 64


class SimulatedHosting:
    """SageMaker hosting without a process: call operations, let things happen, look."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.fleets = SimulatedFleets()
        self.alarms = SimulatedAlarms()
        self.services = Permissive()
        self.record = Record(self.clock)
        self.faults = Faults(self.record, seed=0)
        self.engine = Engine(
            clock=self.clock,
            catalog=Catalog(account_id=ACCOUNT, region=REGION),
            fleets=cast(Fleets, self.fleets),
            cloudwatch=cast(RehearsedCloudWatch, self.alarms),
            record=self.record,
            invoker=Invoker(self.clock, seed=0, account_id=ACCOUNT, region=REGION),
            faults=self.faults,
        )
        endpoints = Endpoints(
            engine=self.engine, checks=cast(Checks, self.services), targets=self.services
        )
        self.api = HostingApi(endpoints=endpoints)

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """Return what an operation answers.

        Raises:
            ApiError: what it refuses with
        """
        body = json.dumps(members).encode()
        request = Request(method="POST", target="/", headers={}, raw_headers=(), body=body)
        answer: dict[str, Any] = json.loads(self.api(operation, request).body)
        return answer

    def refusal(self, operation: str, **members: Any) -> str:
        """Return the message an operation refuses with; answering is a failure."""
        try:
            self.call(operation, **members)
        except ApiError as err:
            return err.message
        raise AssertionError(f"{operation} was not refused")

    def look(self, seconds: float = 0.0) -> None:
        """Let time pass, then look once."""
        self.clock.advance(seconds)
        self.engine.tick()

    def make_model(self, name: str, **container: Any) -> str:
        """Create a model; return its name."""
        self.call(
            "CreateModel",
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://bucket/key", **container},
        )
        return name

    def make_config(self, name: str, variants: list[dict[str, Any]], **members: Any) -> str:
        """Create an endpoint config; return its name."""
        self.call(
            "CreateEndpointConfig",
            EndpointConfigName=name,
            ProductionVariants=variants,
            **members,
        )
        return name


def _healthy(instances: Iterable[Instance]) -> list[Instance]:
    return [instance for instance in instances if instance.state is InstanceState.HEALTHY]
