"""Who is told what while an operation runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automation.hazards import PreviewSummary
from automation.progress import OnLine, OnState, ProgressLine

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent

    from automation.gate.packaging import Package


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Who is told what while an operation runs; each is called from one thread at a time.

    Args:
        on_line: progress in words, from the engine and the endpoint, each thing once.
        on_state: every look at the endpoint, also where nothing changed.
        on_event: the engine's own events.
        on_output: the engine's own output, line by line.
        on_package: the package, once the gate is passed.
        on_preview: the preview, before anything is changed; whatever it raises stops the `up`.
    """

    on_line: OnLine | None = None
    on_state: OnState | None = None
    on_event: Callable[[EngineEvent], Any] | None = None
    on_output: Callable[[str], Any] | None = None
    on_package: Callable[[Package], Any] | None = None
    on_preview: Callable[[PreviewSummary], Any] | None = None

    def warn(self, notes: Iterable[str]) -> None:
        """Tell as progress what a person should know where there is no preview to tell it."""
        if self.on_line is not None:
            for note in notes:
                self.on_line(ProgressLine(kind="warning", text=note))


SILENT = Listeners()
