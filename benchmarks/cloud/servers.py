"""Starts what is measured, each in a process of its own: the rehearsal cloud, and moto alone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

START_SECONDS = 60.0
REGION = "eu-west-1"
ACCOUNT = "123456789012"
IMAGE_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/small:1"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/execution"
IMAGE = Path(__file__).parent / "image"
REPOSITORY = Path(__file__).resolve().parents[2]
MOTO = (
    "import sys\n"
    "from moto.server import ThreadedMotoServer\n"
    "server = ThreadedMotoServer(ip_address='127.0.0.1', port=int(sys.argv[1]), verbose=False)\n"
    "server.start()\n"
    "sys.stdin.read()\n"
    "server.stop()\n"
)


class Side:
    """One running server and a person with boto3 in front of it."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.port = port
        self.process = psutil.Process(process.pid)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client that asks once; made on first use, which takes long."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=REGION,
            aws_access_key_id="benchmark",
            aws_secret_access_key="benchmark",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )

    def rss_mb(self) -> float:
        """Return the server process's own resident memory, without its children."""
        return float(self.process.memory_info().rss) / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time the server process has used, without its children."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def pin(self, cores: Sequence[int]) -> None:
        """Keep every thread of the server process on these cores; its children stay free."""
        for thread in self.process.threads():
            set_cores(thread.id, cores)


def own_cores() -> list[int]:
    """Return the cores this process may use; empty where the system can't bind to cores."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def set_cores(thread_id: int, cores: Sequence[int]) -> None:
    """Bind a thread to cores; nothing where the system can't."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(thread_id, cores)


@contextlib.contextmanager
def rehearsal_cloud(directory: Path) -> Iterator[Side]:
    """Run a rehearsal cloud at the wall's speed."""
    port_file = directory / "port"
    command = [
        *(sys.executable, "-m", "rehearsal.cloud", "--port", "0"),
        *("--directory", str(directory), "--port-file", str(port_file)),
        *("--speed", "1", "--maximum-instances", "256"),
    ]
    log = (directory / "cloud.log").open("wb")
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=log, env=_environment()
    )
    try:
        wait_for(port_file.exists, "the cloud's port", process)
        yield Side("rehearsal", int(port_file.read_text()), process)
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


@contextlib.contextmanager
def moto_alone() -> Iterator[Side]:
    """Run moto's own threaded server."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-c", MOTO, str(port)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        wait_for(lambda: _answers(port), "moto", process)
        yield Side("moto alone", port, process)
    finally:
        process.terminate()
        process.wait(timeout=60)


def prepare(side: Side) -> None:
    """Make role, repository and image; moto has no images."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    allow = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    iam = side.client("iam")
    iam.create_role(RoleName="execution", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="execution", PolicyName="all", PolicyDocument=json.dumps(allow))
    side.client("ecr").create_repository(repositoryName="small")


def wait_for(
    look: Callable[[], Any], what: str, process: subprocess.Popen[bytes] | None = None
) -> Any:
    """Poll until `look` returns something true.

    Raises:
        RuntimeError: it didn't within a minute, or the process has ended
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"waiting for {what}: the process ended with {process.returncode}")
        time.sleep(0.02)
    raise RuntimeError(f"waited {START_SECONDS:g} seconds for {what}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """Return the environment without a developer's own AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
