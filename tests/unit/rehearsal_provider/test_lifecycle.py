"""What happens to any resource, on a type made for the test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from rehearsal.provider import lifecycle
from rehearsal.provider.aws import Aws
from rehearsal.provider.entry import Change, ProviderError, ResourceType, Unfinished
from rehearsal.provider.lifecycle import PartialError, Update, imported_inputs, refreshed_inputs
from rehearsal.provider.registry import AWS
from rehearsal.provider.schema import read_schema
from rehearsal.provider.value import UNKNOWN, Values
from tests.support.scripted_aws import ScriptedAws

TOPIC = AWS.types["aws:sns/topic:Topic"]


@dataclass
class Shelf:
    """Operations on a dictionary instead of a cloud."""

    kept: dict[str, Values] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    create_error: Exception | None = None
    update_error: Exception | None = None
    is_read_back: bool = True

    def create(self, aws: Aws, values: Values) -> str:
        if self.create_error is not None:
            raise self.create_error
        self.kept["id"] = dict(values)
        return "id"

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        found = self.kept.get(identifier) if self.is_read_back else None
        return None if found is None else {**found, "arn": "an arn"}

    def update(self, aws: Aws, change: Change) -> None:
        if self.update_error is not None:
            raise self.update_error
        self.changes.append(change)
        self.kept[change.identifier] = dict(change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        self.kept.pop(identifier, None)


def a_topic(shelf: Shelf) -> ResourceType:
    """The topic type with the shelf behind it."""
    return replace(TOPIC, operations=shelf)


def an_update(**news: object) -> Update:
    old = {"name": "t", "displayName": "old"}
    return Update(
        identifier="id", state={**old, "arn": "an arn"}, old_inputs=old, news={**old, **news}
    )


def test_a_created_resource_holds_its_inputs_what_was_read_and_the_region() -> None:
    found = lifecycle.create(a_topic(Shelf()), ScriptedAws({}), {"name": "t", "__defaults": []})

    assert found.outputs == {"name": "t", "arn": "an arn", "region": "eu-west-1", "tagsAll": {}}


def test_a_resource_that_failed_after_it_existed_is_partial() -> None:
    shelf = Shelf(create_error=Unfinished("id", "tags refused"))

    with pytest.raises(PartialError, match="tags refused") as caught:
        lifecycle.create(a_topic(shelf), ScriptedAws({}), {"name": "t"})

    assert caught.value.identifier == "id"
    assert caught.value.properties["name"] == "t"


def test_a_resource_that_was_never_made_is_a_plain_error() -> None:
    shelf = Shelf(create_error=ProviderError("refused"))

    with pytest.raises(ProviderError, match="refused") as caught:
        lifecycle.create(a_topic(shelf), ScriptedAws({}), {"name": "t"})

    assert not isinstance(caught.value, PartialError)


def test_a_resource_that_is_gone_right_after_its_creation_is_partial() -> None:
    shelf = Shelf(is_read_back=False)

    with pytest.raises(PartialError, match=r"reading SNS Topic \(id\): it is gone"):
        lifecycle.create(a_topic(shelf), ScriptedAws({}), {"name": "t"})


def test_a_previewed_create_makes_nothing_and_leaves_the_rest_unknown() -> None:
    shelf = Shelf()

    outputs = lifecycle.preview_create(a_topic(shelf), ScriptedAws({}), {"name": "t"})

    assert shelf.kept == {}
    assert outputs["name"] == "t"
    assert outputs["arn"] is UNKNOWN


def test_an_update_is_told_what_differs() -> None:
    shelf = Shelf(kept={"id": {}})

    outputs = lifecycle.update(a_topic(shelf), ScriptedAws({}), an_update(displayName="new"))

    assert [change.properties for change in shelf.changes] == [{"displayName"}]
    assert outputs["displayName"] == "new"


def test_an_ignored_property_that_drifted_is_not_set_back() -> None:
    shelf = Shelf(kept={"id": {}})
    wanted = replace(
        an_update(tags={"a": "1"}),
        state={"name": "t", "displayName": "by hand", "arn": "an arn"},
        ignore_changes=["displayName"],
    )

    lifecycle.update(a_topic(shelf), ScriptedAws({}), wanted)

    assert shelf.kept["id"]["displayName"] == "by hand"


def test_a_previewed_update_makes_nothing_and_recomputes_what_may_change() -> None:
    shelf = Shelf(kept={"id": {}})
    entry = replace(a_topic(shelf), recomputed=frozenset({"arn"}))

    outputs = lifecycle.preview_update(entry, ScriptedAws({}), an_update(displayName="new"))

    assert shelf.changes == []
    assert outputs["displayName"] == "new"
    assert outputs["arn"] is UNKNOWN


def test_a_failed_update_is_partial() -> None:
    shelf = Shelf(kept={"id": {}}, update_error=ProviderError("refused"))

    with pytest.raises(PartialError, match="refused") as caught:
        lifecycle.update(a_topic(shelf), ScriptedAws({}), an_update(displayName="new"))

    assert caught.value.properties["arn"] == "an arn"


def test_a_refresh_of_what_is_gone_has_no_id() -> None:
    found = lifecycle.read(a_topic(Shelf()), ScriptedAws({}), "id", {"name": "t"}, {"name": "t"})

    assert found.identifier == ""


def test_a_refresh_keeps_what_no_call_can_answer() -> None:
    shelf = Shelf(kept={"id": {"name": "t"}})
    entry = replace(a_topic(shelf), state_only=frozenset({"deliveryPolicy"}))
    state = {"name": "t", "deliveryPolicy": "{}", "displayName": "gone"}

    found = lifecycle.read(entry, ScriptedAws({}), "id", state, {"name": "t"})

    assert found.outputs["deliveryPolicy"] == "{}"
    assert "displayName" not in found.outputs


def test_drifted_inputs_take_what_is_and_the_others_keep_their_form() -> None:
    inputs = {"displayName": "ours", "deliveryPolicy": '{"a": 1}', "__defaults": []}
    outputs = {"displayName": "theirs", "deliveryPolicy": '{"a":1}', "arn": "an arn"}

    assert refreshed_inputs(TOPIC, inputs, outputs) == {**inputs, "displayName": "theirs"}


def test_imported_inputs_leave_out_what_the_service_filled_in() -> None:
    outputs = {"name": "t", "displayName": "d", "policy": "{}", "fifoTopic": False, "arn": "a"}

    inputs = imported_inputs(TOPIC, read_schema(TOPIC.schema), outputs)

    assert inputs == {"name": "t", "displayName": "d", "__defaults": []}


def test_a_delete_reaches_the_operations() -> None:
    shelf = Shelf(kept={"id": {}})

    lifecycle.delete(a_topic(shelf), ScriptedAws({}), "id", {})

    assert shelf.kept == {}
