"""Random commands and events against a model of the endpoint's state machine.

The commands go through the API, so refusals are the service's; instances, alarms and time are the
test's. What may never happen is checked after every step.
"""

from __future__ import annotations

import re
from typing import Any

import botocore.validate
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.fleets.instance import InstanceState
from rehearsal.cloud.hosting.state import SERVING, Endpoint, Status
from rehearsal.cloud.shapes import service_model
from tests.support.simulated_hosting import SimulatedHosting

NAME = "e"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e"
IN_PROGRESS = f'Cannot update in-progress endpoint "{ARN}".'
NOT_FOUND = f'Could not find endpoint "{ARN}".'
# Instances of variant `v` by config; `other` has a variant of another name.
CONFIGS = {"two": 2, "four": 4, "other": 2}
S = Status
LEGAL = {
    None: {S.CREATING},
    S.CREATING: {S.IN_SERVICE, S.FAILED},
    S.IN_SERVICE: {S.UPDATING, S.DELETING, S.SYSTEM_UPDATING},
    S.UPDATING: {S.IN_SERVICE, S.ROLLING_BACK, S.UPDATE_ROLLBACK_FAILED},
    S.ROLLING_BACK: {S.IN_SERVICE, S.FAILED},
    S.SYSTEM_UPDATING: {S.IN_SERVICE},
    S.UPDATE_ROLLBACK_FAILED: {S.UPDATING, S.DELETING},
    S.FAILED: {S.DELETING},
    S.DELETING: {S.ABSENT},
    S.ABSENT: set(),
}
HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}
ONE = {"Type": "INSTANCE_COUNT", "Value": 1}
ALARMS = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}


def blue_green(kind: str, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 60, **size}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 30}
    return {"BlueGreenUpdatePolicy": {**policy, "MaximumExecutionTimeoutInSeconds": 900}, **ALARMS}


POLICIES: dict[str, dict[str, Any] | None] = {
    "none": None,
    "all": blue_green("ALL_AT_ONCE"),
    "canary": blue_green("CANARY", CanarySize=HALF),
    "linear": blue_green("LINEAR", LinearStepSize=HALF),
    "rolling": {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": HALF,
            "WaitIntervalInSeconds": 60,
            "RollbackMaximumBatchSize": ONE,
        },
        **ALARMS,
    },
}


