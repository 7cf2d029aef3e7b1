"""A whole release, rehearsed: what `make demo` runs and shows.

Every step goes through the same driver a person uses; every claim it prints was read from the
cloud or counted by a client outside of it. A step that doesn't hold ends the demo with an error.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from rich.console import Console
from rich.markup import escape

from automation import driver
from automation.deployment import Deployment
from automation.driver import Listeners
from automation.errors import GreenlightError
from automation.load import UNKNOWN_MODEL, Load, Tally, questions_for, runtime_client
from automation.progress import ProgressLine
from automation.spec import Cell, load_spec
from rehearsal import session as sessions

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

STAGE = "dev"
BASELINE, CHALLENGER, BAD = "random-forest", "gradient-boosting", "one-hot-proline"
REQUESTS_PER_SECOND = 20.0
EXPECTED_REFUSAL = "ModelError (500)"
# A client needs a moment on each fleet before and after a swap for its counts to mean something.
SETTLE_SECONDS = 1.0


class DemoError(Exception):
    """Something the demo claims did not hold."""


@dataclass(frozen=True, kw_only=True)
class Swap:
    """One swap as the story tells it: what is deployed and what has to come of it."""

    title: str
    estimator: str | None
    verdict: str
    live_after: str


class Story:
    """Steps with a clock in front, on the terminal and in the cloud's record."""

    def __init__(self, console: Console, session: sessions.Session) -> None:
        self._console = console
        self._session = session
        self._began = time.monotonic()

    def chapter(self, title: str) -> None:
        """Begin a step."""
        self._print(f"\n[bold]{self._clock()} {title}[/]")

    def progress(self, line: ProgressLine) -> None:
        """Show what the driver reports, errors in full."""
        self.line(f"[red]{escape(line.text)}[/]" if line.kind == "error" else escape(line.text))

    def line(self, text: str) -> None:
        """Show a finding as it happens."""
        self._print(f"  [dim]{self._clock()}[/] {text}")

    def note(self, text: str, *, verdict: str | None = None, endpoint: str | None = None) -> None:
        """Show a result and put it into the record, from where the report takes it."""
        colour = {"promoted": "green", "rolled_back": "red"}.get(str(verdict), "default")
        self._print(f"  [dim]{self._clock()}[/] [{colour}]{escape(text)}[/]")
        note = {"kind": "note", "text": text, "verdict": verdict, "endpoint_name": endpoint}
        requests.post(
            f"{self._session.cloud_url}/rehearsal/notes",
            json={key: value for key, value in note.items() if value is not None},
            timeout=10,
        ).raise_for_status()

    def _print(self, text: str) -> None:
        # A log keeps its lines whole; a terminal folds them itself.
        self._console.print(text, highlight=False, soft_wrap=True)

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes}:{seconds:02d}"


