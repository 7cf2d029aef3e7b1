"""Runs the user's program: a process of its own, or the Automation API's inline language host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rehearsal.engine.errors import EngineError

if TYPE_CHECKING:
    from rehearsal.engine.operation import Options, Target

LAUNCHER = Path(__file__).with_name("launcher.py")
_FAILED_AND_REPORTED = 32
_GRACE_SECONDS = 10.0


class ProgramError(EngineError):
    """The program could not be started, or failed without saying why itself."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a program ended: `error` is empty when it succeeded or reported its failure itself."""

    ok: bool
    error: str = ""


def interpreter(target: Target) -> tuple[str, dict[str, str]]:
    """Return the Python of the program and the environment to start it with.

    Raises:
        ProgramError: the runtime options name a virtual environment that is not there, or a tool we
            do not drive.
    """
    environment = dict(os.environ)
    options = target.runtime_options
    unknown = sorted(set(options) - {"virtualenv", "toolchain"})
    if unknown or options.get("toolchain", "pip") != "pip":
        raise ProgramError(
            f"the runtime options {options!r} of Pulumi.yaml are not all supported: the rehearsal "
            "engine knows "
            "`virtualenv` and `toolchain: pip`"
        )
    if "virtualenv" not in options:
        return os.environ.get("PULUMI_PYTHON_CMD", sys.executable), environment
    folder = Path(target.project_root, options["virtualenv"])
    python = folder / "bin" / "python"
    if not python.exists():
        raise ProgramError(
            f"The 'virtualenv' option in Pulumi.yaml is set to {options['virtualenv']!r}, but "
            f"{str(folder)!r} "
            "doesn't exist or is no virtual environment; make it and install the program's "
            "dependencies into it"
        )
    environment |= {"VIRTUAL_ENV": str(folder)}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.pop("PYTHONHOME", None)
    return str(python), environment


def start_launcher(
    mode: str, target: Target, folder: str, extra: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start the launcher in a process group of its own, so that a terminal's Ctrl-C reaches the
    engine only."""
    python, environment = interpreter(target)
    if shutil.which(python) is None:
        raise ProgramError(
            f"the program's interpreter {python!r} was not found; set PULUMI_PYTHON_CMD"
        )
    return subprocess.Popen(
        [python, "-u", str(LAUNCHER), mode, folder],
        cwd=folder,
        env=environment | extra,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )


def end_process(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Wait for a process, then ask it to end, then make it."""
    for ask in (None, process.terminate, process.kill):
        if ask is not None:
            ask()
        try:
            process.wait(timeout=grace_seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdin is not None:
        process.stdin.close()


def send_document(process: subprocess.Popen[bytes], document: dict[str, Any]) -> None:
    """Write the launcher's one line of input; the pipe stays open as the sign that the engine
    lives."""
    if process.stdin is None:
        raise AssertionError("the launcher was started without a pipe")
    try:
        process.stdin.write(json.dumps(document).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return  # It ended already; its exit code says so.


def follow(stream: IO[bytes] | None, report: Callable[[str], None]) -> threading.Thread:
    """Report every line of a stream from a thread of its own."""

    def read() -> None:
        for line in stream or ():
            report(line.decode(errors="replace").rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


class LocalProgram:
    """The program as a process, started early so that its imports run while the engine gets
    ready."""

    def __init__(self, target: Target, options: Options) -> None:
        self._target, self._options = target, options
        keys = json.dumps(list(target.config_secret_keys))
        extra = {"PULUMI_CONFIG": json.dumps(target.config), "PULUMI_CONFIG_SECRET_KEYS": keys}
        self._process = start_launcher("program", target, target.program_directory, extra)

    def run(
        self, address: str, report: Callable[[str, str], None], stopping: threading.Event
    ) -> Outcome:
        """Run to the end, or until some time after the engine stopped listening."""
        target = self._target
        settings = {
            "monitor": address,
            "engine": address,
            "project": target.project,
            "stack": target.stack,
            "parallel": self._options.parallel,
            "dry_run": self._options.dry_run,
            "organization": target.organization,
            "root_directory": target.project_root,
        }
        document = {
            "settings": settings,
            "config": target.config,
            "config_secret_keys": list(target.config_secret_keys),
            "entry_point": target.entry_point,
        }
        send_document(self._process, document)
        readers = [
            follow(self._process.stdout, lambda line: report(line, "info")),
            follow(self._process.stderr, lambda line: report(line, "info#err")),
        ]
        self._wait(stopping)
        for reader in readers:
            reader.join(timeout=1)
        code = self._process.returncode
        if code in (0, _FAILED_AND_REPORTED):
            return Outcome(ok=code == 0)
        text = f"an unhandled error occurred: program exited with non-zero exit code: {code}"
        return Outcome(ok=False, error=text)

    def _wait(self, stopping: threading.Event) -> None:
        while self._process.poll() is None and not stopping.is_set():
            try:
                self._process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
        end_process(self._process, _GRACE_SECONDS)

    def close(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        end_process(self._process, _GRACE_SECONDS)


class InlineProgram:
    """The program inside the caller of the Automation API, reached through its language host."""

    def __init__(self, target: Target, options: Options) -> None:
        self._target, self._options = target, options

    def run(
        self, address: str, report: Callable[[str, str], None], stopping: threading.Event
    ) -> Outcome:
        """Have the caller run its function; the caller's own prints never pass through here."""
        import grpc
        from pulumi.runtime.proto import language_pb2

        with _language_host(str(self._options.client)) as host:
            try:
                host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest())
                answer = host.Run(self._request(address))
            except grpc.RpcError as error:
                return Outcome(
                    ok=False, error=f"the inline program's host failed: {error.details()}"
                )
        if not answer.error:
            return Outcome(ok=True)
        if answer.bail:
            return Outcome(ok=False)
        return Outcome(ok=False, error=f"an unhandled error occurred: {answer.error}")

    def close(self) -> None:
        """Leave the caller's process alone."""

    def _request(self, address: str) -> Any:
        from pulumi.runtime.proto import language_pb2

        target = self._target
        info = language_pb2.ProgramInfo(
            root_directory=target.project_root,
            program_directory=target.program_directory,
            entry_point=target.entry_point,
        )
        return language_pb2.RunRequest(
            project=target.project,
            stack=target.stack,
            pwd=target.program_directory,
            args=[address],
            config=target.config,
            configSecretKeys=list(target.config_secret_keys),
            dryRun=self._options.dry_run,
            parallel=self._options.parallel,
            monitor_address=address,
            organization=target.organization,
            info=info,
        )


@contextmanager
def _language_host(address: str) -> Iterator[Any]:
    import grpc
    from pulumi.runtime.proto import language_pb2_grpc

    from rehearsal.engine.provider_client import CHANNEL_OPTIONS

    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield language_pb2_grpc.LanguageRuntimeStub(channel)
