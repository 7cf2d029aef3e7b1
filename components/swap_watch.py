"""Runs one swap to its verdict: look, decide, act, rest, again.

Every turn starts from what SageMaker shows, never from what an earlier turn remembers doing, so a
run that is killed is simply run again: it attaches to the update under way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from components.clock import Clock, Patience
from components.swap_cloud import (
    CloudUnreachableError,
    ConfigNotVisibleError,
    EndpointBusyError,
    SwapCloud,
)
from components.swap_plan import (
    AlarmView,
    EndpointView,
    InconclusiveError,
    NextStep,
    RefusedError,
    RolledBackError,
    SwapProgress,
    Verdict,
    broken_story,
    deadline_story,
    next_step,
    refusal_story,
    rollback_story,
    variants_to_release,
)
from components.swap_scaling import SwapScaling

# How long AWS may stay unreachable before the watch gives up; the swap itself goes on without it.
UNREACHABLE_LIMIT_SECONDS = 300
# A new endpoint config is visible after seconds.
# Source: SageMaker API, CreateEndpoint, on eventually consistent reads.
INVISIBLE_CONFIG_LIMIT_SECONDS = 60
# An alarm that is pointed at the new config keeps its old state until it is evaluated again, once a
# minute; after a few minutes it means what it says.
FIRING_ALARM_LIMIT_SECONDS = 300

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class SwapRequest:
    """One move of an endpoint to a config.

    Args:
        deployment_config: the rollout as UpdateEndpoint takes it.
        deadline_seconds: how long to watch.
        is_autoscaled: whether the declared variant is a scalable target, so that its count is kept.
    """

    endpoint_name: str
    endpoint_config_name: str
    deployment_config: Mapping[str, Any]
    deadline_seconds: int
    is_autoscaled: bool

    def rollback_alarm_names(self) -> tuple[str, ...]:
        """The alarms that undo the swap."""
        configuration = self.deployment_config.get("AutoRollbackConfiguration", {})
        return tuple(alarm["AlarmName"] for alarm in configuration.get("Alarms", ()))


@dataclass(frozen=True, kw_only=True)
class SwapResult:
    """A promoted swap.

    Args:
        previous_endpoint_config_name: what was live at the first look; the target itself when there
            was nothing to move.
    """

    verdict: Verdict
    live_endpoint_config_name: str
    previous_endpoint_config_name: str


@dataclass(kw_only=True)
class _Memory:
    """What a run remembers for its messages and limits; decisions rest on `SwapProgress` alone."""

    started_seconds: float
    unreachable: Patience
    invisible_config: Patience
    firing_alarm: Patience
    first_config_name: str | None = None
    last_view: EndpointView | None = None
    told: str = ""
    fired: dict[str, AlarmView] = field(default_factory=dict)


class Swap:
    """One run of a swap.

    Args:
        tell: takes each line of progress.
        poll_interval_seconds: rest between two looks.
    """

    def __init__(
        self,
        request: SwapRequest,
        cloud: SwapCloud,
        scaling: SwapScaling,
        *,
        clock: Clock,
        tell: Tell,
        poll_interval_seconds: float,
    ) -> None:
        self._request = request
        self._cloud = cloud
        self._scaling = scaling
        self._clock = clock
        self._tell_line = tell
        self._poll_interval_seconds = poll_interval_seconds
        self._progress = SwapProgress(target_config_name=request.endpoint_config_name)
        self._memory = _Memory(
            started_seconds=clock.now_seconds(),
            unreachable=Patience(clock, UNREACHABLE_LIMIT_SECONDS),
            invisible_config=Patience(clock, INVISIBLE_CONFIG_LIMIT_SECONDS),
            firing_alarm=Patience(clock, FIRING_ALARM_LIMIT_SECONDS),
        )

    def run(self) -> SwapResult:
        """Move the endpoint and watch it.

        Raises:
            RolledBackError: SageMaker put the old config back.
            InconclusiveError: the deadline passed, or AWS could not be asked.
            RefusedError: the endpoint can't be moved as it is.
        """
        while True:
            try:
                result = self._turn()
                self._memory.unreachable.renew()
            except CloudUnreachableError as error:
                self._note_unreachable(error)
                result = None
            except (ClientError, BotoCoreError) as error:
                raise InconclusiveError(
                    f"swap of endpoint {self._request.endpoint_name} can't be watched: {error}; an "
                    "update that has started goes on in SageMaker, run up again to watch it"
                ) from error
            if result is not None:
                return result
            self._rest()

    def _turn(self) -> SwapResult | None:
        view = self._cloud.look()
        if view is None:
            raise RefusedError(
                f"endpoint {self._request.endpoint_name} does not exist any more; run `pulumi "
                "refresh`, then up makes a new one"
            )
        self._remember(view)
        step = next_step(view, self._progress)
        if step is NextStep.PROMOTED:
            return self._promoted(view)
        if step is NextStep.CALL_UPDATE:
            self._start(view)
        elif step is NextStep.WATCH:
            self._watch(view)
        elif step is NextStep.WAIT:
            where = view.pending_config_name
            what = "a change of its capacity" if where is None else f"its move to {where}"
            self._tell(f"endpoint is {view.status}; waiting for {what} to end")
        else:
            self._fail(step, view)
        return None

    def _remember(self, view: EndpointView) -> None:
        if self._memory.first_config_name is None:
            self._memory.first_config_name = view.endpoint_config_name
        self._memory.last_view = view

    def _start(self, view: EndpointView) -> None:
        target_name = self._request.endpoint_config_name
        live = self._live_variants(view)
        try:
            target = self._cloud.variants(target_name)
            if self._is_alarm_firing():
                return
            scaled = self._scaling.scaled_variants([variant.name for variant in live])
            released = variants_to_release(live, target, scaled)
            if released:
                self._tell(
                    f"setting autoscaling of {', '.join(released)} aside for a new instance type"
                )
                self._scaling.set_aside(released)
            self._call(view, retains_count=bool(scaled) or self._scaling.has_set_aside())
        except ConfigNotVisibleError as error:
            self._wait_for_config(error)

    def _call(self, view: EndpointView, *, retains_count: bool) -> None:
        request = self._request
        try:
            self._cloud.update(
                request.endpoint_config_name,
                dict(request.deployment_config),
                retains_count=request.is_autoscaled and retains_count,
            )
        except EndpointBusyError:
            self._tell("endpoint is being changed by somebody else; waiting for it")
            return
        except RefusedError:
            self._put_scaling_back(view)
            raise
        self._progress = replace(self._progress, called_at_modified=view.last_modified)
        self._tell(f"moving from {view.endpoint_config_name} to {request.endpoint_config_name}")

    def _live_variants(self, view: EndpointView) -> tuple[Any, ...]:
        try:
            return self._cloud.variants(view.endpoint_config_name)
        except ConfigNotVisibleError as error:
            raise RefusedError(
                f"endpoint {self._request.endpoint_name} serves with endpoint config "
                f"{view.endpoint_config_name}, which was deleted; SageMaker takes no update until "
                "a config of that name exists again, with the same model and variants"
            ) from error

    def _watch(self, view: EndpointView) -> None:
        if view.status != "InService" and not self._progress.is_under_way:
            if self._progress.called_at_modified is None:
                self._tell(
                    f"attached to the move to {self._request.endpoint_config_name} under way"
                )
            self._progress = replace(self._progress, is_under_way=True)
        for alarm in self._cloud.alarms(self._request.rollback_alarm_names()):
            if alarm.state == "ALARM" and alarm.name not in self._memory.fired:
                self._memory.fired[alarm.name] = alarm
                self._tell(f"rollback alarm {alarm.name} fires: {alarm.reason}")
        if view.stages:
            self._tell("; ".join(view.stages))

    def _promoted(self, view: EndpointView) -> SwapResult:
        self._put_scaling_back(view)
        previous = self._memory.first_config_name
        moved = previous is not None and previous != view.endpoint_config_name
        self._tell(
            f"promoted: {view.endpoint_config_name} is live"
            if moved
            else f"{view.endpoint_config_name} is live; nothing to move"
        )
        return SwapResult(
            verdict=Verdict.PROMOTED,
            live_endpoint_config_name=view.endpoint_config_name,
            previous_endpoint_config_name=view.endpoint_config_name
            if previous is None
            else previous,
        )

    def _fail(self, step: NextStep, view: EndpointView) -> None:
        name, target = self._request.endpoint_name, self._request.endpoint_config_name
        if step is NextStep.REFUSE:
            raise RefusedError(refusal_story(name, view))
        self._put_scaling_back(view)
        if step is NextStep.BROKEN:
            raise InconclusiveError(broken_story(name, target, view))
        now = self._cloud.alarms(self._request.rollback_alarm_names())
        alarms = [self._memory.fired.get(alarm.name, alarm) for alarm in now]
        story = rollback_story(name, target, view, alarms)
        self._tell(f"rolled back: {view.endpoint_config_name} is live")
        raise RolledBackError(story)

    def _put_scaling_back(self, view: EndpointView) -> None:
        if not self._scaling.has_set_aside():
            return
        if not self._request.is_autoscaled:
            # The settings no longer ask for it; Pulumi deletes its own record of the target later.
            self._scaling.forget()
            return
        names = [variant.name for variant in self._live_variants(view)]
        restored = self._scaling.put_back(names)
        self._tell(
            f"autoscaling of {', '.join(restored)} is back"
            if restored
            else "autoscaling was set aside for a variant that is gone"
        )

    def _is_alarm_firing(self) -> bool:
        firing = [
            alarm
            for alarm in self._cloud.alarms(self._request.rollback_alarm_names())
            if alarm.state == "ALARM"
        ]
        if not firing:
            self._memory.firing_alarm.renew()
            return False
        names = ", ".join(alarm.name for alarm in firing)
        if self._memory.firing_alarm.has_run_out():
            raise RefusedError(
                f"rollback alarm {names} has been in ALARM for {FIRING_ALARM_LIMIT_SECONDS} "
                f"seconds before the swap of endpoint {self._request.endpoint_name} began ("
                f"{'; '.join(alarm.reason for alarm in firing)}); SageMaker would undo the swap at "
                "its first bake, mend what fires or set rollbackAlarms"
            )
        self._tell(f"rollback alarm {names} is in ALARM from before; waiting for it to settle")
        return True

    def _wait_for_config(self, error: ConfigNotVisibleError) -> None:
        if self._memory.invisible_config.has_run_out():
            raise RefusedError(
                f"endpoint config {self._request.endpoint_config_name} does not exist after "
                f"{INVISIBLE_CONFIG_LIMIT_SECONDS} seconds; run `pulumi refresh`, then up"
            ) from error

    def _note_unreachable(self, error: CloudUnreachableError) -> None:
        if self._memory.unreachable.has_run_out():
            raise InconclusiveError(
                f"swap of endpoint {self._request.endpoint_name} is inconclusive: AWS has given no "
                f"answer for {UNREACHABLE_LIMIT_SECONDS} seconds ({error}); an update that has "
                "started goes on in SageMaker, run up again to watch it"
            ) from error
        self._tell(f"AWS gives no answer, asking again: {error}")

    def _rest(self) -> None:
        elapsed = self._clock.now_seconds() - self._memory.started_seconds
        if elapsed >= self._request.deadline_seconds:
            raise InconclusiveError(
                deadline_story(
                    self._request.endpoint_name,
                    self._request.endpoint_config_name,
                    self._request.deadline_seconds,
                    self._memory.last_view,
                )
            )
        self._clock.sleep(self._poll_interval_seconds)

    def _tell(self, line: str) -> None:
        if line == self._memory.told:
            return
        self._memory.told = line
        elapsed = round(self._clock.now_seconds() - self._memory.started_seconds)
        self._tell_line(f"swap {self._request.endpoint_name} +{elapsed}s: {line}")


def wait_until_settled(
    cloud: SwapCloud,
    *,
    clock: Clock,
    tell: Tell,
    poll_interval_seconds: float,
    limit_seconds: int,
) -> None:
    """Wait until no update is under way, as SageMaker deletes no endpoint before.

    Raises:
        InconclusiveError: an update is still under way after the limit.
    """
    patience = Patience(clock, limit_seconds)
    has_told = False
    while True:
        view = cloud.look()
        if view is None or view.status not in ("Updating", "SystemUpdating", "RollingBack"):
            return
        if patience.has_run_out():
            raise InconclusiveError(
                f"endpoint {cloud.endpoint_name} is still {view.status} after {limit_seconds} "
                "seconds, and SageMaker deletes none that is; run destroy again later"
            )
        if not has_told:
            tell(f"swap {cloud.endpoint_name}: waiting for the update under way to end")
            has_told = True
        clock.sleep(poll_interval_seconds)
