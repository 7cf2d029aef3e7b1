"""What a step leaves behind in the state, the events and the counts."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.deletes import delete_layers, plan_deletes, run_deletes
from rehearsal.engine.executor import StepFailedError
from rehearsal.engine.provider_client import Answer
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step
from rehearsal.engine.values import Secret
from tests.support.engine_states import PROVIDER_URN, PlainProvider, Stage, a_resource, urn_of


class FailingProvider(PlainProvider):
    def __init__(self, answer: Answer | ProviderError) -> None:
        super().__init__()
        self.answer = answer

    def create(self, new: Resource, *, preview: bool) -> Answer:
        if isinstance(self.answer, ProviderError):
            raise self.answer
        return self.answer

    def update(self, old: Resource, new: Resource, ignored: Any, *, preview: bool) -> Answer:
        return self.create(new, preview=preview)

    def delete(self, old: Resource) -> None:
        if isinstance(self.answer, ProviderError):
            raise self.answer


def names(resources: list[Resource]) -> list[str]:
    return [state.urn.rpartition("::")[2] for state in resources]


def test_the_state_names_a_create_before_it_is_asked_for_and_the_result_after() -> None:
    stage = Stage()

    new = a_resource("a", id="", outputs={})
    stage.executor.execute([Step(op="create", urn=new.urn, new=new)])

    before, after = stage.saves
    assert [(p.type, p.resource.urn) for p in before.pending_operations] == [("creating", new.urn)]
    assert names(before.resources) == ["default"]
    assert after.pending_operations == []
    assert [state.id for state in after.resources] == ["a-2", "provider-1"]
    assert stage.run.reporter.counts == {"create": 1}


def test_a_failed_create_leaves_no_resource_and_no_pending_operation() -> None:
    stage = Stage(provider=FailingProvider(ProviderError("no room", 2)))
    new = a_resource("a", id="")

    with pytest.raises(StepFailedError):
        stage.executor.execute([Step(op="create", urn=new.urn, new=new)])

    assert names(stage.saves[-1].resources) == ["default"]
    assert stage.saves[-1].pending_operations == []
    assert stage.errors == ["no room\n"]
    assert stage.run.stopping.is_set()
    assert stage.run.maybe_corrupt


def test_a_resource_that_never_got_ready_is_kept_with_the_reasons() -> None:
    answer = Answer(id="a-9", outputs={"value": 1}, reasons=("not ready",))
    stage = Stage(provider=FailingProvider(answer))
    new = a_resource("a", id="")

    with pytest.raises(StepFailedError, match="not ready"):
        stage.executor.execute([Step(op="create", urn=new.urn, new=new)])

    saved = stage.saves[-1].resources[0]
    assert (saved.id, saved.init_errors) == ("a-9", ["not ready"])


def test_a_partly_failed_update_keeps_the_old_inputs_and_the_new_outputs() -> None:
    answer = Answer(id="a-1", outputs={"value": "half"}, reasons=("timed out",))
    old = a_resource("a")
    stage = Stage(old, provider=FailingProvider(answer))
    new = a_resource("a", inputs={"value": 2})

    with pytest.raises(StepFailedError):
        stage.executor.execute([Step(op="update", urn=old.urn, old=old, new=new)])

    saved = stage.saves[-1].resources[0]
    assert (saved.inputs, saved.outputs) == ({"value": 1}, {"value": "half"})


def test_the_original_stays_in_the_state_until_its_replacement_is_settled() -> None:
    old, new = a_resource("a"), a_resource("a", id="", inputs={"value": 2})
    stage = Stage(old)

    create = Step(op="create-replacement", urn=old.urn, old=old, new=new, keeps_old=True)
    stage.executor.execute([create, Step(op="replace", urn=old.urn, old=old, new=new)])

    states = [state for state in stage.saves[-1].resources if state.urn == old.urn]
    assert [(state.id, state.delete) for state in states] == [("a-2", False), ("a-1", True)]
    assert stage.run.reporter.counts == {"replace": 1}


def test_an_original_deleted_first_is_remembered_until_the_new_one_is_there() -> None:
    old, new = a_resource("a"), a_resource("a", id="")
    stage = Stage(old)
    delete = Step(op="delete-replaced", urn=old.urn, old=old, deletes_first=True)
    create = Step(op="create-replacement", urn=old.urn, old=old, new=new)

    stage.executor.execute([delete])
    between = [state.pending_replacement for state in stage.saves[-1].resources]
    stage.executor.execute([create])

    assert between == [False, True]
    assert [state.id for state in stage.saves[-1].resources] == ["a-2", "provider-1"]


@pytest.mark.parametrize(
    "members",
    [{"retain_on_delete": True}, {"external": True}, {"custom": False, "id": ""}],
    ids=["retained", "external", "component"],
)
def test_some_resources_only_leave_the_state(members: dict[str, Any]) -> None:
    old = a_resource("a", **members)
    stage = Stage(old)

    stage.executor.execute([Step(op="delete", urn=old.urn, old=old)])

    assert stage.provider.calls == []
    assert names(stage.saves[-1].resources) == ["default"]


def plan_all(stage: Stage) -> list[Step]:
    return plan_deletes(stage.run, {PROVIDER_URN})


def test_every_protected_resource_is_told_and_stays_while_others_of_its_layer_go() -> None:
    kept = [a_resource("a", protect=True), a_resource("b", protect=True)]
    stage = Stage(*kept, a_resource("c"))

    run_deletes(stage.run, stage.executor, plan_all(stage))

    assert sum("because it is protected" in error for error in stage.errors) == 2
    assert stage.provider.calls == [("delete", urn_of("c"))]
    assert names(stage.run.snapshot.deployment().resources) == ["default", "a", "b"]


def test_nothing_that_is_still_needed_goes_after_a_failed_delete() -> None:
    base = a_resource("base")
    user = a_resource("user", dependencies=[base.urn])
    stage = Stage(base, user, provider=FailingProvider(ProviderError("busy")))

    run_deletes(stage.run, stage.executor, plan_all(stage))

    assert stage.errors == ["busy\n"]
    assert names(stage.run.snapshot.deployment().resources) == ["default", "base", "user"]


def test_deletes_are_layered_so_that_nothing_loses_what_it_needs() -> None:
    a = a_resource("a")
    b = a_resource("b", dependencies=[a.urn])
    c = a_resource("c", property_dependencies={"x": [a.urn]}, parent=b.urn)
    d = a_resource("d", dependencies=[a.urn])
    steps = [Step(op="delete", urn=state.urn, old=state) for state in (a, b, c, d)]

    layers = delete_layers(steps)

    assert [sorted(step.urn[-1] for step in layer) for layer in layers] == [
        ["c", "d"],
        ["b"],
        ["a"],
    ]


def test_left_overs_and_the_forgotten_are_deleted_but_not_what_is_in_use() -> None:
    states = [
        a_resource("kept"),
        a_resource("gone"),
        a_resource("kept", id="kept-0", delete=True),
        a_resource("seen", external=True),
        a_resource("begun", pending_replacement=True),
    ]
    stage = Stage(*states)

    steps = plan_deletes(stage.run, {urn_of("kept"), PROVIDER_URN})

    assert [(step.op, step.state.id) for step in steps] == [
        ("delete", "gone-1"),
        ("delete-replaced", "kept-0"),
        ("discard", "seen-1"),
        ("remove-pending-replace", "begun-1"),
    ]


def test_outputs_that_repeat_a_secret_input_are_secret() -> None:
    new = a_resource("a", id="", inputs={"value": Secret(1), "plain": 2})
    new.additional_secret_outputs = ["token"]
    answer = Answer(id="x", outputs={"value": 1, "plain": 2, "token": "t"})
    stage = Stage(provider=FailingProvider(answer))

    stage.executor.execute([Step(op="create", urn=new.urn, new=new)])

    assert new.outputs == {"value": Secret(1), "plain": 2, "token": Secret("t")}


def test_an_unchanged_resource_is_not_worth_a_save_but_a_new_option_is() -> None:
    old = a_resource("a")
    stage = Stage(old)

    same = a_resource("a", outputs={})
    stage.executor.execute([Step(op="same", urn=old.urn, old=old, new=same)])
    saves = len(stage.saves)
    protected = a_resource("a", protect=True)
    stage.executor.execute([Step(op="same", urn=old.urn, old=same, new=protected)])

    assert (saves, len(stage.saves)) == (0, 1)
    assert protected.outputs == {"value": 1}


def test_secrets_are_hidden_in_events() -> None:
    new = a_resource("a", id="", inputs={"value": Secret("hush")})
    stage = Stage()

    stage.executor.execute([Step(op="create", urn=new.urn, new=new)])

    assert "hush" not in str(stage.events)
    assert [next(iter(event)) for event in stage.events] == ["resourcePreEvent", "resOutputsEvent"]


def test_two_old_copies_of_a_resource_are_pending_each_for_itself() -> None:
    stage = Stage()
    first, second = a_resource("a", id="a-0"), a_resource("a", id="a-1")

    ended = stage.run.snapshot.begin(first, "deleting")
    stage.run.snapshot.begin(second, "deleting")
    stage.run.snapshot.end(ended)

    pending = stage.run.snapshot.deployment().pending_operations
    assert [operation.resource.id for operation in pending] == ["a-1"]