def run_demo(
    root: Path, directory: Path, *, speed: float, seed: int, report: Path, console: Console
) -> int:
    """Rehearse a release from training to an empty cloud.

    Args:
        directory: the demo's own rehearsal folder; whatever an interrupted demo left is cleared.

    Returns:
        the exit code: 0, or 1 when a claim did not hold, or 130 after Ctrl-C.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _rehearsal(directory, root, speed, seed) as session:
            console.print(
                f"rehearsal cloud at {session.cloud_url}, {speed:g} times as fast as the clock, "
                f"engine: {session.engine.value}",
                soft_wrap=True,
            )
            try:
                _tell(root, Story(console, session), session)
            finally:
                _write_report(session, report, console)
    except KeyboardInterrupt:
        console.print(
            "\n[red]stopped[/]; the rehearsal's processes are gone, run it again any time"
        )
        return 130
    except (DemoError, GreenlightError) as error:
        console.print(f"\n[red]error:[/] {error}\nlogs in {directory / 'logs'}", highlight=False)
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


@contextmanager
def _rehearsal(directory: Path, root: Path, speed: float, seed: int) -> Iterator[sessions.Session]:
    """Start afresh, whatever an interrupted demo left, and leave no process behind."""
    with suppress(sessions.NotRunningError):
        sessions.stop(directory)
    session = sessions.start(
        directory, root=root, engine=sessions.choose_engine(os.environ), speed=speed, seed=seed
    )
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(sessions.environment(session, before))
    try:
        yield session
    finally:
        os.environ.clear()
        os.environ.update(before)
        with suppress(sessions.NotRunningError):
            sessions.stop(directory)


def _tell(root: Path, story: Story, session: sessions.Session) -> None:
    runtime = runtime_client()
    story.chapter("Train, package and deploy iris: the base stack `dev`, with the Foundation")
    iris = _deploy(story, "iris", None)
    _show_answers(story, runtime, iris, load_spec(root, "iris").samples)

    story.chapter("Deploy wine: a stack of its own, sharing the Foundation")
    wine = _deploy(story, "wine", BASELINE)
    _show_answers(story, runtime, wine, load_spec(root, "wine").samples)

    questions = questions_for(load_spec(root, "wine"), root, (BASELINE, CHALLENGER, BAD))
    endpoint = str(wine.endpoint_name)
    with Load(runtime, endpoint, questions, requests_per_second=REQUESTS_PER_SECOND) as load:
        for swap in SWAPS:
            _swap(story, load, swap)

    for model in ("wine", "iris"):
        story.chapter(f"Destroy {model}")
        driver.destroy(model, STAGE, listen=Listeners(on_line=story.progress))
    _show_nothing_left(story, session)


SWAPS = (
    Swap(
        title="Swap wine to gradient boosting, by a canary that bakes, under load",
        estimator=CHALLENGER, verdict="promoted", live_after=CHALLENGER,
    ),
    Swap(
        title="Swap wine to a model that answers 5xx to rows it has never seen",
        estimator=BAD, verdict="rolled_back", live_after=CHALLENGER,
    ),
    Swap(
        title="Revert: back to the last verified deployment",
        estimator=None, verdict="promoted", live_after=CHALLENGER,
    ),
    Swap(
        title="And another good swap, back to the random forest",
        estimator=BASELINE, verdict="promoted", live_after=BASELINE,
    ),
)  # fmt: skip


def _deploy(story: Story, model: str, estimator: str | None) -> Deployment:
    deployment = driver.up(
        model, STAGE, estimator=estimator, with_preview=False, listen=_listeners(story)
    )
    deployment.require_promoted()
    story.note(
        f"{model} is served by {deployment.endpoint_config_name}",
        verdict="promoted", endpoint=deployment.endpoint_name,
    )  # fmt: skip
    return deployment


def _swap(story: Story, load: Load, swap: Swap) -> None:
    """Swap under load, then check the verdict, who serves now, and what the client saw."""
    story.chapter(swap.title)
    load.take()
    listen = _listeners(story)
    if swap.estimator is None:
        deployment = driver.revert("wine", STAGE, listen=listen)
    else:
        deployment = driver.up(
            "wine", STAGE, estimator=swap.estimator, with_preview=False, listen=listen
        )
    during = load.take()
    verdict = "none" if deployment.verdict is None else deployment.verdict.value
    text = f"{verdict.replace('_', ' ')}; {deployment.endpoint_config_name} is live"
    if deployment.reason is not None:
        text += f"\n{deployment.reason}"
    story.note(text, verdict=verdict, endpoint=deployment.endpoint_name)
    story.note(f"the client, during it: {during.text()}", endpoint=deployment.endpoint_name)
    time.sleep(SETTLE_SECONDS)
    after = load.take()
    story.line(f"the client, since: {after.text()}")
    _check(swap, verdict, during, after)
    if verdict == "rolled_back":
        _check_nothing_was_deleted(story, deployment)


def _check(swap: Swap, verdict: str, during: Tally, after: Tally) -> None:
    if verdict != swap.verdict:
        raise DemoError(f"{swap.title}: the verdict is {verdict}, it had to be {swap.verdict}")
    allowed = {EXPECTED_REFUSAL} if swap.verdict == "rolled_back" else set()
    lost = {name: n for name, n in during.failures.items() if name not in allowed}
    if lost or after.failures:
        raise DemoError(f"{swap.title}: the client lost requests: {lost} {dict(after.failures)}")
    if set(after.answers) != {swap.live_after}:
        raise DemoError(
            f"{swap.title}: {swap.live_after} had to answer alone, answers came from {after.text()}"
        )
    if during.answers[UNKNOWN_MODEL]:
        raise DemoError(f"{swap.title}: {during.answers[UNKNOWN_MODEL]} answers fit no model")


def _check_nothing_was_deleted(story: Story, deployment: Deployment) -> None:
    """Ask the cloud for both configs: the live one has to be there, the rejected one may be."""
    import boto3

    sagemaker = boto3.client("sagemaker")
    live = sagemaker.describe_endpoint(EndpointName=str(deployment.endpoint_name))
    name = live["EndpointConfigName"]
    sagemaker.describe_endpoint_config(EndpointConfigName=name)
    story.line(f"the config that serves, {name}, still exists; the update is red")


def _show_answers(
    story: Story,
    runtime: SageMakerRuntimeClient,
    deployment: Deployment,
    rows: Sequence[Sequence[Cell]],
) -> None:
    import json

    answer = runtime.invoke_endpoint(
        EndpointName=str(deployment.endpoint_name),
        ContentType="application/json",
        Body=json.dumps({"instances": [list(row) for row in rows]}),
    )
    for row, prediction in zip(rows, json.loads(answer["Body"].read())["predictions"], strict=True):
        story.line(
            f"{list(row)} -> {prediction['predicted_class']} ({prediction['confidence']:.2f})"
        )


def _show_nothing_left(story: Story, session: sessions.Session) -> None:
    inventory = sessions.ask(session, "inventory")["resources"]
    processes = sessions.ask(session, "status")["processes"]
    if inventory or processes:
        raise DemoError(f"the cloud still holds {inventory} and runs {processes}")
    story.note("nothing is left in the cloud: no resource, no process")


def _listeners(story: Story) -> Listeners:
    return Listeners(
        on_line=story.progress,
        on_package=lambda package: story.line(
            f"packaged {package.model} {package.estimator}: accuracy {package.accuracy:.3f}, "
            f"{package.checked_rows} rows answer as scikit-learn does, "
            f"digest {package.artifact.short_digest}"
        ),
    )


def _write_report(session: sessions.Session, report: Path, console: Console) -> None:
    from rehearsal.report import write_report

    with suppress(requests.RequestException):
        write_report(sessions.ask(session, "record"), report)
        console.print(f"\nreport: {report}")
