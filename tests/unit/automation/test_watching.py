"""An endpoint is followed until it rests; the config it was moving to decides the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from automation.deployment import WatchResult
from automation.endpoint import EndpointState, state_from
from automation.errors import StackError
from automation.listeners import SILENT, Listeners
from automation.progress import ProgressLine
from automation.watching import follow
from components.swap_plan import Verdict


def a_look(status: str, config: str, pending: str | None = None) -> EndpointState:
    description: dict[str, object] = {
        "EndpointStatus": status,
        "EndpointConfigName": config,
        "LastModifiedTime": 0.0,
    }
    if pending is not None:
        description["PendingDeploymentSummary"] = {"EndpointConfigName": pending}
    return state_from("wine-dev", description)


def followed(
    looks: Sequence[EndpointState | None], listen: Listeners = SILENT, limit_seconds: float = 100.0
) -> WatchResult:
    given: Iterator[EndpointState | None] = iter(looks)
    moments = iter(range(1000))
    return follow(
        lambda: next(given),
        "wine-dev",
        listen=listen,
        limit_seconds=limit_seconds,
        now_seconds=lambda: float(next(moments)),
        rest=lambda seconds: None,
    )


def test_a_swap_that_reaches_its_config_is_promoted() -> None:
    moving = a_look("Updating", "config-1", "config-2")

    result = followed([moving, moving, a_look("InService", "config-2")])

    assert result.verdict is Verdict.PROMOTED


def test_a_swap_that_ends_where_it_began_is_rolled_back() -> None:
    looks = [
        a_look("Updating", "config-1", "config-2"),
        a_look("RollingBack", "config-1"),
        a_look("InService", "config-1"),
    ]

    assert followed(looks).verdict is Verdict.ROLLED_BACK


def test_an_endpoint_at_rest_is_looked_at_once() -> None:
    result = followed([a_look("InService", "config-1")])

    assert result.verdict is None
    assert result.endpoint.view.endpoint_config_name == "config-1"


def test_the_watch_ends_at_its_limit() -> None:
    moving = a_look("Updating", "config-1", "config-2")

    assert followed([moving] * 5, limit_seconds=3.0).verdict is Verdict.INCONCLUSIVE


def test_an_endpoint_that_goes_away_is_an_error() -> None:
    with pytest.raises(StackError, match="endpoint wine-dev does not exist any more"):
        followed([a_look("Deleting", "config-1"), None])


def test_every_look_is_shown_and_each_thing_told_once() -> None:
    states: list[EndpointState] = []
    lines: list[ProgressLine] = []
    moving = a_look("Updating", "config-1", "config-2")

    followed(
        [moving, moving, a_look("InService", "config-2")],
        Listeners(on_line=lines.append, on_state=states.append),
    )

    assert len(states) == 3
    assert [line.text for line in lines] == ["wine-dev: Updating", "wine-dev: InService"]
