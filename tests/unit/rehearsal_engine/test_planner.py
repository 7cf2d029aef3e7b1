"""What the engine decides about one registration."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.errors import EngineError
from rehearsal.engine.requests import Goal
from rehearsal.engine.run import Bail
from rehearsal.engine.state import Resource
from rehearsal.engine.values import UNKNOWN, Secret
from tests.support.engine_states import PlainProvider, Stage, a_resource, urn_of


def a_wanted(name: str, **members: Any) -> Resource:
    return a_resource(name, **({"id": "", "outputs": {}} | members))


def a_goal(name: str, *, delete_before_replace: bool | None = None, **members: Any) -> Goal:
    return Goal(state=a_wanted(name, **members), delete_before_replace=delete_before_replace)


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


def test_ignored_changes_never_reach_the_provider() -> None:
    old = a_resource("a", inputs={"name": "m", "value": 1})

    assert ops(Stage(old), a_goal("a", inputs={"value": 9}, ignore_changes=["value"])) == ["same"]


def test_a_resource_once_read_is_created_when_the_program_wants_its_own() -> None:
    stage = Stage(a_resource("a", external=True))

    assert ops(stage, a_goal("a")) == ["create-replacement", "replace"]


def test_reading_in_place_of_owning_gives_the_old_one_up() -> None:
    stage = Stage(a_resource("a"), a_resource("b"))

    other = [step.op for step in stage.planner.plan_read(a_wanted("a", id="elsewhere"))]
    itself = [step.op for step in stage.planner.plan_read(a_wanted("b", id="b-1"))]

    assert other == ["read-replacement", "replace"]
    assert itself == ["read"]


def test_a_component_is_compared_by_its_inputs_alone() -> None:
    old = a_resource("a", custom=False, id="", provider="", inputs={"x": 1})
    component: dict[str, Any] = {"custom": False, "provider": ""}

    assert ops(Stage(old), a_goal("a", inputs={"x": 1}, **component)) == ["same"]
    assert ops(Stage(old), a_goal("a", inputs={"x": 2}, **component)) == ["update"]


def test_one_name_can_be_registered_once() -> None:
    stage = Stage()
    stage.planner.plan(a_goal("a"))

    with pytest.raises(EngineError, match="try giving it a unique name"):
        stage.planner.plan(a_goal("a"))


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


@pytest.mark.parametrize("left_over", [False, True])
def test_deleting_first_what_another_depends_on_is_refused_by_name(left_over: bool) -> None:
    root = a_resource("root")
    user = a_resource("user", property_dependencies={"value": [root.urn]}, delete=left_over)
    stage = Stage(root, user, provider=PlainProvider(fixed=["value"], delete_first=True))

    with pytest.raises(EngineError, match=r"::user depends on it, is not supported"):
        stage.planner.plan(a_goal("root", inputs={"value": 2}))


def test_an_alias_that_would_rename_is_refused_and_one_that_finds_nothing_is_not() -> None:
    stage = Stage(a_resource("old"))

    fresh = Goal(state=a_wanted("a"), aliases=(urn_of("never"),))
    renamed = Goal(state=a_wanted("b"), aliases=(urn_of("old"),))

    assert ops(stage, fresh) == ["create"]
    with pytest.raises(EngineError, match=r"alias that renames .*::old to .*::b"):
        stage.planner.plan(renamed)
