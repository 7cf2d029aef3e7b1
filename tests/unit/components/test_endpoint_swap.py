"""The swap as a resource: what Pulumi stores, compares, reads and deletes."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc

from components.clock import Clock
from components.endpoint_swap import (
    POLL_INTERVAL_VARIABLE,
    EndpointSwapProvider,
    open_clients,
)
from components.rollout import DeploymentSettings, deployment_config
from components.swap_cloud import SwapClients
from components.swap_plan import RolledBackError
from tests.support.swap_substitute import (
    ALARM_NAME,
    BLUE,
    ENDPOINT_NAME,
    GREEN,
    Account,
    ManualClock,
)

ROOT = Path(__file__).parents[3]
OWNER = {"Project": "greenlight", "Stack": "dev-wine", "Model": "wine"}


class ProviderOverAccount(EndpointSwapProvider):
    """The provider with the account's clients and a clock a test moves."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account
        self.manual_clock = ManualClock()
        self.lines: list[str] = []

    def clients(self, _props: dict[str, Any]) -> SwapClients:
        return self.account.clients()

    def clock(self) -> Clock:
        return self.manual_clock

    def tell(self, line: str) -> None:
        self.lines.append(line)


def some_props(**changes: Any) -> dict[str, Any]:
    props: dict[str, Any] = {
        "region": "eu-west-1",
        "endpoint_name": ENDPOINT_NAME,
        "endpoint_config_name": GREEN,
        "deployment_config": deployment_config(DeploymentSettings(), [ALARM_NAME]),
        "deadline_seconds": 3600,
        "is_autoscaled": False,
        "artifact_digest": "ab" * 32,
        "owner_tags": OWNER,
    }
    return props | changes


def test_stored_provider_is_the_name_of_its_class_and_nothing_else() -> None:
    stored = base64.b64decode(serialize_provider(EndpointSwapProvider()))

    assert b"components.endpoint_swap" in stored
    assert b"EndpointSwapProvider" in stored
    assert len(stored) < 100


