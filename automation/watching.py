"""Follows an endpoint from one look to the next until it rests."""

from __future__ import annotations

import time
from collections.abc import Callable

from automation.deployment import WatchResult, watched_verdict
from automation.endpoint import EndpointState
from automation.errors import StackError
from automation.listeners import Listeners
from automation.progress import Progress, poll_interval_seconds

LONGEST_WATCH_SECONDS = 8 * 3600.0


def follow(
    look: Callable[[], EndpointState | None],
    name: str,
    *,
    listen: Listeners,
    limit_seconds: float = LONGEST_WATCH_SECONDS,
    now_seconds: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> WatchResult:
    """Look at an endpoint until it rests, and judge where it came to.

    Args:
        look: one look; None where the endpoint is gone.
        name: the endpoint's name, for the message.

    Raises:
        StackError: the endpoint is gone.
    """
    progress = Progress(listen.on_line)
    target_config: str | None = None
    deadline = now_seconds() + limit_seconds
    while True:
        state = look()
        if state is None:
            raise StackError(f"endpoint {name} does not exist any more; `greenlight up` makes one")
        progress.take_state(state)
        if listen.on_state is not None:
            listen.on_state(state)
        if state.view.pending_config_name is not None:
            target_config = state.view.pending_config_name
        if not state.is_moving or now_seconds() > deadline:
            return watched_verdict(target_config, state)
        rest(poll_interval_seconds())
