"""The control plane's operations that need no process, over a clock moved by hand."""

from __future__ import annotations

import pytest

from rehearsal.cloud.http import Request
from tests.support.simulated_hosting import IMAGE, ROLE, SimulatedHosting


@pytest.fixture
def hosting() -> SimulatedHosting:
    return SimulatedHosting()


@pytest.mark.assumed("only inference components do without a model's role; the text is not known")
def test_a_hosted_model_needs_a_role(hosting: SimulatedHosting) -> None:
    message = hosting.refusal("CreateModel", ModelName="m", PrimaryContainer={"Image": IMAGE})

    assert message == "ExecutionRoleArn must be specified for a hosted model."


def test_a_refused_operation_leaves_nothing_behind_but_its_record(
    hosting: SimulatedHosting,
) -> None:
    hosting.refusal("CreateModel", ModelName="m", PrimaryContainer={"Image": IMAGE})
    hosting.services.refused_roles.add(ROLE)
    hosting.refusal(
        "CreateModel",
        ModelName="m",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE},
        Tags=[{"Key": "k", "Value": "v"}],
    )

    assert hosting.engine.catalog.models == {}
    assert hosting.engine.catalog.tags == {}
    errors = [event["error"] for event in hosting.record.as_dict()["events"]]
    assert len(errors) == 2
    assert all(error.startswith("ValidationException: ") for error in errors)


@pytest.mark.parametrize(
    ("operation", "arn", "is_ours"),
    [
        ("DescribeModel", "", True),
        ("ListTags", "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e", True),
        ("ListTags", "arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/n", False),
        ("CreateTrainingJob", "", False),
    ],
)
def test_tags_of_other_resources_and_other_operations_are_not_answered(
    hosting: SimulatedHosting, operation: str, arn: str, is_ours: bool
) -> None:
    body = f'{{"ResourceArn": "{arn}"}}'.encode()
    request = Request(method="POST", target="/", headers={}, raw_headers=(), body=body)

    assert hosting.api.handles(operation, request) is is_ours
