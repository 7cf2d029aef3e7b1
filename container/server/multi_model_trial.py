"""Loads a model in a process of its own first, so that a bad one cannot take the others with it.

The trial proves the model on its golden rows and measures what one copy of it takes. A model that
crashes its process, swallows all memory or never ends does that to the trial, and the server says
so; see ADR 0022. What is printed on stdout by a model's own code goes to stderr, for the log.

Run by the server as `python -m server.multi_model_trial DIRECTORY`; answers one line of JSON:
`{"bytes": ...}`, or `{"code": ..., "message": ...}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from time import monotonic

from .artifact_files import MANIFEST_FILE
from .errors import (
    ArtifactError,
    GoldenMismatchError,
    ModelMemoryError,
    ServerError,
    TrialError,
)
from .logs import configure_logs
from .multi_model_memory import (
    directory_bytes,
    give_memory_back,
    is_want_of_memory,
    resident_bytes,
)
from .predictor import load_predictor
from .settings import Settings, settings_from_environment

LONGEST_TRIAL_SECONDS = 300
"""SageMaker waits 360 s for a load, and the load proper comes after the trial."""

LONGEST_FIRST_LOAD_SECONDS = 20
LARGEST_FIRST_GROWTH_BYTES = 512 * 1024 * 1024
"""Above either a model is loaded once only: the second load would take too long, or memory that may
not be there, and the libraries that count as the model's own then are a small part of it."""

REFUSALS: dict[str, type[ServerError]] = {
    kind.code: kind for kind in (GoldenMismatchError, TrialError, ModelMemoryError)
}
LONGEST_MESSAGE = 2_000
PROGRAM = Path(__file__).parents[1]


async def trial_bytes(directory: Path, timeout_seconds: float = LONGEST_TRIAL_SECONDS) -> int:
    """Load a model in a new process and give the memory one copy of it takes there.

    Raises:
        ArtifactError: the model is refused, with the trial's own words
        TrialError: the trial was ended by a signal, or by us after `timeout_seconds`
        ModelMemoryError: the trial ran out of memory
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server.multi_model_trial",
        str(directory),
        cwd=PROGRAM,
        # Held open as long as this process lives: the trial ends when it closes.
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(timeout_seconds):
            answer = await process.stdout.read()
            code = await process.wait()
    except TimeoutError as error:
        raise TrialError(
            f"the model in {directory} was not loaded and proven after {timeout_seconds:g} s; make "
            "it load faster: SageMaker gives up after 360 s"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return bytes_from_answer(directory, code, answer)


def bytes_from_answer(directory: Path, code: int, answer: bytes) -> int:
    """Read how a trial ended.

    Raises:
        ArtifactError, TrialError, ModelMemoryError: as `trial_bytes`
    """
    if code == -signal.SIGKILL:
        raise ModelMemoryError(
            f"loading the model in {directory} was killed, as the kernel does when memory runs "
            "out; unload models or take a larger instance"
        )
    if code < 0:
        raise TrialError(
            f"loading the model in {directory} crashed its process ({signal.Signals(-code).name}); "
            "package the model again, or look for what crashes in its inference script"
        )
    try:
        document = json.loads(answer)
    except ValueError as error:
        raise TrialError(
            f"loading the model in {directory} ended its process with exit code {code} and no "
            "answer; the log has what it printed"
        ) from error
    if "bytes" in document:
        return int(document["bytes"])
    raise REFUSALS.get(document["code"], ArtifactError)(document["message"])


def manifest_digest(directory: Path) -> str | None:
    """Give the digest of the manifest, which holds those of all other files; None without one."""
    path = directory / MANIFEST_FILE
    try:
        # A pipe would hold this server up, where it is to hold up a trial.
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except OSError:
        return None


def measured_bytes(directory: Path, settings: Settings) -> int:
    """Load a model, and say what one more copy of it takes.

    The first load brings libraries into the process, which all models share; so the second counts.

    Raises:
        ArtifactError: the model is refused
    """
    empty = resident_bytes()
    began = monotonic()
    first = load_predictor(directory, settings)
    took_seconds = monotonic() - began
    give_memory_back()
    before = resident_bytes()
    growth = before - empty
    if is_worth_a_second_load(took_seconds, growth):
        second = load_predictor(directory, settings)
        give_memory_back()
        growth = resident_bytes() - before
        del second
    del first
    # Pages freed by something else may hide a small model; its files are at least that large.
    return max(growth, directory_bytes(directory))


def is_worth_a_second_load(took_seconds: float, growth_bytes: int) -> bool:
    """Tell whether a model is so small and quick that a second load measures it better."""
    return took_seconds <= LONGEST_FIRST_LOAD_SECONDS and growth_bytes <= LARGEST_FIRST_GROWTH_BYTES


def main(directory: Path) -> None:
    """Answer on stdout and leave, whatever threads the model has started."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError):
        # Of all processes of the container this one is to go first when memory runs out.
        Path("/proc/self/oom_score_adj").write_text("1000")
    configure_logs(logging.WARNING)
    document: dict[str, int | str]
    try:
        document = {"bytes": measured_bytes(directory, settings_from_environment(os.environ))}
    except Exception as error:  # noqa: BLE001 - the edge: whatever a model's code raises is told
        document = document_of(error, directory)
    answer.write(json.dumps(document).encode())
    answer.flush()
    os._exit(0)


def document_of(error: Exception, directory: Path) -> dict[str, int | str]:
    """Give the answer of a trial that ended with an error."""
    told = str(error) if isinstance(error, ServerError) else f"{type(error).__name__}: {error}"
    if is_want_of_memory(error):
        message = f"loading the model in {directory} needs more memory than there is ({told})"
        return {"code": ModelMemoryError.code, "message": message[:LONGEST_MESSAGE]}
    if isinstance(error, ServerError):
        return {"code": error.code, "message": told[:LONGEST_MESSAGE]}
    message = f"loading the model in {directory} failed: {told}"
    return {"code": TrialError.code, "message": message[:LONGEST_MESSAGE]}


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
