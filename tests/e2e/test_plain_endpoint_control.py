"""The control: the same bad swap through Pulumi's own endpoint resource, without `EndpointSwap`.

If these ever fail because the plain resource got better, `EndpointSwap` has lost a reason to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pulumi.automation import CommandError, Stack, UpResult

from automation import stack_settings, workspace
from automation.gate.packaging import package
from automation.load import Load, Tally, questions_for, runtime_client
from automation.spec import load_spec
from automation.stack_settings import ArtifactSetting, StackTarget
from tests.e2e.conftest import ROOT, Cloud, a_rehearsal

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.source("terraform-provider-aws issues 39099, 46663, 48997"),
]

TARGET = StackTarget(model="wine", stage="dev", name="dev", base="dev")
BASELINE, CHALLENGER, BAD = "random-forest", "gradient-boosting", "one-hot-proline"


@dataclass
class Control:
    """What the plain resource made of the bad swap."""

    first_config: str
    bad_update: UpResult
    endpoint: dict[str, Any]
    config_names: set[str]
    client: Tally
    good_update_error: str
    events: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    with a_rehearsal(tmp_path_factory.mktemp("control") / "rehearsal") as cloud:
        yield tell(cloud)


def tell(cloud: Cloud) -> Control:
    stack = stack_serving(BASELINE)
    outputs = stack.up().outputs
    endpoint_name = str(outputs["endpointName"].value)
    questions = questions_for(load_spec(ROOT, "wine"), ROOT, (BASELINE, BAD))
    with Load(runtime_client(), endpoint_name, questions, requests_per_second=20) as load:
        bad_update = stack_serving(BAD).up()
        client = load.take()
    endpoint, config_names = cloud.endpoint(endpoint_name), cloud.config_names()
    with pytest.raises(CommandError) as refused:
        stack_serving(CHALLENGER).up()
    return Control(
        first_config=str(outputs["endpointConfigName"].value),
        bad_update=bad_update,
        endpoint=endpoint,
        config_names=config_names,
        client=client,
        good_update_error=str(refused.value),
        events=cloud.get("record")["events"],
    )


def stack_serving(estimator: str) -> Stack:
    """Write the settings of the base stack with wine in it, swapped by the plain resource."""
    spec = load_spec(ROOT, "wine")
    artifact = package(spec, ROOT, estimator=estimator).artifact
    setting = ArtifactSetting(
        location=str(artifact.directory.relative_to(ROOT)), digest=artifact.digest
    )
    base = workspace.base_file(ROOT, "dev")["config"]
    config = stack_settings.assemble(TARGET, base, spec, setting, foundation_stack=None)
    config[f"{stack_settings.PREFIX}swap"] = "plain"
    stack_settings.check(config, TARGET)
    workspace.write_folder(ROOT, TARGET.name, config, {})
    return workspace.open_stack(ROOT, TARGET.name, create=True)


def test_the_cloud_rolled_the_update_back(control: Control) -> None:
    assert control.endpoint["EndpointStatus"] == "InService"
    assert control.endpoint["EndpointConfigName"] == control.first_config
    assert set(control.client.failures) == {"ModelError (500)"}


def test_the_plain_resource_reports_the_rolled_back_update_as_good(control: Control) -> None:
    assert control.bad_update.summary.result == "succeeded"
    recorded = control.bad_update.outputs["endpointConfigName"].value
    assert recorded != control.endpoint["EndpointConfigName"]


def test_the_config_that_serves_was_deleted(control: Control) -> None:
    assert control.endpoint["EndpointConfigName"] not in control.config_names


def test_even_a_good_update_fails_from_then_on(control: Control) -> None:
    assert "Could not find endpoint configuration" in control.good_update_error
    assert control.first_config in control.good_update_error
