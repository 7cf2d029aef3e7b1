"""Operations on endpoints: check against the state, then begin a deployment.

Every function runs under the engine's lock and returns before anything is launched.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.cloud.asynchronous.notice import topics
from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.fleets.definition import definitions_of
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.catalog import CONFIG, ENDPOINT, Entry
from rehearsal.cloud.hosting.config_rules import check_rehearsed
from rehearsal.cloud.hosting.deployment import advance, begin, polled
from rehearsal.cloud.hosting.deployment_rules import (
    check_deployment_config,
    check_rollout,
    check_scale,
)
from rehearsal.cloud.hosting.describe import describe
from rehearsal.cloud.hosting.engine import Engine
from rehearsal.cloud.hosting.listing import Row, page
from rehearsal.cloud.hosting.model_rules import check_container
from rehearsal.cloud.hosting.neighbours import Checks, ScalableTargets
from rehearsal.cloud.hosting.quota import (
    instances_in_use,
    instances_of,
    scale_delta,
    serverless_problem,
    update_delta,
)
from rehearsal.cloud.hosting.rollout import (
    Bake,
    plan_create,
    plan_delete,
    plan_scale,
    plan_update,
    policy_from_deployment_config,
)
from rehearsal.cloud.hosting.state import (
    ACCEPTING,
    Deployment,
    Endpoint,
    Fleet,
    Kind,
    PlannedRollback,
    Status,
)
from rehearsal.cloud.hosting.variants import (
    Retained,
    all_variants,
    fleet_from_config,
    retained_properties,
    wanted_variant,
)


@dataclass
class Endpoints:
    """The endpoint half of the SageMaker control plane."""

    engine: Engine
    checks: Checks
    targets: ScalableTargets
    _fleet_numbers: Callable[[], int] = field(default=itertools.count(1).__next__)
    _images: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    # ---- create

    def create(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        engine, name = self.engine, asked["EndpointName"]
        arn = engine.catalog.arn(ENDPOINT, name)
        if any(known.lower() == name.lower() for known in engine.endpoints):
            raise messages.already_exists(ENDPOINT, arn)
        config = engine.catalog.get(CONFIG, asked["EndpointConfigName"])
        check_deployment_config(asked.get("DeploymentConfig"))
        self._check_deployable(config)
        fleet = self._new_fleet(config, Retained())
        self._expect_quota(fleet, instances_of(fleet))
        now = engine.clock.now()
        endpoint = Endpoint(
            name=name,
            arn=arn,
            status=Status.CREATING,
            config_name=config.name,
            creation_time=now,
            last_modified_time=now,
        )
        deployment = Deployment(
            kind=Kind.CREATE,
            steps=plan_create(fleet.desired_counts),
            started_at=now,
            step_started_at=now,
            deployment_config=asked.get("DeploymentConfig"),
        )
        engine.catalog.put_tags(arn, asked.get("Tags", ()))
        self._begin(endpoint, deployment, fleet)
        return {"EndpointArn": arn}

    # ---- update

    def update(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        engine = self.engine
        endpoint = self.get(asked["EndpointName"])
        self._expect_accepting(endpoint, Kind.UPDATE)
        old = engine.catalog.get(CONFIG, endpoint.config_name)
        config = engine.catalog.get(CONFIG, asked["EndpointConfigName"])
        deployment_config = asked.get("DeploymentConfig")
        if deployment_config is None and asked.get("RetainDeploymentConfig"):
            deployment_config = endpoint.last_deployment_config
        check_deployment_config(deployment_config)
        self._check_deployable(config)
        self._check_targets(endpoint, old, config)
        fleet = self._new_fleet(config, retained_properties(endpoint, asked))
        live = endpoint.live
        assert live is not None
        # Without guardrails the policy falls back to all at once, without a bake or alarms.
        is_guarded = live.has_guardrails and fleet.has_guardrails
        policy = policy_from_deployment_config(deployment_config if is_guarded else None)
        self._check_alarms(config, policy.alarm_names)
        _check_serverless_update(live, fleet)
        check_rollout(policy, before=live, after=fleet)
        self._expect_quota(fleet, update_delta(policy, live, fleet), but=endpoint)
        fault = engine.faults.update(endpoint.name, config.name)
        now = engine.clock.now()
        deployment = Deployment(
            kind=Kind.UPDATE,
            steps=plan_update(policy, live.desired_counts, fleet.desired_counts),
            started_at=now,
            step_started_at=now,
            alarm_names=policy.alarm_names,
            timeout_seconds=policy.maximum_execution_timeout_seconds,
            deployment_config=deployment_config,
            rollback=None
            if fault is None
            else PlannedRollback(
                rolling_back_polls=fault.rolling_back_polls, failure_reason=fault.failure_reason
            ),
        )
        self._begin(endpoint, deployment, fleet)
        return {"EndpointArn": endpoint.arn}

    def _check_alarms(self, config: Entry, alarm_names: Iterable[str]) -> None:
        """Refuse alarms that the role of a new model may not look at."""
        for variant in config.members["ProductionVariants"]:
            role = self.engine.model_members(variant["ModelName"]).get("ExecutionRoleArn", "")
            problem = self.checks.alarm_problem(role, alarm_names)
            if problem is not None:
                raise validation_exception(problem)

    def _check_targets(self, endpoint: Endpoint, old: Entry, new: Entry) -> None:
        """Refuse to remove a registered variant or to change its instance type."""
        types = _instance_types(new)
        blocked = sorted(
            name
            for name in self.targets.registered_variants(endpoint.name)
            if types.get(name) != _instance_types(old).get(name)
        )
        if blocked:
            raise validation_exception(
                messages.TARGET_REGISTERED.format(arn=endpoint.arn, variants=", ".join(blocked))
            )

    # ---- scale

    def scale(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateEndpointWeightsAndCapacities: what isn't given keeps its value."""
        endpoint = self.get(asked["EndpointName"])
        entries = asked["DesiredWeightsAndCapacities"]
        self._expect_accepting(endpoint, Kind.SCALE)
        live = endpoint.live
        assert live is not None
        check_scale(endpoint, live, entries)
        by_name = {entry["VariantName"]: entry for entry in entries}
        wanted = replace(
            live, variants=tuple(wanted_variant(v, by_name.get(v.name, {})) for v in live.variants)
        )
        self._expect_quota(wanted, scale_delta(live, wanted), but=endpoint)
        now = self.engine.clock.now()
        deployment = Deployment(
            kind=Kind.SCALE,
            steps=plan_scale(live.desired_counts, wanted.desired_counts),
            started_at=now,
            step_started_at=now,
            previous=live,
            deployment_config=endpoint.last_deployment_config,
        )
        self._begin(replace(endpoint, live=wanted), deployment, None)
        return {"EndpointArn": endpoint.arn}

    # ---- delete, patch, describe, list

    def delete(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = self.get(asked["EndpointName"])
        self._expect_accepting(endpoint, Kind.DELETE)
        now = self.engine.clock.now()
        counts = endpoint.live.desired_counts if endpoint.live is not None else {}
        deployment = Deployment(
            kind=Kind.DELETE, steps=plan_delete(counts), started_at=now, step_started_at=now
        )
        self._begin(endpoint, deployment, None)
        return {}

    def patch(self, name: str, seconds: float) -> None:
        """Put an endpoint under AWS's maintenance for so long: SystemUpdating, still serving.

        AWS can't patch an endpoint whose config or models were deleted.

        Source: AWS Health notices in ministryofjustice/analytical-platform#9863, #10195
        """
        endpoint = self.get(name)
        self._expect_accepting(endpoint, Kind.PATCH)
        self._check_deployable(self.engine.catalog.get(CONFIG, endpoint.config_name))
        now = self.engine.clock.now()
        steps = (Bake(seconds=seconds, full=True),)
        deployment = Deployment(kind=Kind.PATCH, steps=steps, started_at=now, step_started_at=now)
        self._begin(endpoint, deployment, None)

    def describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = self.get(asked["EndpointName"])
        answer = describe(endpoint, self.engine.observe(endpoint), self._images)
        seen = polled(endpoint)
        if seen is not endpoint:
            # What is due then is due now: a tick may come only after the next Describe.
            self.engine.replace(advance(seen, self.engine.observe(seen)))
            self.engine.settle()
        return answer

    def list(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        rows = [
            Row(
                name=endpoint.name,
                status=endpoint.status.value,
                times={
                    "CreationTime": endpoint.creation_time,
                    "LastModifiedTime": endpoint.last_modified_time,
                },
                summary={
                    "EndpointName": endpoint.name,
                    "EndpointArn": endpoint.arn,
                    "CreationTime": endpoint.creation_time,
                    "LastModifiedTime": endpoint.last_modified_time,
                    "EndpointStatus": endpoint.status.value,
                },
            )
            for endpoint in self.engine.endpoints.values()
        ]
        return page(rows, asked, result_key="Endpoints")

    def get(self, name: str) -> Endpoint:
        """Return an endpoint, or refuse as not found."""
        endpoint = self.engine.endpoints.get(name)
        if endpoint is None:
            raise messages.not_found(ENDPOINT, self.engine.catalog.arn(ENDPOINT, name))
        return endpoint

    # ---- shared

    def _expect_accepting(self, endpoint: Endpoint, kind: Kind) -> None:
        if endpoint.status not in ACCEPTING[kind]:
            raise messages.in_progress(endpoint.arn)

    def _begin(self, endpoint: Endpoint, deployment: Deployment, pending: Fleet | None) -> None:
        begun = begin(endpoint, deployment, pending=pending)
        self.engine.replace(begun)
        self._note_images(pending)
        self.engine.settle()
        self.engine.on_change_began(begun)

    def _check_deployable(self, config: Entry) -> None:
        """Check again what must still hold: the models exist, and can be run here."""
        check_rehearsed(config.members)
        for variant in all_variants(config.members):
            for container in definitions_of(self.engine.model_members(variant["ModelName"])):
                check_container(container)

    def _new_fleet(self, config: Entry, retained: Retained) -> Fleet:
        return fleet_from_config(
            config,
            fleet_id=f"fleet-{self._fleet_numbers():06d}",
            models=self.engine.catalog.models,
            retained=retained,
            refusal=self._role_problem(config),
        )

    def _role_problem(self, config: Entry) -> str | None:
        """Say what a model's role can't do now; the endpoint then ends Failed."""
        asynchronous = config.members.get("AsyncInferenceConfig", {})
        wanted = topics(asynchronous.get("OutputConfig", {}))
        for variant in all_variants(config.members):
            role = self.engine.model_members(variant["ModelName"]).get("ExecutionRoleArn", "")
            problem = self.checks.execution_role_problem(role)
            if problem is None:
                problem = self.checks.topic_problem(role, wanted)
            if problem is not None:
                return problem
        return None

    def _expect_quota(
        self, fleet: Fleet, delta: Mapping[str, int], *, but: Endpoint | None = None
    ) -> None:
        """Refuse a change that the account's quotas don't allow.

        Args:
            but: the endpoint that changes; its serverless variants are replaced, not added to
        """
        every = self.engine.endpoints.values()
        used = instances_in_use(every)
        for instance_type, more in delta.items():
            refusal = self.engine.faults.quota_refusal(
                instance_type, utilization=used[instance_type], delta=more
            )
            if refusal is not None:
                raise refusal
        problem = serverless_problem([each for each in every if each is not but], fleet)
        if problem is not None:
            raise ApiError("ResourceLimitExceeded", problem)

    def _note_images(self, fleet: Fleet | None) -> None:
        """Keep which digest each image of a new fleet resolved to, for DeployedImages."""
        known = self.engine.fleet_ids()
        self._images = {key: kept for key, kept in self._images.items() if key[0] in known}
        for variant in fleet.variants if fleet is not None else ():
            assert fleet is not None
            model = self.engine.model_members(variant.definition["ModelName"])
            found = [self._deployed_image(c.get("Image", "")) for c in definitions_of(model)]
            self._images[(fleet.fleet_id, variant.name)] = [image for image in found if image]

    def _deployed_image(self, uri: str) -> dict[str, Any] | None:
        image = self.checks.image(uri)
        if image is None:
            return None
        # An ECR URI has no port, so that a colon begins a tag.
        repository = uri.partition("@")[0].partition(":")[0]
        return {
            "SpecifiedImage": uri,
            "ResolvedImage": f"{repository}@{image.digest}",
            "ResolutionTime": self.engine.clock.now(),
        }


def _check_serverless_update(live: Fleet, fleet: Fleet) -> None:
    """Refuse to make an endpoint serverless; the way back is open, once."""
    if fleet.kind == "serverless" and live.kind != "serverless":
        raise validation_exception(
            "An endpoint that runs on instances cannot be updated to a serverless endpoint "
            "configuration."
        )


def _instance_types(config: Entry) -> dict[str, Any]:
    return {v["VariantName"]: v.get("InstanceType") for v in all_variants(config.members)}


def is_in_progress(error: ApiError) -> bool:
    """Tell whether a refusal only says that another change is under way."""
    return error.message.startswith("Cannot update in-progress endpoint")
