"""Registrations are read whole, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import alias_pb2, callback_pb2, resource_pb2

from rehearsal.engine.errors import EngineError
from rehearsal.engine.requests import Goal, Inherited, Reader, duration_seconds, refuse
from rehearsal.engine.values import struct_from_plain


def a_request(**members: Any) -> Any:
    values: dict[str, Any] = {"type": "test:index:Thing", "name": "a", "custom": True}
    return resource_pb2.RegisterResourceRequest(**(values | members))


def read(request: Any, inherited: Inherited | None = None) -> Goal:
    handed_down = Inherited() if inherited is None else inherited
    place = {"stack": "dev", "project": "p", "root": "/project", "folder": "/project"}
    return Reader(**place, inherited=handed_down).goal(request)


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("1h30m", 5400), ("90s", 90), ("1.5s", 1.5), ("250ms", 0.25)]
)
def test_a_go_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["5", "5 m", "m", "1h x", "-5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="is no duration"):
        duration_seconds(text)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"remote": True}, "remote component"),
        ({"pluginDownloadURL": "https://x"}, "plugin_download_url"),
        ({"replace_with": ["urn:x"]}, "replace_with"),
        ({"importId": "found-1"}, "import_"),
        ({"deletedWith": "urn:x"}, "deleted_with"),
        ({"replaceOnChanges": ["value"]}, "replace_on_changes"),
        ({"hideDiffs": ["value"]}, "hide_diffs"),
        ({"aliases": [alias_pb2.Alias(spec=alias_pb2.Alias.Spec(name="old"))]}, "alias"),
        ({"transforms": [callback_pb2.Callback(token="t")]}, "transform"),
        ({"packageRef": "ref"}, "parameterized package"),
        ({"hooks": {"after_create": ["h"]}}, "hook"),
    ],
)
def test_what_the_engine_does_not_do_is_refused_by_name(
    members: dict[str, Any], words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        read(a_request(**members))


def test_a_custom_type_needs_three_parts() -> None:
    with pytest.raises(EngineError, match="package:module:Type"):
        read(a_request(type="test:Thing"))


def test_every_property_depends_on_everything_when_the_program_does_not_say() -> None:
    request = a_request(object=struct_from_plain({"x": 1}), dependencies=["urn:b", "urn:a"])

    state = read(request).state

    assert state.dependencies == ["urn:a", "urn:b"]
    assert state.property_dependencies == {"x": ["urn:a", "urn:b"]}


def test_children_inherit_protection_and_their_fate_unless_they_say_otherwise() -> None:
    inherited = Inherited()
    parent = read(a_request(protect=True, retainOnDelete=True)).state
    inherited.remember(parent, {"aws": "urn:aws::id"})

    child = read(a_request(parent=parent.urn), inherited).state
    free = {"parent": parent.urn, "protect": False, "retainOnDelete": False}
    other = read(a_request(**free), inherited).state

    assert (child.protect, child.retain_on_delete) == (True, True)
    assert (other.protect, other.retain_on_delete) == (False, False)
    assert inherited.provider(parent.urn, "aws") == "urn:aws::id"
    assert inherited.provider(parent.urn, "docker") == ""


def test_options_keep_their_meaning() -> None:
    request = a_request(
        aliases=[alias_pb2.Alias(urn="urn:old")],
        aliasURNs=["urn:before"],
        customTimeouts={"create": "5m", "delete": "1h"},
        deleteBeforeReplaceDefined=True,
        sourcePosition={"uri": "file:///project/parts/a%20b.py", "line": 7},
    )

    goal = read(request)

    assert goal.aliases == ("urn:before", "urn:old")
    assert goal.state.custom_timeouts == {"create": 300, "delete": 3600}
    assert goal.delete_before_replace is False
    assert goal.state.source_position == "project:///parts/a b.py#7"


def test_an_explicit_provider_carries_its_version_as_the_official_engine_writes_it() -> None:
    request = a_request(type="pulumi:providers:aws", version="7.51.1")

    assert read(request).state.inputs == {"version": "7.51.1", "__internal": {}}


def test_an_invoke_of_a_plugin_from_elsewhere_is_refused_with_its_function() -> None:
    request = resource_pb2.ResourceInvokeRequest(tok="test:index:f", pluginDownloadURL="https://x")

    with pytest.raises(EngineError, match=r"plugin_download_url \(test:index:f\)"):
        refuse(request, request.tok)
