"""Lets an invocation in: checks it, chooses variant, fleet and instance, and counts it in."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.history.served import note_instance
from rehearsal.cloud.http import Request
from rehearsal.cloud.ids import request_id as new_request_id
from rehearsal.cloud.runtime.failure import Failures, check_container, check_kind, refusal
from rehearsal.cloud.runtime.headers import (
    NEW_SESSION,
    PREFIX_AWARE_ID,
    SESSION_ID,
    TARGET_MODEL,
    TARGET_VARIANT,
    check_headers,
)
from rehearsal.cloud.runtime.on_demand import ColdStartFailed, Retired, Taken
from rehearsal.cloud.runtime.routing import (
    Lane,
    Route,
    RouteKind,
    VariantRoute,
    choose_by_prefix,
    choose_for_model,
    choose_instance,
    choose_lane,
    choose_variant,
)
from rehearsal.cloud.runtime.sessions import Sessions
from rehearsal.cloud.settings import INVOCATION_TIMEOUT_WALL_SECONDS, MAXIMUM_PAYLOAD_BYTES

# A table read just before it was replaced may name instances that are draining.
MAXIMUM_CHOICES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """One invocation that holds its instance; whoever has it must release the instance.

    Args:
        began: time of the performance counter when the request was read
        target_container: host name of the one container to ask, in a direct pipeline
        setup_us: wall microseconds a serverless process took to start for it; None for a warm one
    """

    request_id: str
    began: float
    route: Route
    variant: VariantRoute
    lane: Lane
    instance: Instance
    target_container: str | None
    setup_us: float | None = None


class Admission:
    """The way in for every synchronous invocation."""

    def __init__(self, rng: random.Random, failures: Failures) -> None:
        self.routes: dict[str, Route] = {}
        self.sessions = Sessions()
        self._rng = rng
        self._failures = failures

    def admit(self, endpoint_name: str, request: Request) -> Admitted:
        """Return the invocation with an instance acquired for it.

        Raises:
            ApiError: ValidationError, or ServiceUnavailable without an instance in service
        """
        began = time.perf_counter()
        request_id = new_request_id()
        headers = request.headers
        route = self.routes.get(endpoint_name)
        if route is None:
            raise self._failures.not_found(endpoint_name)
        if len(request.body) > MAXIMUM_PAYLOAD_BYTES:
            raise refusal(f"Request {request_id} has oversize body.")
        check_headers(headers)
        check_kind(route, headers, body_bytes=len(request.body), request_id=request_id)
        setup_us = None
        if route.kind is RouteKind.SERVERLESS:
            route, variant, lane, taken = self._choose_on_demand(route, headers)
            instance, setup_us = taken.instance, taken.setup_us
        else:
            variant, lane, instance = self._choose(route, request)
        try:
            target_container = check_container(instance, headers)
        except ApiError:
            instance.release()
            raise
        note_instance(instance.spec.instance_id)
        return Admitted(
            request_id=request_id,
            began=began,
            route=route,
            variant=variant,
            lane=lane,
            instance=instance,
            target_container=target_container,
            setup_us=setup_us,
        )

    def _choose_on_demand(
        self, route: Route, headers: Mapping[str, str]
    ) -> tuple[Route, VariantRoute, Lane, Taken]:
        """Return a serverless process for the request, started for it when none is idle.

        A swap may take the fleet away meanwhile: the request then goes to the new one, which may
        be one of instances.
        """
        name = route.endpoint_name
        for _ in range(MAXIMUM_CHOICES):
            variant = self._variant(route, headers.get(TARGET_VARIANT))
            lane = variant.lanes[0]
            if lane.on_demand is None:
                lane, instance = self.acquire(name, variant)
                return route, variant, lane, Taken(instance=instance, setup_us=None)
            try:
                taken = lane.on_demand.take(timeout_seconds=INVOCATION_TIMEOUT_WALL_SECONDS)
            except ColdStartFailed as err:
                raise self._failures.not_started(name) from err
            except Retired:
                time.sleep(0.005)
                fresh = self.routes.get(name)
                if fresh is None:
                    raise self._failures.not_found(name) from None
                route = fresh
            else:
                return route, variant, lane, taken
        raise _nobody(name, variant.name)

    def _choose(self, route: Route, request: Request) -> tuple[VariantRoute, Lane, Instance]:
        headers = request.headers
        session_id = headers.get(SESSION_ID)
        if session_id is not None and session_id != NEW_SESSION:
            return self._session(route, session_id)
        variant = self._variant(route, headers.get(TARGET_VARIANT))
        lane, instance = self.acquire(route.endpoint_name, variant, request)
        return variant, lane, instance

    def _session(self, route: Route, session_id: str) -> tuple[VariantRoute, Lane, Instance]:
        """Return the session's own instance; a session doesn't outlive it."""
        name = route.endpoint_name
        session = self.sessions.find(name, session_id)
        variant = route.variant(session.variant_name) if session is not None else None
        if session is not None and variant is not None and session.instance.acquire():
            for lane in variant.lanes:
                if session.instance in lane.instances:
                    return variant, lane, session.instance
            session.instance.release()
        raise refusal(
            f"Session {session_id} of endpoint {name} is not open: it was never opened, has "
            f"expired or was closed, or its instance is gone; open one with {NEW_SESSION}."
        )

    def _variant(self, route: Route, target: str | None) -> VariantRoute:
        if target is not None:
            named = route.variant(target)
            if named is None:
                names = ", ".join(variant.name for variant in route.variants)
                raise refusal(
                    f"Variant {target} of endpoint {route.endpoint_name} not found; it has {names}."
                )
            return named
        chosen = choose_variant(route, self._rng)
        if chosen is None:
            raise refusal(f"All variants of endpoint {route.endpoint_name} have weight 0.")
        return chosen

    def acquire(
        self, endpoint_name: str, variant: VariantRoute, request: Request | None = None
    ) -> tuple[Lane, Instance]:
        """Return an instance of the variant with the request counted in.

        Args:
            request: what may bind it to an instance: a target model or its prefix

        Raises:
            ApiError: ServiceUnavailable, when no instance takes requests
        """
        for attempt in range(MAXIMUM_CHOICES):
            lane = choose_lane(variant, self._rng)
            if lane is not None:
                instance = self._instance(lane, variant, request)
                if instance is not None and instance.acquire():
                    return lane, instance
            # The table this request read is out of date; the engine is about to replace it.
            time.sleep(0.005 if attempt else 0)
            route = self.routes.get(endpoint_name)
            fresh = route.named(variant.name) if route is not None else None
            variant = fresh if fresh is not None else variant
        raise _nobody(endpoint_name, variant.name)

    def _instance(
        self, lane: Lane, variant: VariantRoute, request: Request | None
    ) -> Instance | None:
        if request is not None:
            target_model = request.headers.get(TARGET_MODEL)
            if target_model is not None:
                return choose_for_model(lane, target_model, self._rng)
            if variant.prefix_routing is not None:
                identifier = request.headers.get(PREFIX_AWARE_ID, "")
                routing = variant.prefix_routing
                return choose_by_prefix(lane, routing, request.body, identifier, self._rng)
        return choose_instance(lane, variant.routing_strategy, self._rng)


def _nobody(endpoint_name: str, variant_name: str) -> ApiError:
    return ApiError(
        "ServiceUnavailable",
        f"endpoint {endpoint_name} has no instance of variant {variant_name} in service; "
        "try your call again",
        status=503,
    )
