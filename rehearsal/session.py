"""Start, find and stop a rehearsal: the cloud, the provider stand-ins and the folder they live in.

A rehearsal owns one folder (`.rehearsal` by default) with its own Pulumi home, state back end and
passphrase, so that it can't touch anything real. Nothing here knows what is being rehearsed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from rehearsal import dialogue, processes
from rehearsal.dialogue import Clock, CloudOptions, Durations, Runtime
from rehearsal.errors import NotRunningError, RehearsalError, SettingError, StartError
from rehearsal.processes import Part, ProcessRecord

MAXIMUM_SPEED = 600.0
REGION = "eu-west-1"
PASSPHRASE = "rehearsal"
ANSWER_SECONDS = 30.0
# What a cloud that is gone leaves without meaning; logs and the record are kept for the reader.
EPHEMERAL = ("state", "pulumi-home", "cloud", "bin", "settings", "session.json")
# What `pulumi stack init` writes into a stack's settings file: here it fits our passphrase alone.
SALT = "encryptionsalt:"

__all__ = [
    "Clock", "CloudOptions", "Durations", "Engine", "NotRunningError", "RehearsalError", "Runtime",
    "Session", "SettingError", "StartError", "ask", "choose_engine", "current", "dead_processes",
    "environment", "read", "start", "stop", "tell",
]  # fmt: skip


class Engine(StrEnum):
    """Who runs the Pulumi operations of a rehearsal."""

    EMBEDDED = "embedded"
    PULUMI = "pulumi"


@dataclass(frozen=True, kw_only=True)
class Session:
    """A rehearsal as its folder describes it."""

    directory: Path
    root: Path
    engine: Engine
    speed: float
    cloud_port: int
    aws_port: int
    docker_port: int
    processes: tuple[ProcessRecord, ...]

    @property
    def is_complete(self) -> bool:
        """Tell a rehearsal that came up from one whose start was killed half way."""
        return self.docker_port != 0

    @property
    def cloud_url(self) -> str:
        """Where every AWS API and the control API of this rehearsal answer."""
        return f"http://127.0.0.1:{self.cloud_port}"


def choose_engine(environment: Mapping[str, str]) -> Engine:
    """Take the engine `GREENLIGHT_ENGINE` names, else the official CLI where it is on PATH.

    Raises:
        SettingError: the name is unknown, or the official CLI is asked for and missing.
    """
    named = environment.get("GREENLIGHT_ENGINE")
    official = shutil.which("pulumi", path=environment.get("PATH"))
    if named is None:
        return Engine.EMBEDDED if official is None else Engine.PULUMI
    if named not in tuple(Engine):
        raise SettingError(
            f"GREENLIGHT_ENGINE is {named!r}; allowed are {', '.join(Engine)}: set one or unset it"
        )
    if named == Engine.PULUMI and official is None:
        raise SettingError(
            "GREENLIGHT_ENGINE is 'pulumi' but no pulumi command is on PATH: "
            "install the Pulumi CLI, or set GREENLIGHT_ENGINE=embedded"
        )
    return Engine(named)


def start(
    directory: Path,
    *,
    root: Path,
    engine: Engine,
    speed: float,
    seed: int = 1,
    options: CloudOptions | None = None,
) -> Session:
    """Bring up a rehearsal in `directory`, clearing what a killed one left there.

    Args:
        directory: the rehearsal's own folder; made when missing.
        root: the project the rehearsal runs, which holds the `rehearsal` package too.
        speed: rehearsal seconds that pass in one second, 1 to 600.

    Raises:
        SettingError: the speed is out of bounds, or a rehearsal already runs in the folder.
        StartError: a process did not come up; nothing is left running.
    """
    if not 1 <= speed <= MAXIMUM_SPEED:
        raise SettingError(
            f"speed {speed:g} is outside 1..{MAXIMUM_SPEED:g} rehearsal seconds per second"
        )
    options = CloudOptions() if options is None else options
    directory.mkdir(parents=True, exist_ok=True)
    with _only_one(directory):
        found = read(directory)
        if found is not None and found.is_complete and not dead_processes(found):
            raise SettingError(
                f"a rehearsal already runs in {directory}: use it, or stop it with "
                "`greenlight rehearsal stop` first"
            )
        if found is not None:
            _end_processes(found)
            _drop_salts(found)
        _clear(directory)
        session = Session(
            directory=directory, root=root, engine=engine, speed=speed,
            cloud_port=0, aws_port=0, docker_port=0, processes=(),
        )  # fmt: skip
        try:
            return _bring_up(session, seed, options)
        except BaseException:
            left = read(directory)
            if left is not None:
                _end_processes(left)
            _clear(directory)
            raise


def stop(directory: Path) -> Session:
    """End every process of the rehearsal and drop its state; logs stay.

    Raises:
        NotRunningError: no rehearsal was started in the folder.
    """
    with _only_one(directory):
        session = read(directory)
        if session is None:
            raise _not_running(directory)
        _end_processes(session)
        _drop_salts(session)
        _clear(directory)
        return session


def current(directory: Path) -> Session:
    """Return the rehearsal that runs in the folder.

    Raises:
        NotRunningError: none was started there, or one of its processes has died.
    """
    session = read(directory)
    if session is None or not session.is_complete:
        raise _not_running(directory)
    dead = dead_processes(session)
    if dead:
        raise NotRunningError(
            f"the rehearsal in {directory} is broken: {', '.join(dead)} died "
            f"(logs in {directory / 'logs'}); `greenlight rehearsal start` begins a new one"
        )
    return session


def read(directory: Path) -> Session | None:
    """Read what the folder says of its rehearsal, running or not."""
    try:
        document: dict[str, Any] = json.loads((directory / "session.json").read_text())
    except FileNotFoundError:
        return None
    records = tuple(ProcessRecord(**record) for record in document.pop("processes"))
    return Session(
        directory=Path(document.pop("directory")),
        root=Path(document.pop("root")),
        engine=Engine(document.pop("engine")),
        processes=records,
        **document,
    )


def dead_processes(session: Session) -> list[str]:
    """Name the processes of a rehearsal that are no longer there."""
    return [record.name for record in session.processes if processes.find(record) is None]


def ask(session: Session, what: str) -> dict[str, Any]:
    """Ask the rehearsal's cloud for its `status`, `record`, `inventory` or `faults`."""
    return tell(session, "GET", what)


