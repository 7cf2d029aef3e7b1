"""One swap against the stand-in of AWS."""

from components.rollout import DeploymentSettings, deployment_config
from components.swap_cloud import SwapCloud
from components.swap_scaling import SwapScaling
from components.swap_watch import Swap, SwapRequest, SwapResult
from tests.support.swap_substitute import ALARM_NAME, ENDPOINT_NAME, GREEN, Account, ManualClock

DEADLINE_SECONDS = 3600


def swap(
    account: Account,
    *,
    target: str = GREEN,
    is_autoscaled: bool = False,
    clock: ManualClock | None = None,
    lines: list[str] | None = None,
) -> SwapResult:
    """Run a swap with the account's clients on a clock that only sleeping moves."""
    clients = account.clients()
    request = SwapRequest(
        endpoint_name=ENDPOINT_NAME,
        endpoint_config_name=target,
        deployment_config=deployment_config(DeploymentSettings(), [ALARM_NAME]),
        deadline_seconds=DEADLINE_SECONDS,
        is_autoscaled=is_autoscaled,
    )
    return Swap(
        request,
        SwapCloud(clients, ENDPOINT_NAME),
        SwapScaling(clients, ENDPOINT_NAME),
        clock=ManualClock() if clock is None else clock,
        tell=(lines if lines is not None else []).append,
        poll_interval_seconds=5,
    ).run()
