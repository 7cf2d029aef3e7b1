"""Shows progress: a live panel on a terminal, plain lines with the time anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from automation.artifact import SHORT_DIGEST_LENGTH
from automation.progress import ProgressLine

if TYPE_CHECKING:
    from automation.deployment import Deployment, StackStatus
    from automation.edge import Component
    from automation.endpoint import EndpointState
    from automation.gate.packaging import Package
    from automation.hazards import PreviewSummary
    from automation.invocation import Answer
    from automation.spec import Cell

STYLES = {
    "resource": "dim",
    "endpoint": "cyan",
    "swap": "cyan",
    "warning": "yellow",
    "error": "red",
    "note": "bold",
}
REFRESHES_PER_SECOND = 8
VERDICT_STYLES = {
    "promoted": "bold green",
    "rolled_back": "bold red",
    "inconclusive": "bold yellow",
}


class ProgressDisplay:
    """Prints what happens as it happens; below it, on a terminal, what the endpoint looks like.

    Args:
        title: what is being done, shown beside the spinner.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started = time.monotonic()
        self._state: EndpointState | None = None
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._spinner = Spinner("dots")

    def __enter__(self) -> ProgressDisplay:
        """Begin; a console that is no terminal gets lines only."""
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._panel,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
            )
            self._live.start()
        else:
            self.note(self._title)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the live panel away; the lines stay."""
        if self._live is not None:
            self._live.stop()

    def take_line(self, line: ProgressLine) -> None:
        """Print one line, with the time since the start."""
        elapsed = time.monotonic() - self._started
        style = STYLES.get(line.kind, "")
        first, *rest = line.text.splitlines()
        self._console.print(Text(f"{elapsed:7.1f}s  ", style="dim").append(first, style=style))
        for text in rest:
            self._console.print(Text(" " * 10).append(text, style=style))

    def take_state(self, state: EndpointState) -> None:
        """Keep what the panel shows."""
        with self._lock:
            self._state = state

    def note(self, text: str) -> None:
        """Print a line of our own."""
        self.take_line(ProgressLine(kind="note", text=text))

    def _panel(self) -> RenderableType:
        with self._lock:
            state = self._state
        elapsed = time.monotonic() - self._started
        self._spinner.update(text=Text(f"{self._title}  {elapsed:.0f}s", style="bold"))
        return self._spinner if state is None else Group(self._spinner, endpoint_table(state))


def endpoint_table(state: EndpointState) -> Table:
    """Lay an endpoint out: fleets, stages, alarms."""
    table = Table(title=f"{state.name}: {state.view.status}", title_justify="left", expand=False)
    for column in ("fleet", "endpoint config", "variant", "instances", "share of its config"):
        table.add_column(column)
    for fleet in state.fleets:
        share = "" if fleet.weight is None else f"{fleet.weight:.0%}"
        instances = f"{_count(fleet.current_instance_count)} of "
        instances += _count(fleet.desired_instance_count)
        table.add_row(
            Text(fleet.role, style=fleet.role),
            fleet.endpoint_config_name,
            fleet.variant_name,
            instances,
            share,
        )
    stages = "; ".join(state.view.stages)
    alarms = ", ".join(f"{alarm.name} {alarm.state}" for alarm in state.alarms)
    captions = [text for text in (stages, alarms) if text]
    table.caption = escape("\n".join(captions)) if captions else None
    table.caption_justify = "left"
    return table


def show_package(console: Console, package: Package) -> None:
    """Say what passed the gate: what was checked, on how many rows, and where it went."""
    accuracy = "unknown, no labels" if package.accuracy is None else f"{package.accuracy:.4f}"
    console.print(
        f"packaged [bold]{escape(package.model)}[/] {escape(package.estimator)}: accuracy "
        f"{accuracy}, {package.checked_rows} rows answered as by scikit-learn, "
        f"runtime {package.artifact.manifest['runtime']}, "
        f"artifact [bold]{package.artifact.short_digest}[/]"
    )
    if package.source is not None:
        console.print(f"  from {escape(package.source)}", style="dim", soft_wrap=True)
    console.print(f"  {package.artifact.directory}", style="dim", soft_wrap=True)
    for warning in package.warnings:
        console.print(f"  warning: {escape(warning)}", style="yellow")


def show_component(console: Console, component: Component) -> None:
    """Say where a Greengrass component is, and what makes it one of the account's."""
    console.print(f"wrote component [bold]{escape(component.name)}[/] {component.version}")
    console.print(f"  {component.folder}", style="dim", soft_wrap=True)
    if component.uri is None:
        console.print(
            "  deploy it on a core device by `greengrass-cli deployment create --recipeDir recipes "
            "--artifactDir artifacts --merge "
            f"{escape(component.name)}={component.version}`; for the cloud, write it with --uri"
        )
        return
    console.print(f"  aws s3 cp --recursive {component.artifacts} {escape(component.uri)}")
    console.print(
        f"  aws greengrassv2 create-component-version --inline-recipe fileb://{component.recipe}"
    )


def show_preview(console: Console, summary: PreviewSummary) -> None:
    """Say what would change, and what of it is dangerous."""
    counts = ", ".join(
        f"{count} to {op}" for op, count in sorted(summary.changes.items()) if op != "same"
    )
    same = summary.changes.get("same", 0)
    console.print(f"preview: {counts if counts else 'no changes'} ({same} unchanged)")
    for hazard in summary.hazards:
        console.print(f"  hazard: {escape(hazard)}", style="bold yellow")


def show_deployment(console: Console, deployment: Deployment) -> None:
    """End a deployment with its verdict."""
    verdict = "updated" if deployment.verdict is None else deployment.verdict.value
    style = VERDICT_STYLES.get(verdict, "bold")
    console.print(
        f"[{style}]{verdict.replace('_', ' ')}[/]  stack {deployment.stack}, endpoint "
        f"{deployment.endpoint_name}"
    )
    console.print(f"  live endpoint config  {deployment.endpoint_config_name}")
    if deployment.rejected_endpoint_config_name is not None:
        console.print(f"  rolled back           {deployment.rejected_endpoint_config_name}")
    console.print(f"  artifact              {deployment.artifact_digest[:SHORT_DIGEST_LENGTH]}")


def show_status(console: Console, status: StackStatus) -> None:
    """Lay out how a stack stands."""
    result = "never updated" if status.last_result is None else status.last_result
    console.print(f"stack        [bold]{escape(status.stack)}[/]")
    console.print(f"last update  {result}  {escape(_or_dash(status.last_message))}")
    digest = status.artifact_digest
    console.print(f"artifact     {'-' if digest is None else digest[:SHORT_DIGEST_LENGTH]}")
    if status.endpoint is None:
        console.print("endpoint     none")
        return
    console.print(endpoint_table(status.endpoint))
    if status.endpoint.view.failure_reason is not None:
        console.print(f"failure reason: {escape(status.endpoint.view.failure_reason)}", style="red")


def show_answers(console: Console, endpoint_name: str, answers: Sequence[Answer]) -> None:
    """Lay out what an endpoint answered."""
    table = Table("row", "prediction", "confidence", "variant", title=endpoint_name)
    for answer in answers:
        confidence = "" if answer.confidence is None else f"{answer.confidence:.4f}"
        row = ", ".join(map(_cell_text, answer.row))
        table.add_row(row, answer.label, confidence, answer.variant)
    console.print(table)


def _cell_text(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _count(count: int | None) -> str:
    return "?" if count is None else str(count)


def _or_dash(text: str | None) -> str:
    return "-" if text is None else text