def tell(
    session: Session,
    method: str,
    what: str,
    members: Mapping[str, Any] | None = None,
    *,
    seconds: float = ANSWER_SECONDS,
) -> dict[str, Any]:
    """Tell the rehearsal's cloud something by its control API and return its answer.

    Raises:
        NotRunningError: the cloud doesn't answer
        SettingError: it refuses, with its own words
    """
    log = session.directory / "logs" / "cloud.log"
    return dialogue.tell(session.cloud_url, method, what, members, log=log, seconds=seconds)


def environment(session: Session, base: Mapping[str, str]) -> dict[str, str]:
    """Build the environment in which `pulumi`, `aws`, boto3 and greenlight reach the rehearsal."""
    own = [str(session.directory / "bin")] if session.engine is Engine.EMBEDDED else []
    path = [*own, str(Path(sys.executable).parent), base.get("PATH", os.defpath)]
    kept = {
        name: value
        for name, value in base.items()
        if not name.startswith(("PULUMI_", "AWS_")) or name == "PULUMI_PYTHON_CMD"
    }
    return kept | {
        "PATH": os.pathsep.join(path),
        "PULUMI_HOME": str(session.directory / "pulumi-home"),
        "PULUMI_BACKEND_URL": (session.directory / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_DEBUG_PROVIDERS": f"aws:{session.aws_port},docker:{session.docker_port}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "AWS_ENDPOINT_URL": session.cloud_url,
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GREENLIGHT_REHEARSAL": str(session.directory),
        "GREENLIGHT_POLL_INTERVAL_SECONDS": "0.2",
    }


def _bring_up(session: Session, seed: int, options: CloudOptions) -> Session:
    for folder in ("state", "pulumi-home", "cloud", "logs"):
        (session.directory / folder).mkdir(exist_ok=True)
    _keep_settings(session)
    if session.engine is Engine.EMBEDDED:
        _write_pulumi_command(session.directory / "bin")
    cloud = [
        "rehearsal.cloud", "--port", "0", "--directory", str(session.directory / "cloud"),
        "--speed", f"{session.speed:g}", "--seed", str(seed), *options.as_arguments(),
        "--history", str(session.directory / "logs" / "history"),
    ]  # fmt: skip
    session, port = _start_part(session, "cloud", cloud)
    session = replace(session, cloud_port=int(port))
    session, ports = _start_part(
        session, "provider", ["rehearsal.provider", "--cloud", session.cloud_url]
    )
    attached = json.loads(ports)
    session = replace(session, aws_port=attached["aws"], docker_port=attached["docker"])
    _write(session)
    return session


def _start_part(session: Session, name: str, arguments: list[str]) -> tuple[Session, str]:
    """Start one process, written down before it is waited for, and return what it says."""
    part = Part(
        name=name,
        arguments=arguments,
        port_file=session.directory / f"{name}.port",
        log=session.directory / "logs" / f"{name}.log",
    )
    record = processes.spawn(part, sys.executable, session.root, _part_environment())
    session = replace(session, processes=(*session.processes, record))
    _write(session)
    return session, processes.wait_for_ports(part, record)


def _end_processes(session: Session) -> None:
    """End the operations that use the cloud before the cloud they would wait for."""
    processes.end(processes.find_operations(session.directory / "pulumi-home"))
    parts = (processes.find(record) for record in session.processes)
    processes.end([process for process in parts if process is not None])


def _part_environment() -> dict[str, str]:
    """The cloud and the providers must never reach a real account, whatever the caller has set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PULUMI_", "GREENLIGHT_"))
    }
    return kept | {
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
    }


def _keep_settings(session: Session) -> None:
    folder = session.directory / "settings"
    folder.mkdir()
    for path in session.root.glob("Pulumi.*.yaml"):
        shutil.copy(path, folder)


def _drop_salts(session: Session) -> None:
    """Take a rehearsal's salt out of the project's settings; it would lock the real stack out."""
    for kept in (session.directory / "settings").glob("Pulumi.*.yaml"):
        path = session.root / kept.name
        if not path.exists() or SALT in kept.read_text():
            continue
        lines = path.read_text().splitlines(keepends=True)
        without = [line for line in lines if not line.startswith(SALT)]
        if without != lines:
            path.write_text("".join(without))


def _write_pulumi_command(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    command = folder / "pulumi"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rehearsal.engine "$@"\n')
    command.chmod(0o755)


def _write(session: Session) -> None:
    document = asdict(session) | {
        "directory": str(session.directory),
        "root": str(session.root),
        "engine": session.engine.value,
    }
    temporary = session.directory / "session.json.new"
    temporary.write_text(json.dumps(document, indent=2))
    temporary.replace(session.directory / "session.json")


def _clear(directory: Path) -> None:
    for name in EPHEMERAL:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Keep two starts or stops in one folder apart."""
    if not directory.exists():
        raise _not_running(directory)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise SettingError(
                f"another command is starting or stopping the rehearsal in {directory}: wait for it"
            ) from err
        yield


def _not_running(directory: Path) -> NotRunningError:
    return NotRunningError(
        f"no rehearsal runs in {directory}: start one with `greenlight rehearsal start`"
    )
