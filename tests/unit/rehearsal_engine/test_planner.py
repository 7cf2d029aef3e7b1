"""What the engine decides about one registration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.goal import Alias, Goal
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.run import Bail
from rehearsal.engine.values import UNKNOWN, Secret
from tests.support.engine_states import PROVIDER, PlainProvider, Stage, a_resource, urn_of


def a_goal(name: str, **members: Any) -> Goal:
    values: dict[str, Any] = {
        "type": "test:index:Thing",
        "name": name,
        "custom": True,
        "provider": PROVIDER,
        "inputs": {"value": 1},
    }
    return Goal(**(values | members))


def ops(stage: Stage, goal: Goal) -> list[str]:
    return [step.op for step in stage.planner.plan(goal)]


def test_what_was_never_there_is_created_with_no_past_shown_to_check() -> None:
    stage = Stage()

    steps = stage.planner.plan(a_goal("a"))

    assert [step.op for step in steps] == ["create"]
    assert steps[0].state.inputs == {"name": "auto-1", "value": 1}


def test_what_did_not_change_stays_the_same_and_keeps_its_name() -> None:
    old = a_resource("a", inputs={"name": "mine", "value": 1})
    stage = Stage(old)

    steps = stage.planner.plan(a_goal("a"))

    assert [step.op for step in steps] == ["same"]
    assert steps[0].state.inputs["name"] == "mine"


@pytest.mark.parametrize("value", [2, Secret(1), UNKNOWN])
def test_a_changed_input_is_an_update(value: object) -> None:
    old = a_resource("a", inputs={"name": "mine", "value": 1})

    steps = Stage(old).planner.plan(a_goal("a", inputs={"value": value}))

    assert [(step.op, step.changed_keys) for step in steps] == [("update", ("value",))]


def test_an_unchanged_resource_that_never_got_ready_is_updated() -> None:
    old = a_resource("a", inputs={"name": "m", "value": 1}, init_errors=["not ready"])

    assert ops(Stage(old), a_goal("a")) == ["update"]


def test_a_replacement_is_created_first_under_a_fresh_name() -> None:
    old = a_resource("a", inputs={"name": "mine", "value": 1})
    stage = Stage(old, provider=PlainProvider(fixed=["value"]))

    steps = stage.planner.plan(a_goal("a", inputs={"value": 2}))

    assert [step.op for step in steps] == ["create-replacement", "replace"]
    assert steps[0].keeps_old
    assert steps[0].state.inputs["name"] != "mine"


@pytest.mark.parametrize(
    ("provider_says", "option", "first"),
    [(True, None, True), (True, False, False), (False, True, True)],
)
def test_the_option_outweighs_what_the_provider_says_of_the_order(
    provider_says: bool, option: bool | None, first: bool
) -> None:
    provider = PlainProvider(fixed=["value"], delete_first=provider_says)
    stage = Stage(a_resource("a"), provider=provider)

    goal = a_goal("a", inputs={"value": 2}, delete_before_replace=option)

    assert (ops(stage, goal)[0] == "delete-replaced") is first


def test_dependents_that_would_be_replaced_too_go_before_what_they_depend_on() -> None:
    root = a_resource("root")
    fixed = a_resource(
        "fixed", dependencies=[root.urn], property_dependencies={"value": [root.urn]}
    )
    loose = a_resource(
        "loose", dependencies=[root.urn], property_dependencies={"other": [root.urn]}
    )
    last = a_resource(
        "last", dependencies=[fixed.urn], property_dependencies={"value": [fixed.urn]}
    )
    provider = PlainProvider(fixed=["value"], delete_first=True)
    stage = Stage(root, fixed, loose, last, provider=provider)

    steps = stage.planner.plan(a_goal("root", inputs={"value": 2}))

    assert [(step.op, step.urn) for step in steps] == [
        ("delete-replaced", last.urn),
        ("delete-replaced", fixed.urn),
        ("delete-replaced", root.urn),
        ("replace", root.urn),
        ("create-replacement", root.urn),
    ]


def test_a_dependent_deleted_early_is_rebuilt_when_its_registration_comes() -> None:
    root = a_resource("root")
    fixed = a_resource("fixed", property_dependencies={"value": [root.urn]})
    stage = Stage(root, fixed, provider=PlainProvider(fixed=["value"], delete_first=True))
    stage.executor.execute(stage.planner.plan(a_goal("root", inputs={"value": 2})))
    calls = len(stage.provider.calls)

    steps = stage.planner.plan(a_goal("fixed"))

    assert [(step.op, step.keys) for step in steps] == [
        ("replace", ()),
        ("create-replacement", ("value",)),
    ]
    assert stage.provider.calls[calls:] == [("check", fixed.urn)]


def test_a_replacement_already_begun_is_not_deleted_again() -> None:
    old = a_resource("a", pending_replacement=True)
    stage = Stage(old, provider=PlainProvider(delete_first=True))

    assert ops(stage, a_goal("a", delete_before_replace=True)) == ["replace", "create-replacement"]


def test_a_protected_resource_is_not_replaced() -> None:
    stage = Stage(a_resource("a", protect=True), provider=PlainProvider(fixed=["value"]))

    with pytest.raises(Bail):
        stage.planner.plan(a_goal("a", protect=True, inputs={"value": 2}))

    assert "currently marked for protection" in stage.errors[0]


def test_unprotecting_and_replacing_can_be_one_update() -> None:
    stage = Stage(a_resource("a", protect=True), provider=PlainProvider(fixed=["value"]))

    assert ops(stage, a_goal("a", inputs={"value": 2})) == ["create-replacement", "replace"]


def test_a_preview_shows_a_forbidden_replacement_and_fails() -> None:
    provider = PlainProvider(fixed=["value"])
    stage = Stage(a_resource("a", protect=True), provider=provider, dry_run=True)

    assert ops(stage, a_goal("a", protect=True, inputs={"value": 2})) == [
        "create-replacement",
        "replace",
    ]
    assert stage.run.step_failed


def test_a_protected_dependent_stops_a_replacement_that_would_delete_it() -> None:
    root = a_resource("root")
    fixed = a_resource("fixed", protect=True, property_dependencies={"value": [root.urn]})
    stage = Stage(root, fixed, provider=PlainProvider(fixed=["value"], delete_first=True))

    with pytest.raises(Bail):
        stage.planner.plan(a_goal("root", inputs={"value": 2}))

    assert f'unable to replace resource "{fixed.urn}"' in stage.errors[0]


def test_ignored_changes_never_reach_the_provider() -> None:
    old = a_resource("a", inputs={"name": "m", "value": 1})

    assert ops(Stage(old), a_goal("a", inputs={"value": 9}, ignore_changes=("value",))) == ["same"]


def test_replace_on_changes_turns_an_update_into_a_replacement() -> None:
    stage = Stage(a_resource("a"))

    goal = a_goal("a", inputs={"value": 2}, replace_on_changes=("*",))

    assert ops(stage, goal) == ["create-replacement", "replace"]


def test_a_resource_a_person_names_is_replaced_for_its_id() -> None:
    stage = Stage(a_resource("a"), replace=(urn_of("a"),))

    steps = stage.planner.plan(a_goal("a"))

    assert (steps[0].op, steps[0].keys) == ("create-replacement", ("id",))


def test_what_is_deleted_with_a_replaced_resource_is_replaced() -> None:
    host, guest = a_resource("host"), a_resource("guest", deleted_with=urn_of("host"))
    stage = Stage(host, guest, provider=PlainProvider(fixed=["value"]))
    stage.planner.plan(a_goal("host", inputs={"value": 2}))

    steps = stage.planner.plan(a_goal("guest", deleted_with=host.urn))

    assert steps[0].keys == ("deletedWith",)


def test_a_resource_once_read_is_created_when_the_program_wants_its_own() -> None:
    stage = Stage(a_resource("a", external=True))

    assert ops(stage, a_goal("a")) == ["create-replacement", "replace"]


def test_reading_in_place_of_owning_gives_the_old_one_up() -> None:
    stage = Stage(a_resource("a"), a_resource("b"))

    other = [step.op for step in stage.planner.plan_read(a_goal("a"), "elsewhere")]
    itself = [step.op for step in stage.planner.plan_read(a_goal("b"), "b-1")]

    assert other == ["read-replacement", "replace"]
    assert itself == ["read"]


def test_an_import_reads_first_and_updates_what_differs() -> None:
    stage = Stage()

    steps = stage.planner.plan(a_goal("a", inputs={"value": 2}, import_id="found-1"))

    assert stage.provider.calls == [
        ("read", urn_of("a")),
        ("check", urn_of("a")),
        ("diff", urn_of("a")),
    ]
    assert [step.op for step in steps] == ["update"]
    assert stage.run.news[urn_of("a")].import_id == "found-1"


def test_an_import_that_matches_needs_no_further_step() -> None:
    stage = Stage()

    assert ops(stage, a_goal("a", import_id="found-1")) == []
    assert stage.run.news[urn_of("a")].id == "found-1"


def test_an_imported_resource_that_still_names_its_id_may_not_be_replaced() -> None:
    old = a_resource("a", id="x", import_id="x")
    stage = Stage(old, provider=PlainProvider(fixed=["value"]))

    with pytest.raises(ProviderError, match="remove the `import` declaration"):
        stage.planner.plan(a_goal("a", inputs={"value": 2}, import_id="x"))


def test_a_component_is_compared_by_its_inputs_alone() -> None:
    old = a_resource("a", custom=False, id="", provider="", inputs={"x": 1})
    goal = a_goal("a", custom=False, provider="", inputs={"x": 1})

    assert ops(Stage(old), goal) == ["same"]
    assert ops(Stage(old), replace(goal, inputs={"x": 2})) == ["update"]


def test_an_alias_carries_the_history_over_to_children_too() -> None:
    parent = a_resource("old", custom=False, id="", provider="", type="my:index:C")
    parent.urn = "urn:pulumi:dev::p::my:index:C::old"
    child = a_resource("old-bucket", parent=parent.urn)
    child.urn = "urn:pulumi:dev::p::my:index:C$test:index:Thing::old-bucket"
    stage = Stage(parent, child)
    new_parent = a_goal(
        "new", type="my:index:C", custom=False, provider="", aliases=(Alias(name="old"),)
    )
    stage.executor.execute(stage.planner.plan(new_parent))
    new_urn = stage.planner.urn_of(new_parent)

    steps = stage.planner.plan(a_goal("new-bucket", parent=new_urn))
    stage.executor.execute(steps)

    assert steps[0].old is not None
    assert steps[0].old.urn == child.urn
    final = {state.urn: state for state in stage.run.snapshot.deployment().resources}
    assert child.urn not in final
    assert final[steps[0].urn].parent == new_urn


def test_one_name_can_be_registered_once() -> None:
    stage = Stage()
    stage.planner.plan(a_goal("a"))

    with pytest.raises(Bail):
        stage.planner.plan(a_goal("a"))

    assert "try giving it a unique name" in stage.errors[0]


def test_every_failure_of_a_check_is_told_before_the_resource_is_given_up() -> None:
    provider = PlainProvider()
    provider.failures = [("value", "too big"), ("", "incomplete")]
    stage = Stage(provider=provider)

    with pytest.raises(Bail):
        stage.planner.plan(a_goal("a"))

    assert stage.errors == [
        "test:index:Thing resource 'a': property value value {1} has a problem: too big\n",
        "test:index:Thing resource 'a' has a problem: incomplete\n",
    ]
