"""The state's JSON form: what goes in comes out, in Pulumi's order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.engine.errors import EngineError
from rehearsal.engine.state import (
    Deployment,
    PendingOperation,
    Resource,
    StateError,
    deployment_from_json,
    deployment_to_json,
    hidden_secret,
    magic,
    plaintext_secret,
    resource_to_json,
    value_to_json,
    verify_deployment,
)
from rehearsal.engine.values import Archive, Asset, ResourceReference, Secret

STACK = "urn:pulumi:dev::p5::pulumi:pulumi:Stack::p5-dev"


def a_resource(name: str, **members: Any) -> Resource:
    urn = f"urn:pulumi:dev::p5::test:index:Res::{name}"
    return Resource(**{"urn": urn, "type": "test:index:Res", "custom": True, **members})


def no_reading(text: str, place: str) -> str:
    raise AssertionError(f"nothing to decrypt at {place}")


def test_deployment_survives_a_round_trip_with_every_kind_of_value() -> None:
    values = {
        "text": "ä",
        "none": None,
        "list": [1, 1.5, True, None],
        "secret": Secret({"inner": [Secret("deep"), 1]}),
        "asset": Asset(hash="ab", path="f.txt"),
        "archive": Archive(hash="cd", path="m.zip"),
        "reference": ResourceReference(urn=STACK, id="i", package_version="1.0.0"),
    }
    resource = a_resource(
        "a", id="i", inputs=values, outputs=values, dependencies=[STACK], protect=True,
        property_dependencies={"text": []}, custom_timeouts={"create": 300}, import_id="i",
        init_errors=["late"], created="2026-01-01T00:00:00Z", stack_trace=[{"sourcePosition": "p"}],
    )  # fmt: skip
    deployment = Deployment(
        resources=[resource],
        pending_operations=[PendingOperation(resource=a_resource("b"), type="creating")],
        metadata={"k": 1},
    )

    document = deployment_to_json(deployment, plaintext_secret, secrets_provider=None)
    read = deployment_from_json(json.loads(json.dumps(document)), no_reading)

    inner = read.resources[0].inputs["secret"]
    assert inner == Secret({"inner": ["deep", 1]}), "a secret inside a secret needs no second lock"
    read.resources[0].inputs["secret"] = read.resources[0].outputs["secret"] = values["secret"]
    assert read == deployment


def test_members_come_in_the_official_order_and_empty_ones_are_left_out() -> None:
    resource = a_resource("a", id="i", inputs={"x": 1}, parent=STACK, import_id="i", taint=True)

    document = resource_to_json(resource, hidden_secret)

    assert list(document) == [
        "urn", "custom", "id", "type", "inputs", "parent", "taint", "importID",
    ]  # fmt: skip


def test_component_keeps_its_false_custom_member() -> None:
    resource = Resource(urn=STACK, type="pulumi:pulumi:Stack", custom=False)

    assert resource_to_json(resource, hidden_secret) == {
        "urn": STACK,
        "custom": False,
        "type": "pulumi:pulumi:Stack",
    }


def test_secret_is_written_by_the_json_text_of_its_whole_value() -> None:
    seen: list[tuple[str, str]] = []

    def write(text: str, place: str) -> str:
        seen.append((text, place))
        return "hidden"

    shown = value_to_json({"a": {"b": Secret({"c": [1, None]})}}, write, "urn#inputs")

    assert shown == {"a": {"b": "hidden"}}
    assert seen == [('{"c":[1,null]}', "urn#inputs")]


def test_manifest_carries_the_checksum_of_the_version() -> None:
    document = deployment_to_json(Deployment(), hidden_secret, secrets_provider={"type": "p"})

    assert document["manifest"]["magic"] == magic("v3.272.0")
    assert list(document) == ["manifest", "secrets_providers", "metadata"]


def test_member_that_would_be_lost_is_refused_by_name() -> None:
    resource = {"urn": STACK, "type": "pulumi:pulumi:Stack", "viewOf": "urn"}

    with pytest.raises(EngineError, match=r"'viewOf'.*official CLI"):
        deployment_from_json({"resources": [resource]}, no_reading)


def test_absent_deployment_and_null_dependency_lists_read_as_empty() -> None:
    resource = {"urn": STACK, "type": "t", "propertyDependencies": {"a": None}}

    assert deployment_from_json(None, no_reading) == Deployment()
    read = deployment_from_json({"resources": [resource]}, no_reading).resources[0]
    assert read.property_dependencies == {"a": []}
    assert read.custom is False


def _provider() -> Resource:
    return Resource(
        urn="urn:pulumi:dev::p5::pulumi:providers:test::default",
        type="pulumi:providers:test",
        custom=True,
        id="1",
    )


@pytest.mark.parametrize(
    ("resources", "problem"),
    [
        ([a_resource("a", parent="urn:x")], "refers to urn:x"),
        ([a_resource("a", dependencies=["urn:x"])], "refers to urn:x"),
        ([a_resource("a", property_dependencies={"p": ["urn:x"]})], "refers to urn:x"),
        ([a_resource("a", deleted_with="urn:x")], "refers to urn:x"),
        ([a_resource("a"), a_resource("a")], "duplicate resource"),
        ([Resource(urn=STACK, type="t", custom=False, id="i")], "has the id 'i'"),
        ([_provider(), a_resource("a", provider=f"{_provider().urn}::2")], "unknown provider"),
    ],
)
def test_broken_reference_is_found_on_load(resources: list[Resource], problem: str) -> None:
    with pytest.raises(StateError, match=problem):
        verify_deployment(Deployment(resources=resources))


def test_resource_pending_deletion_may_share_its_urn() -> None:
    provider = _provider()
    mine = a_resource("a", provider=f"{provider.urn}::1")
    old = a_resource("a", delete=True)

    verify_deployment(Deployment(resources=[provider, mine, old]))