class EndpointMachine(RuleBasedStateMachine):
    """One endpoint, everything its user can ask of it, everything that can happen to it."""

    @initialize(config=st.sampled_from(["two", "four"]), is_up=st.sampled_from([True, True, False]))
    def begin(self, config: str, is_up: bool) -> None:
        self.hosting = SimulatedHosting()
        self.hosting.make_model("m")
        for name, count in CONFIGS.items():
            variant = {
                "VariantName": "w" if name == "other" else "v",
                "ModelName": "m",
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": count,
            }
            self.hosting.make_config(name, [variant])
        self.changes: list[tuple[Status | None, Status]] = []
        self.configs: tuple[str, str] | None = None
        self.least = 0
        self.crashed = False
        self.hosting.engine.on_changed = self._changed
        self.create(config)
        if is_up:
            self.move_on(0)

    def _changed(self, before: Endpoint | None, after: Endpoint) -> None:
        old = before.status if before is not None else None
        if old is not after.status:
            self.changes.append((old, after.status))
        if old is S.UPDATING and after.status is S.IN_SERVICE and self.configs is not None:
            reason = after.failure_reason
            assert after.config_name == self.configs[0 if reason is not None else 1]
            self.configs = None

    @property
    def endpoint(self) -> Endpoint | None:
        return self.hosting.engine.endpoints.get(NAME)

    @property
    def status(self) -> Status:
        return self.endpoint.status if self.endpoint is not None else S.ABSENT

    def _attempt(self, operation: str, accepting: set[Status], **members: Any) -> bool:
        """Call an operation; it must be refused in the right words outside of these statuses."""
        before, status = self.endpoint, self.status
        try:
            self.hosting.call(operation, EndpointName=NAME, **members)
        except ApiError as err:
            refused: ApiError | None = err
        else:
            refused = None
        if refused is None:
            assert status in accepting
            return True
        assert self.endpoint is before
        assert refused.code == "ValidationException"
        if status is S.ABSENT:
            assert refused.message == NOT_FOUND
        elif status not in accepting:
            assert refused.message == IN_PROGRESS
        else:
            # In the right state only the request itself can be wrong.
            assert re.search("need the same variant names|percent", refused.message)
        return False

    # ---- commands

    @rule(config=st.sampled_from(list(CONFIGS)))
    def create(self, config: str) -> None:
        taken = self.endpoint is not None
        if taken:
            words = self.hosting.refusal(
                "CreateEndpoint", EndpointName=NAME.upper(), EndpointConfigName=config
            )
            assert words.startswith("Cannot create already existing endpoint")
            return
        self.changes.clear()
        self.hosting.call("CreateEndpoint", EndpointName=NAME, EndpointConfigName=config)

    @rule(
        config=st.sampled_from(list(CONFIGS)),
        policy=st.sampled_from(list(POLICIES)),
        retain=st.booleans(),
        silent=st.sampled_from([None, 0, 2]),
    )
    def update(self, config: str, policy: str, retain: bool, silent: int | None) -> None:
        before = self.endpoint
        self.hosting.faults.clear()
        if silent is not None:
            self.hosting.faults.add({"kind": "silent-rollback", "rolling_back_polls": silent})
        more = {} if POLICIES[policy] is None else {"DeploymentConfig": POLICIES[policy]}
        if not self._attempt(
            "UpdateEndpoint",
            {S.IN_SERVICE, S.UPDATE_ROLLBACK_FAILED},
            EndpointConfigName=config,
            RetainAllVariantProperties=retain,
            **more,
        ):
            return
        assert before is not None
        assert before.live is not None
        # A silent rollback leaves no reason, so which config is left is known beforehand.
        self.configs = (before.config_name, config if silent is None else before.config_name)
        after = self.endpoint
        assert after is not None
        assert after.pending is not None
        was_whole = before.status is S.IN_SERVICE
        self.least = (
            min(
                sum(before.live.desired_counts.values()),
                sum(after.pending.desired_counts.values()),
            )
            if was_whole
            else 0
        )

    @rule(config=st.sampled_from(["two", "four"]), policy=st.sampled_from(list(POLICIES)))
    def update_well(self, config: str, policy: str) -> None:
        self.update(config, policy, retain=False, silent=None)

    @rule(policy=st.sampled_from(["canary", "linear", "rolling"]))
    def update_in_stages(self, policy: str) -> None:
        self.update("four", policy, retain=False, silent=None)
        self.move_on(0)

    @rule(count=st.integers(1, 5), weight=st.sampled_from([0.0, 1.0, 2.5]))
    def scale(self, count: int, weight: float) -> None:
        live = self.endpoint.live if self.endpoint is not None else None
        name = live.variants[0].name if live is not None else "v"
        entry = {"VariantName": name, "DesiredInstanceCount": count, "DesiredWeight": weight}
        self._attempt(
            "UpdateEndpointWeightsAndCapacities",
            {S.IN_SERVICE},
            DesiredWeightsAndCapacities=[entry],
        )

    @rule(is_sure=st.sampled_from([False, False, True]))
    def delete(self, is_sure: bool) -> None:
        if not is_sure and self.status is S.IN_SERVICE:
            return
        self._attempt("DeleteEndpoint", {S.IN_SERVICE, S.FAILED, S.UPDATE_ROLLBACK_FAILED})

    @rule(is_sure=st.sampled_from([False, False, False, True]))
    def patch(self, is_sure: bool) -> None:
        if is_sure and self.status is S.IN_SERVICE:
            self.hosting.api.endpoints.patch(NAME, 120)

    # ---- events

    @rule(seconds=st.sampled_from([0, 30, 60, 120, 1_000]))
    def look(self, seconds: int) -> None:
        self.hosting.look(seconds)

    @rule(seconds=st.sampled_from([0, 30, 60, 61]))
    def move_on(self, seconds: int) -> None:
        self.hosting.look()
        self.hosting.fleets.start_up()
        self.hosting.look(seconds)
        self.hosting.look()

    @rule(count=st.sampled_from([1, None]))
    def start_up(self, count: int | None) -> None:
        self.hosting.fleets.start_up(count)
        self.hosting.look()

    @rule(what=st.sampled_from(["heal", "launch fails", "heal", "crash"]))
    def something_happens(self, what: str) -> None:
        fleets = self.hosting.fleets
        if what == "launch fails":
            fleets.fail(InstanceState.STARTING, "no ping")
        elif what == "crash":
            self.crashed = self.crashed or bool(fleets.in_state(InstanceState.HEALTHY))
            fleets.fail(InstanceState.HEALTHY, "gone")
        else:
            fleets.forget_failed()
        self.hosting.look()

    @rule(is_alarm=st.sampled_from([False, False, True]))
    def alarm(self, is_alarm: bool) -> None:
        self.hosting.alarms.in_alarm = {"errors"} if is_alarm else set()

    # ---- what holds after every step

    @invariant()
    def only_legal_transitions_happen(self) -> None:
        for before, after in self.changes:
            assert after in LEGAL[before], (before, after)

    @invariant()
    def a_description_has_the_api_s_shape(self) -> None:
        if self.endpoint is None:
            return
        answer = self.hosting.call("DescribeEndpoint", EndpointName=NAME)
        shape = service_model("sagemaker").operation_model("DescribeEndpoint").output_shape
        assert shape is not None
        report = botocore.validate.ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()
        assert set(answer) <= set(shape.members)
        is_pending = self.status in (S.CREATING, S.UPDATING)
        assert is_pending or "PendingDeploymentSummary" not in answer or self._is_rolling_back

    @property
    def _is_rolling_back(self) -> bool:
        return self.status is S.ROLLING_BACK

    @invariant()
    def traffic_shares_sum_to_one_hundred(self) -> None:
        endpoint = self.endpoint
        route = self.hosting.engine.invoker.routes.get(NAME)
        assert (route is not None) == (
            endpoint is not None and endpoint.status in SERVING and endpoint.live is not None
        )
        for variant in route.variants if route is not None else ():
            assert abs(sum(lane.share for lane in variant.lanes) - 1.0) < 1e-9
            assert all(0.0 < lane.share <= 1.0 for lane in variant.lanes)

    @invariant()
    def somebody_answers_unless_instances_crash(self) -> None:
        route = self.hosting.engine.invoker.routes.get(NAME)
        if route is None or self.crashed:
            return
        for variant in route.variants:
            assert any(lane.instances for lane in variant.lanes), variant

    @invariant()
    def capacity_stays_above_the_smaller_fleet(self) -> None:
        endpoint = self.endpoint
        if endpoint is None or endpoint.status is not S.UPDATING or endpoint.pending is None:
            return
        fleets = (endpoint.live, endpoint.pending)
        total = sum(sum(f.target_counts.values()) for f in fleets if f is not None)
        assert total >= self.least

    def teardown(self) -> None:
        """Whatever happened, an endpoint left alone in a healthy world comes to rest."""
        if not hasattr(self, "changes"):
            return
        self.hosting.alarms.in_alarm = set()
        for _ in range(40):
            self.hosting.fleets.forget_failed()
            self.hosting.look()
            self.hosting.fleets.start_up()
            self.hosting.look(120)
            self.a_description_has_the_api_s_shape()
        assert not self.status.value.endswith("ing")
        self.only_legal_transitions_happen()


EndpointMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestEndpoint = EndpointMachine.TestCase
