"""Everything that exists in the rehearsal cloud now, over all services a program uses.

Left out, as on AWS they outlive what made them: log groups of deleted endpoints, and KMS keys
that wait for their deletion. moto's mappings are copied before they are gone through, as clients
make and delete things meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.model_registry.groups import ModelRegistry
from rehearsal.cloud.model_registry.version import GROUP, VERSION
from rehearsal.cloud.scaling.scaler import Scaler
from rehearsal.cloud.services import backend

Resource = dict[str, str]


def inventory(
    engine: Engine,
    scaler: Scaler,
    registry: ModelRegistry,
    account_id: str,
    region: str,
    *,
    transform_jobs: Iterable[str] = (),
) -> list[Resource]:
    """Return one entry per resource: service, type, name.

    Args:
        transform_jobs: those that have not ended; one that has can't be deleted
    """
    with engine.lock:
        return [
            *_hosting(engine, scaler),
            *(_resource("sagemaker", "transform-job", name) for name in transform_jobs),
            *(_resource("sagemaker", GROUP, name) for name in registry.groups),
            *(
                _resource("sagemaker", VERSION, f"{version.group}/{version.number}")
                for version in registry.versions.values()
            ),
            *_cloudwatch(engine),
            *_storage(account_id, region),
            *_identity(account_id, region),
            *_messages(account_id, region),
        ]


def _hosting(engine: Engine, scaler: Scaler) -> Iterator[Resource]:
    for name in engine.endpoints:
        yield _resource("sagemaker", "endpoint", name)
    for name in engine.catalog.configs:
        yield _resource("sagemaker", "endpoint-config", name)
    for name in engine.catalog.models:
        yield _resource("sagemaker", "model", name)
    for target in scaler.targets.values():
        yield _resource("application-autoscaling", "scalable-target", target.resource_id)
    for policy in scaler.policies.values():
        yield _resource("application-autoscaling", "scaling-policy", policy.name)
    for action in scaler.schedules.actions.values():
        yield _resource("application-autoscaling", "scheduled-action", action.name)


def _cloudwatch(engine: Engine) -> Iterator[Resource]:
    for name in list(engine.cloudwatch.alarms):
        yield _resource("cloudwatch", "alarm", name)
    for name in list(engine.cloudwatch.dashboards):
        yield _resource("cloudwatch", "dashboard", name)


def _storage(account_id: str, region: str) -> Iterator[Resource]:
    for name in list(backend("s3", account_id, region).buckets):
        yield _resource("s3", "bucket", name)
    for name in list(backend("ecr", account_id, region).repositories):
        yield _resource("ecr", "repository", name)


def _identity(account_id: str, region: str) -> Iterator[Resource]:
    for role in list(backend("iam", account_id, region).roles.values()):
        yield _resource("iam", "role", role.name)
    for key_id, key in list(backend("kms", account_id, region).keys.items()):
        if key.key_manager == "CUSTOMER" and key.key_state != "PendingDeletion":
            yield _resource("kms", "key", key_id)


def _messages(account_id: str, region: str) -> Iterator[Resource]:
    for arn in list(backend("sns", account_id, region).topics):
        yield _resource("sns", "topic", arn.rpartition(":")[2])
    for name in list(backend("sqs", account_id, region).queues):
        yield _resource("sqs", "queue", name)
    for bus in list(backend("events", account_id, region).event_buses.values()):
        for name in list(bus.rules):
            yield _resource("events", "rule", name)


def _resource(service: str, kind: str, name: str) -> Resource:
    return {"service": service, "type": kind, "name": name}
