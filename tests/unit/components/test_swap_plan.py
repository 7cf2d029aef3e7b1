from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.swap_plan import (
    AlarmView,
    EndpointView,
    NextStep,
    SwapProgress,
    VariantView,
    deadline_story,
    endpoint_view,
    next_step,
    refusal_story,
    rollback_story,
    variants_to_release,
)

TARGET, OLD = "green", "blue"


def a_view(**changes: Any) -> EndpointView:
    values: dict[str, Any] = {
        "status": "InService",
        "endpoint_config_name": OLD,
        "pending_config_name": None,
        "failure_reason": None,
        "last_modified": 1.0,
        "stages": (),
    }
    return EndpointView(**(values | changes))


FRESH = SwapProgress(target_config_name=TARGET)
CALLED = SwapProgress(target_config_name=TARGET, called_at_modified=1.0)
SEEN = SwapProgress(target_config_name=TARGET, called_at_modified=1.0, is_under_way=True)
ATTACHED = SwapProgress(target_config_name=TARGET, is_under_way=True)


@pytest.mark.parametrize(
    ("view", "progress", "step"),
    [
        (a_view(endpoint_config_name=TARGET), FRESH, NextStep.PROMOTED),
        (a_view(endpoint_config_name=TARGET, failure_reason="old"), SEEN, NextStep.PROMOTED),
        (a_view(), FRESH, NextStep.CALL_UPDATE),
        (a_view(failure_reason="of an earlier update"), FRESH, NextStep.CALL_UPDATE),
        (a_view(), CALLED, NextStep.WATCH),
        (a_view(last_modified=2.0), CALLED, NextStep.ROLLED_BACK),
        (a_view(), SEEN, NextStep.ROLLED_BACK),
        (a_view(), ATTACHED, NextStep.ROLLED_BACK),
        (a_view(status="Updating", pending_config_name=TARGET), FRESH, NextStep.WATCH),
        (a_view(status="Updating", pending_config_name="other"), FRESH, NextStep.WAIT),
        (a_view(status="Updating"), FRESH, NextStep.WAIT),
        (a_view(status="Updating"), CALLED, NextStep.WATCH),
        (a_view(status="SystemUpdating"), FRESH, NextStep.WAIT),
        (a_view(status="RollingBack"), SEEN, NextStep.WATCH),
        (a_view(status="Creating"), FRESH, NextStep.WAIT),
        (a_view(status="UpdateRollbackFailed"), FRESH, NextStep.CALL_UPDATE),
        (a_view(status="UpdateRollbackFailed"), SEEN, NextStep.BROKEN),
        (a_view(status="Failed"), SEEN, NextStep.REFUSE),
        (a_view(status="Deleting"), FRESH, NextStep.REFUSE),
        (a_view(status="OutOfService"), FRESH, NextStep.REFUSE),
    ],
)
def test_step_follows_from_the_look_and_what_this_run_knows(
    view: EndpointView, progress: SwapProgress, step: NextStep
) -> None:
    assert next_step(view, progress) is step


@given(
    status=st.sampled_from(["InService", "Updating", "RollingBack", "Failed", "SystemUpdating"]),
    live=st.sampled_from([OLD, TARGET, "other"]),
    pending=st.sampled_from([None, TARGET, "other"]),
    modified=st.floats(0, 3),
    progress=st.sampled_from([FRESH, CALLED, SEEN, ATTACHED]),
)
def test_only_an_endpoint_in_service_on_the_target_is_promoted(
    status: str, live: str, pending: str | None, modified: float, progress: SwapProgress
) -> None:
    view = a_view(
        status=status,
        endpoint_config_name=live,
        pending_config_name=pending,
        last_modified=modified,
    )

    step = next_step(view, progress)

    assert (step is NextStep.PROMOTED) == (status == "InService" and live == TARGET)
    if progress is not FRESH:
        assert step is not NextStep.CALL_UPDATE


def a_description(**changes: Any) -> dict[str, Any]:
    return {
        "EndpointStatus": "Updating",
        "EndpointConfigName": OLD,
        "LastModifiedTime": datetime(2026, 1, 1, tzinfo=UTC),
        **changes,
    }


