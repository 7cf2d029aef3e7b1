"""A rehearsal starts whole or not at all, and leaves no process behind.

The parts are small stand-ins with the command line of the real ones, so that only the starting and
stopping is under test.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rehearsal import session as sessions
from rehearsal.session import Engine, NotRunningError, SettingError, StartError

PART = """
import argparse, json, signal, sys, threading
parser = argparse.ArgumentParser()
parser.add_argument("--port-file")
options, _ = parser.parse_known_args()
{before}
with open(options.port_file, "w") as file:
    file.write({answer!r})
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
"""
PORTS = json.dumps({"aws": 4001, "docker": 4002})


def a_project(folder: Path, *, provider_before: str = "") -> Path:
    package = folder / "project" / "rehearsal"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cloud.py").write_text(PART.format(before="", answer="9"))
    (package / "provider.py").write_text(PART.format(before=provider_before, answer=PORTS))
    return package.parent


def begin(directory: Path, root: Path, *, speed: float = 30) -> sessions.Session:
    return sessions.start(directory, root=root, engine=Engine.EMBEDDED, speed=speed)


def running(session: sessions.Session) -> list[int]:
    return [record.pid for record in session.processes if psutil.pid_exists(record.pid)]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "rehearsal-folder"
    yield path
    with contextlib.suppress(NotRunningError):
        sessions.stop(path)


def test_a_rehearsal_starts_is_found_and_stops(directory: Path, tmp_path: Path) -> None:
    started = begin(directory, a_project(tmp_path))

    assert sessions.current(directory) == started
    assert (started.cloud_port, started.aws_port, started.docker_port) == (9, 4001, 4002)

    sessions.stop(directory)

    assert running(started) == []
    with pytest.raises(NotRunningError, match="greenlight rehearsal start"):
        sessions.current(directory)


def test_logs_outlive_the_rehearsal_and_state_does_not(directory: Path, tmp_path: Path) -> None:
    begin(directory, a_project(tmp_path))

    sessions.stop(directory)

    assert (directory / "logs" / "cloud.log").exists()
    assert not (directory / "state").exists()


def test_a_salt_written_in_a_rehearsal_does_not_stay_in_the_projects_settings(
    directory: Path, tmp_path: Path
) -> None:
    root = a_project(tmp_path)
    dev, prod = root / "Pulumi.dev.yaml", root / "Pulumi.prod.yaml"
    dev.write_text("# ours\nconfig:\n  a: b\n")
    prod.write_text("encryptionsalt: v1:real\n")
    begin(directory, root)
    dev.write_text(f"{dev.read_text()}encryptionsalt: v1:rehearsal\n")

    sessions.stop(directory)

    assert dev.read_text() == "# ours\nconfig:\n  a: b\n"
    assert prod.read_text() == "encryptionsalt: v1:real\n"


def test_a_second_start_is_refused_and_leaves_the_first(directory: Path, tmp_path: Path) -> None:
    root = a_project(tmp_path)
    first = begin(directory, root)

    with pytest.raises(SettingError, match="already runs"):
        begin(directory, root)

    assert len(running(first)) == 2


def test_a_part_that_fails_at_start_is_shown_and_nothing_is_left(
    directory: Path, tmp_path: Path
) -> None:
    root = a_project(tmp_path, provider_before="sys.exit('no such cloud')")

    with pytest.raises(StartError, match=r"provider ended at start:\n  no such cloud"):
        begin(directory, root)

    assert sessions.read(directory) is None
    assert [p for p in psutil.process_iter(["cmdline"]) if str(directory) in str(p.info)] == []


def test_a_killed_part_is_noticed_and_the_next_start_begins_anew(
    directory: Path, tmp_path: Path
) -> None:
    root = a_project(tmp_path)
    first = begin(directory, root)
    provider = psutil.Process(first.processes[1].pid)

    provider.kill()
    provider.wait(10)

    with pytest.raises(NotRunningError, match="provider died"):
        sessions.current(directory)
    second = begin(directory, root)
    assert running(second) == [record.pid for record in second.processes]
    assert not psutil.pid_exists(first.processes[0].pid)


def test_a_start_that_was_killed_half_way_is_cleared_by_the_next(
    directory: Path, tmp_path: Path
) -> None:
    hanging = a_project(tmp_path / "hanging", provider_before="import time; time.sleep(600)")
    code = (
        "import sys; from pathlib import Path; from rehearsal import session as s;"
        "s.start(Path(sys.argv[1]), root=Path(sys.argv[2]), engine=s.Engine.EMBEDDED, speed=30)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(directory), str(hanging)])
    wait_for_parts(directory, 2)
    left = sessions.read(directory)
    child.send_signal(signal.SIGKILL)
    child.wait(10)

    session = begin(directory, a_project(tmp_path / "good"))

    assert left is not None
    assert running(left) == []
    assert len(running(session)) == 2


def test_an_operation_whose_starter_is_gone_ends_with_the_rehearsal(
    directory: Path, tmp_path: Path
) -> None:
    session = begin(directory, a_project(tmp_path))
    command = tmp_path / "pulumi"
    command.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
    command.chmod(0o755)
    inside = subprocess.Popen([command], env=sessions.environment(session, os.environ))
    outside = subprocess.Popen([command], env={**os.environ, "PULUMI_HOME": str(tmp_path)})
    try:
        sessions.stop(directory)

        assert not psutil.pid_exists(inside.pid)
        assert outside.poll() is None
    finally:
        inside.wait(10)
        outside.kill()
        outside.wait(10)


@pytest.mark.parametrize("speed", [0, 0.5, 601])
def test_a_speed_out_of_bounds_is_refused(directory: Path, tmp_path: Path, speed: float) -> None:
    with pytest.raises(SettingError, match=r"outside 1\.\.600"):
        begin(directory, tmp_path, speed=speed)

    assert not directory.exists()


def test_environment_reaches_the_rehearsal_and_nothing_else(
    directory: Path, tmp_path: Path
) -> None:
    session = begin(directory, a_project(tmp_path))

    environment = sessions.environment(
        session,
        {"PATH": "/bin", "AWS_PROFILE": "prod", "PULUMI_ACCESS_TOKEN": "pul-1", "HOME": "/home/me"},
    )

    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert environment["PULUMI_DEBUG_PROVIDERS"] == "aws:4001,docker:4002"
    assert environment["HOME"] == "/home/me"
    assert environment["PATH"].split(os.pathsep)[0] == str(directory / "bin")
    assert "AWS_PROFILE" not in environment
    assert "PULUMI_ACCESS_TOKEN" not in environment


@pytest.mark.parametrize(
    ("named", "on_path", "chosen"),
    [
        (None, True, Engine.PULUMI),
        (None, False, Engine.EMBEDDED),
        ("embedded", True, Engine.EMBEDDED),
        ("pulumi", True, Engine.PULUMI),
    ],
)
def test_engine_is_the_named_one_or_the_official_where_it_is(
    tmp_path: Path, named: str | None, on_path: bool, chosen: Engine
) -> None:
    if on_path:
        (tmp_path / "pulumi").write_text("#!/bin/sh\n")
        (tmp_path / "pulumi").chmod(0o755)
    environment = {"PATH": str(tmp_path)} | ({} if named is None else {"GREENLIGHT_ENGINE": named})

    assert sessions.choose_engine(environment) is chosen


@pytest.mark.parametrize(("named", "said"), [("terraform", "allowed are"), ("pulumi", "on PATH")])
def test_an_engine_that_can_not_be_had_is_refused(tmp_path: Path, named: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        sessions.choose_engine({"PATH": str(tmp_path), "GREENLIGHT_ENGINE": named})


def wait_for_parts(directory: Path, count: int) -> None:
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = sessions.read(directory)
        if found is not None and len(found.processes) == count:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {count} parts were started within 30 s")
