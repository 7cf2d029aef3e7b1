"""Puts asynchronous inference together out of the cloud's parts."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rehearsal.cloud.asynchronous.api import AsyncApi
from rehearsal.cloud.asynchronous.dispatcher import Dispatcher
from rehearsal.cloud.asynchronous.endpoint import AsyncEndpoint, async_endpoint, role_of
from rehearsal.cloud.asynchronous.notifier import Notifier
from rehearsal.cloud.asynchronous.processor import Processor
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.state import Endpoint, Kind
from rehearsal.cloud.identity.access import Access
from rehearsal.cloud.role_objects import RoleObjects
from rehearsal.cloud.services import InstanceLogs, Objects

ANNOUNCED = frozenset({Kind.CREATE, Kind.UPDATE, Kind.SCALE})


@dataclass(frozen=True, kw_only=True)
class AsyncInference:
    """The asynchronous side of a cloud."""

    engine: Engine
    api: AsyncApi
    dispatcher: Dispatcher
    notifier: Notifier

    def change_began(self, endpoint: Endpoint) -> None:
        """Send test notifications when a create, an update or a scale begins."""
        deployment = endpoint.deployment
        if deployment is None or deployment.kind not in ANNOUNCED:
            return
        fleet = endpoint.pending if endpoint.pending is not None else endpoint.live
        if fleet is None or not fleet.config.get("AsyncInferenceConfig"):
            return
        role_arn = role_of(fleet.config, self.engine.catalog.models)
        # Not on the caller's way: it holds the engine's lock, and a subscriber may be slow.
        threading.Thread(
            target=self.notifier.announce, args=(fleet.config, role_arn), daemon=True
        ).start()


def async_inference(
    *, engine: Engine, access: Access, logs: InstanceLogs, account_id: str, region: str, seed: int
) -> AsyncInference:
    """Return the asynchronous side of a cloud, not started yet."""

    def endpoint_of(name: str) -> AsyncEndpoint | None:
        return async_endpoint(engine.endpoints.get(name), engine.catalog.models)

    notifier = Notifier(account_id=account_id, region=region, may_publish=access.may_publish)
    processor = Processor(
        clock=engine.clock,
        region=region,
        objects=RoleObjects(objects=Objects(account_id), permissions=access),
        may_publish=access.may_publish,
        store=engine.cloudwatch.store,
        publish=notifier.publish,
        log=logs.append,
    )
    dispatcher = Dispatcher(
        processor=processor, routes=engine.invoker.routes, endpoint_of=endpoint_of, seed=seed
    )
    api = AsyncApi(
        clock=engine.clock,
        dispatcher=dispatcher,
        routes=engine.invoker.routes,
        endpoint_of=endpoint_of,
        account_id=account_id,
    )
    return AsyncInference(engine=engine, api=api, dispatcher=dispatcher, notifier=notifier)
