"""How many instances endpoints use of each type, and how many more a change wants: pure.

Source: SageMaker Developer Guide, deployment guardrails (a blue/green update needs the quota for
both fleets at once, a rolling one for one batch more); field reports for ResourceLimitExceeded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rehearsal.cloud.hosting.rollout import Policy, instances_from_capacity
from rehearsal.cloud.hosting.state import Endpoint, Fleet

# Per region; the concurrency is that of the large regions, 500 in the others.
MAXIMUM_SERVERLESS_ENDPOINTS = 50
MAXIMUM_SERVERLESS_CONCURRENCY = 1_000
LIMIT_EXCEEDED = (
    "The account-level service limit '{limit_name}' is {limit} {unit}, with current utilization "
    "of {utilization} {unit} and a request delta of {delta} {unit}. Please use AWS Service Quotas "
    "to request an increase for this quota."
)


def instances_of(fleet: Fleet | None) -> Counter[str]:
    """Return the instances a fleet ends with, by instance type."""
    counts: Counter[str] = Counter()
    for variant in fleet.variants if fleet is not None else ():
        if variant.desired_serverless is None:
            counts[variant.definition.get("InstanceType", "")] += variant.desired_count
    return counts


def instances_in_use(endpoints: Iterable[Endpoint]) -> Counter[str]:
    """Return the instances of every endpoint, both fleets of one that is updated."""
    counts: Counter[str] = Counter()
    for endpoint in endpoints:
        for fleet in endpoint.fleets:
            counts += instances_of(fleet)
    return counts


def update_delta(policy: Policy, before: Fleet, after: Fleet) -> Counter[str]:
    """Return how many more instances an update needs at its widest, by instance type."""
    wanted = instances_of(after)
    if policy.mode != "ROLLING" or policy.batch_size is None:
        return wanted
    held = instances_of(before)
    ((instance_type, target),) = wanted.items()
    now = held.get(instance_type, 0)
    if not now:
        return wanted
    batch = instances_from_capacity(policy.batch_size, max(now, target))
    return Counter({instance_type: max(0, target - now) + batch})


def scale_delta(before: Fleet, after: Fleet) -> Counter[str]:
    """Return how many more instances a change of capacity needs, by instance type."""
    grown = instances_of(after)
    grown.subtract(instances_of(before))
    return +grown


def serverless_problem(endpoints: Iterable[Endpoint], wanted: Fleet) -> str | None:
    """Say why the account may not have one more serverless fleet, or return None."""
    if wanted.kind != "serverless":
        return None
    fleets = [each.live or each.pending for each in endpoints if "serverless" in _kinds(each)]
    if len(fleets) >= MAXIMUM_SERVERLESS_ENDPOINTS:
        return LIMIT_EXCEEDED.format(
            limit_name="Number of serverless endpoints",
            limit=MAXIMUM_SERVERLESS_ENDPOINTS,
            unit="Endpoints",
            utilization=len(fleets),
            delta=1,
        )
    used, more = sum(_concurrency(fleet) for fleet in fleets), _concurrency(wanted)
    if used + more > MAXIMUM_SERVERLESS_CONCURRENCY:
        return LIMIT_EXCEEDED.format(
            limit_name="Total concurrency of all serverless endpoints",
            limit=MAXIMUM_SERVERLESS_CONCURRENCY,
            unit="Invocations",
            utilization=used,
            delta=more,
        )
    return None


def _kinds(endpoint: Endpoint) -> list[str]:
    return [fleet.kind for fleet in endpoint.fleets]


def _concurrency(fleet: Fleet | None) -> int:
    variants = fleet.variants if fleet is not None else ()
    return sum((v.desired_serverless or {}).get("MaxConcurrency", 0) for v in variants)