@pytest.mark.parametrize(
    ("status", "message", "line"),
    [
        ("Creating", "Launching 2 instance(s).", "launching: Launching 2 instance(s)."),
        (
            "ActivatingTraffic",
            "Activating traffic on canary capacity of 1 instance(s).",
            "canary shifting: Activating traffic on canary capacity of 1 instance(s).",
        ),
        (
            "Baking",
            "Baking for 60 seconds with traffic enabled on canary capacity of 1 instance(s).",
            "canary baking: "
            "Baking for 60 seconds with traffic enabled on canary capacity of 1 instance(s).",
        ),
        (
            "Baking",
            "Baking for 60 seconds, full capacity.",
            "baking: Baking for 60 seconds, full capacity.",
        ),
        ("Deleting", "", "terminating"),
        ("SomethingNew", "x", "SomethingNew: x"),
    ],
)
def test_stage_of_the_green_fleet_is_told_in_our_words(
    status: str, message: str, line: str
) -> None:
    variant = {
        "VariantName": "AllTraffic",
        "VariantStatus": [{"Status": status, "StatusMessage": message}],
    }

    view = endpoint_view(
        a_description(
            PendingDeploymentSummary={"EndpointConfigName": TARGET, "ProductionVariants": [variant]}
        )
    )

    assert view.pending_config_name == TARGET
    assert view.stages == (line,)


def test_launch_tells_how_many_instances_are_there() -> None:
    variant = {
        "VariantName": "AllTraffic",
        "CurrentInstanceCount": 1,
        "DesiredInstanceCount": 3,
        "VariantStatus": [{"Status": "Creating"}],
    }

    view = endpoint_view(a_description(ProductionVariants=[variant]))

    assert view.stages == ("launching (1 of 3 in service)",)


def test_time_of_a_look_is_a_number_whatever_the_client_gives() -> None:
    assert endpoint_view(a_description()).last_modified == 1767225600.0
    assert endpoint_view(a_description(LastModifiedTime=5)).last_modified == 5.0


@pytest.mark.parametrize(
    ("target", "released"),
    [
        ([("a", "ml.m5.large"), ("b", "ml.m5.large")], ()),
        ([("a", "ml.c5.large"), ("b", "ml.c5.large")], ("a",)),
        ([("b", "ml.m5.large")], ("a",)),
        ([("a", None), ("b", None)], ("a",)),
    ],
)
def test_variant_is_released_only_if_autoscaled_and_changed_or_removed(
    target: list[tuple[str, str | None]], released: tuple[str, ...]
) -> None:
    live = [VariantView(name=name, instance_type="ml.m5.large") for name in ("a", "b")]
    new = [VariantView(name=name, instance_type=kind) for name, kind in target]

    assert variants_to_release(live, new, frozenset({"a"})) == released


def test_rollback_story_names_what_is_live_why_and_what_next() -> None:
    story = rollback_story(
        "e",
        TARGET,
        a_view(failure_reason="alarm"),
        [AlarmView(name="errors", state="ALARM", reason="5 > 0")],
    )

    assert story.splitlines() == [
        "swap of endpoint e to green was rolled back by SageMaker; blue is live and still there",
        "  failure reason: alarm",
        "  rollback alarm errors: ALARM (5 > 0)",
        "  container logs: log group /aws/sagemaker/Endpoints/e",
        "  next: mend the model or its settings and run up again; the same up would try the same "
        "config again",
    ]


def test_rollback_story_without_alarms_says_that_none_were_set() -> None:
    assert "rollback alarms: none were set" in rollback_story("e", TARGET, a_view(), [])


def test_deadline_story_says_what_was_seen_last() -> None:
    assert "it could not be described" in deadline_story("e", TARGET, 60, None)
    assert "it is Updating (baking)" in deadline_story(
        "e", TARGET, 60, a_view(status="Updating", stages=("baking",))
    )


def test_refusal_story_names_the_state_and_the_reason() -> None:
    story = refusal_story("e", a_view(status="Failed", failure_reason="no ping"))

    assert story.startswith("endpoint e is Failed")
    assert "(no ping)" in story
