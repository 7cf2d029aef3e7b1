"""The process: writes its ports, serves both packages, and ends on SIGTERM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.provider_client import Client

START_DEADLINE_SECONDS = 30
STOP_DEADLINE_SECONDS = 10


@pytest.fixture
def port_file(tmp_path: Path) -> Path:
    return tmp_path / "provider.port"


@pytest.fixture
def process(port_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rehearsal.provider",
            "--cloud",
            "http://127.0.0.1:1",
            "--port-file",
            str(port_file),
        ]
    )
    yield started
    if started.poll() is None:
        started.kill()
    started.wait()


def wait_for_ports(port_file: Path, process: subprocess.Popen[bytes]) -> dict[str, int]:
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while not port_file.exists():
        assert process.poll() is None, "the provider ended before it wrote its ports"
        assert time.monotonic() < deadline, "the provider wrote no ports in time"
        time.sleep(0.02)
    ports: dict[str, int] = json.loads(port_file.read_text())
    return ports


def test_both_packages_are_served_until_sigterm(
    process: subprocess.Popen[bytes], port_file: Path, tmp_path: Path
) -> None:
    ports = wait_for_ports(port_file, process)
    aws, docker = Client(ports["aws"]), Client(ports["docker"])
    (tmp_path / "Dockerfile").touch()

    bucket = aws.check("aws:s3/bucket:Bucket", "wine", {})
    build = {"context": str(tmp_path)}
    image = docker.check("docker:index/image:Image", "i", {"imageName": "a/b:1", "build": build})

    assert bucket["bucket"].startswith("wine-")
    assert image["build"]["contextDigest"]
    aws.close()
    docker.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_DEADLINE_SECONDS) == 0


def test_a_cloud_elsewhere_is_refused(port_file: Path) -> None:
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "rehearsal.provider",
            "--cloud",
            "https://sts.amazonaws.com",
            "--port-file",
            str(port_file),
        ],
        capture_output=True,
        text=True,
        timeout=START_DEADLINE_SECONDS,
        check=False,
    )

    assert finished.returncode == 2
    assert "is not this machine" in finished.stderr
