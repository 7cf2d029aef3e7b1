"""From an endpoint config to the fleet that will run it: pure.

A shadow variant stands in its fleet beside the production variant: it is launched, swapped and
removed with it, and never gets a request of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.cloud.fleets.definition import MULTI_MODEL, definitions_of
from rehearsal.cloud.hosting.catalog import Entry
from rehearsal.cloud.hosting.state import Endpoint, Fleet, RouteKind, Variant

DEFAULT_WEIGHT = 1.0


@dataclass(frozen=True, kw_only=True)
class Retained:
    """What an update keeps of the running variants, by variant name."""

    counts: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)


def retained_properties(endpoint: Endpoint, asked: Mapping[str, Any]) -> Retained:
    """Return the counts and weights an UpdateEndpoint keeps.

    `DataCaptureConfig` may be excluded by botocore's model, which also says that this is not
    supported: data capture always comes from the new config.
    """
    if not asked.get("RetainAllVariantProperties") or endpoint.live is None:
        return Retained()
    excluded = {
        entry["VariantPropertyType"] for entry in asked.get("ExcludeRetainedVariantProperties", ())
    }
    counts = {v.name: v.desired_count for v in endpoint.live.variants if not v.desired_serverless}
    weights = {variant.name: variant.desired_weight for variant in endpoint.live.variants}
    return Retained(
        counts={} if "DesiredInstanceCount" in excluded else counts,
        weights={} if "DesiredWeight" in excluded else weights,
    )


def fleet_from_config(
    config: Entry,
    *,
    fleet_id: str,
    models: Mapping[str, Entry],
    retained: Retained | None = None,
    refusal: str | None = None,
) -> Fleet:
    """Return the fleet of a config, with nothing launched yet."""
    kept = Retained() if retained is None else retained
    members = config.members
    shadows = members.get("ShadowProductionVariants", ())
    return Fleet(
        fleet_id=fleet_id,
        config_name=config.name,
        variants=(
            *(_variant(each, kept, shadow=False) for each in members["ProductionVariants"]),
            *(_variant(each, kept, shadow=True) for each in shadows),
        ),
        config=members,
        kind=kind_of(members, models),
        refusal=refusal,
    )


def _variant(definition: Mapping[str, Any], retained: Retained, *, shadow: bool) -> Variant:
    name = definition["VariantName"]
    weight = retained.weights.get(name, definition.get("InitialVariantWeight", DEFAULT_WEIGHT))
    serverless = definition.get("ServerlessConfig")
    return Variant(
        name=name,
        desired_count=(
            retained.counts.get(name, definition["InitialInstanceCount"])
            if serverless is None
            else serverless_count(serverless)
        ),
        target_count=0,
        desired_weight=weight,
        current_weight=weight,
        definition=definition,
        shadow=shadow,
        desired_serverless=serverless,
        current_serverless=serverless,
    )


def serverless_count(serverless: Mapping[str, int]) -> int:
    """Return the processes a deployment waits for: the provisioned ones, at least one.

    One is started even without provisioned concurrency, because SageMaker finds a container that
    can't serve while it creates the endpoint; it is stopped when it was idle for long enough.
    """
    return max(1, serverless.get("ProvisionedConcurrency", 0))


def kind_of(members: Mapping[str, Any], models: Mapping[str, Entry]) -> RouteKind:
    """Return how the requests of a config's endpoint come."""
    if members.get("AsyncInferenceConfig"):
        return "async"
    for variant in members["ProductionVariants"]:
        if "ServerlessConfig" in variant:
            return "serverless"
        model = models.get(variant.get("ModelName", ""))
        if model is not None and is_multi_model(model.members):
            return "multi_model"
    return "realtime"


def is_multi_model(model: Mapping[str, Any]) -> bool:
    """Tell whether a model's container loads one of many artifacts per request."""
    return any(container.get("Mode") == MULTI_MODEL for container in definitions_of(model))


def all_variants(members: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a config's production variants, then its shadow variants."""
    return [*members["ProductionVariants"], *members.get("ShadowProductionVariants", ())]


def wanted_variant(variant: Variant, entry: Mapping[str, Any]) -> Variant:
    """Return a variant with the entry of an UpdateEndpointWeightsAndCapacities applied."""
    changed = replace(
        variant,
        desired_count=entry.get("DesiredInstanceCount", variant.desired_count),
        desired_weight=entry.get("DesiredWeight", variant.desired_weight),
    )
    if "ServerlessUpdateConfig" not in entry or variant.desired_serverless is None:
        return changed
    serverless = {**variant.desired_serverless, **entry["ServerlessUpdateConfig"]}
    return replace(
        changed, desired_serverless=serverless, desired_count=serverless_count(serverless)
    )