def test_stored_provider_is_the_same_in_another_process() -> None:
    program = (
        "from pulumi.dynamic.dynamic import serialize_provider\n"
        "from components.endpoint_swap import EndpointSwapProvider\n"
        "print(serialize_provider(EndpointSwapProvider()))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == serialize_provider(EndpointSwapProvider())
    assert EndpointSwapProvider.serialize_as_secret_always is False


def test_new_endpoint_is_promoted_at_once_with_its_evidence() -> None:
    account = Account(live=GREEN)

    result = ProviderOverAccount(account).create(some_props())

    assert result.id == ENDPOINT_NAME
    assert result.outs == {
        **some_props(),
        "verdict": "promoted",
        "live_endpoint_config_name": GREEN,
        "previous_endpoint_config_name": GREEN,
    }
    assert account.called("update_endpoint") == []


def test_failed_endpoints_of_earlier_creations_of_this_stack_are_deleted() -> None:
    stem = ENDPOINT_NAME.rpartition("-")[0]
    account = Account(
        live=GREEN,
        others={
            f"{stem}-7777777": {**OWNER, "CostCenter": "ml"},
            f"{stem}-8888888": {**OWNER, "Stack": "prod-wine"},
            f"{stem}-canary-9999999": dict(OWNER),
        },
    )
    provider = ProviderOverAccount(account)

    provider.create(some_props())

    assert sorted(account.others) == [f"{stem}-8888888", f"{stem}-canary-9999999"]
    assert any(f"deleted {stem}-7777777" in line for line in provider.lines)


def test_update_moves_the_endpoint_and_stores_where_it_came_from() -> None:
    account = Account()

    result = ProviderOverAccount(account).update(
        ENDPOINT_NAME, some_props(endpoint_config_name=BLUE), some_props()
    )

    assert result.outs is not None
    assert result.outs["verdict"] == "promoted"
    assert result.outs["live_endpoint_config_name"] == GREEN
    assert result.outs["previous_endpoint_config_name"] == BLUE


def test_numbers_that_crossed_pulumis_wire_are_whole_again() -> None:
    account = Account()
    props = some_props()
    props["deployment_config"]["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 30.0

    ProviderOverAccount(account).update(ENDPOINT_NAME, {}, props | {"deadline_seconds": 60.0})

    (request,) = account.called("update_endpoint")
    wait = request["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"]
    assert isinstance(wait, int)


def test_rolled_back_update_fails_with_the_story() -> None:
    account = Account(outcome="roll_back", failure_reason="alarm tripped")

    with pytest.raises(RolledBackError, match="alarm tripped"):
        ProviderOverAccount(account).update(ENDPOINT_NAME, {}, some_props())


def test_same_declaration_is_no_change() -> None:
    olds = {**some_props(), "verdict": "promoted", "__provider": "older"}

    result = EndpointSwapProvider().diff(ENDPOINT_NAME, olds, some_props())

    assert (result.changes, result.replaces) == (False, [])


@pytest.mark.parametrize("target", [GREEN, rpc.UNKNOWN])
def test_another_config_is_an_update_in_place(target: str) -> None:
    olds = some_props(endpoint_config_name=BLUE)

    result = EndpointSwapProvider().diff(
        ENDPOINT_NAME, olds, some_props(endpoint_config_name=target)
    )

    assert (result.changes, result.replaces) == (True, [])


def test_another_endpoint_is_another_swap() -> None:
    result = EndpointSwapProvider().diff(
        ENDPOINT_NAME, some_props(), some_props(endpoint_name="another")
    )

    assert result.replaces == ["endpoint_name"]
    assert result.delete_before_replace is False


def test_refresh_shows_the_config_that_is_live_so_that_up_moves_it_back() -> None:
    provider = ProviderOverAccount(Account(live=BLUE))
    stored = {**some_props(), "live_endpoint_config_name": GREEN, "__provider": "x"}

    read = provider.read(ENDPOINT_NAME, stored)

    assert read.outs is not None
    assert read.outs["live_endpoint_config_name"] == BLUE
    assert read.inputs is not None
    assert read.inputs["endpoint_config_name"] == BLUE
    assert provider.diff(ENDPOINT_NAME, read.outs, some_props()).changes is True


def test_refresh_of_an_endpoint_that_is_gone_drops_the_swap() -> None:
    assert ProviderOverAccount(Account(is_gone=True)).read(ENDPOINT_NAME, some_props()).id == ""


def test_delete_waits_for_an_update_under_way_and_forgets_what_was_set_aside() -> None:
    account = Account(stored={f"/greenlight/endpoint/{ENDPOINT_NAME}/set-aside-scaling": "[]"})
    account.begin_update(GREEN)
    provider = ProviderOverAccount(account)

    provider.delete(ENDPOINT_NAME, some_props())

    assert account.status == "InService"
    assert account.stored == {}


def test_poll_interval_is_read_when_a_swap_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLL_INTERVAL_VARIABLE, "0.25")
    provider = ProviderOverAccount(Account())

    provider.update(ENDPOINT_NAME, {}, some_props())

    assert set(provider.manual_clock.sleeps) == {0.25}


def test_poll_interval_is_five_seconds_on_aws() -> None:
    provider = ProviderOverAccount(Account())

    provider.update(ENDPOINT_NAME, {}, some_props())

    assert set(provider.manual_clock.sleeps) == {5.0}


def test_progress_is_written_as_it_happens(capsys: pytest.CaptureFixture[str]) -> None:
    EndpointSwapProvider().tell("swap x: moving")

    assert capsys.readouterr().out == "swap x: moving\n"


def test_clients_go_where_the_environment_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")

    clients = open_clients("eu-west-1")

    for client in (clients.sagemaker, clients.cloudwatch, clients.autoscaling, clients.parameters):
        assert client.meta.endpoint_url == "http://127.0.0.1:4566"
        assert client.meta.region_name == "eu-west-1"
