"""A preview names what can hurt, and says nothing about what cannot."""

from __future__ import annotations

from automation.hazards import ENDPOINT, PlannedStep, PreviewSummary, hazards_of


def test_a_replaced_endpoint_is_named_with_its_reason() -> None:
    step = PlannedStep(op="replace", type=ENDPOINT, name="wine-dev-endpoint", changed=("name",))

    (hazard,) = hazards_of([step])

    assert hazard.startswith("replaces endpoint wine-dev-endpoint because name changes")


def test_a_deleted_endpoint_is_named() -> None:
    (hazard,) = hazards_of([PlannedStep(op="delete", type=ENDPOINT, name="wine-dev-endpoint")])

    assert "deletes endpoint wine-dev-endpoint" in hazard


def test_a_step_told_in_several_parts_is_one_hazard() -> None:
    bucket = "aws:s3/bucket:Bucket"
    steps = [
        PlannedStep(op="create-replacement", type=bucket, name="artifacts", changed=("bucket",)),
        PlannedStep(op="replace", type=bucket, name="artifacts", changed=("bucket",)),
    ]

    assert len(hazards_of(steps)) == 1


def test_a_swap_is_no_hazard() -> None:
    steps = [
        PlannedStep(op="create", type="aws:sagemaker/model:Model", name="model"),
        PlannedStep(op="update", type=ENDPOINT, name="endpoint"),
        PlannedStep(
            op="delete-replaced",
            type="aws:sagemaker/endpointConfiguration:EndpointConfiguration",
            name="config",
        ),
    ]

    assert hazards_of(steps) == ()


def test_a_preview_without_changes_is_empty() -> None:
    assert PreviewSummary(changes={"same": 12}, hazards=()).is_empty
    assert not PreviewSummary(changes={"same": 12, "update": 1}, hazards=()).is_empty
