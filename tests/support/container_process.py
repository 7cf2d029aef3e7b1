"""The inference server as tests see it, and as a process, started the way the image starts it.

A module whose tests talk HTTP alone takes the fixture `serve` of tests/contract/conftest.py, and so
runs against a process and against a container of the built image; `Server` is what both give.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests

CONTAINER = Path(__file__).parents[2] / "container"
START_SECONDS = 30
STOP_SECONDS = 10
LOG_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Server(ABC):
    """A running server, wherever it runs.

    Args:
        port: where it answers on loopback
    """

    port: int

    @abstractmethod
    def log_text(self) -> str:
        """Give what it wrote to stdout and stderr so far."""

    @abstractmethod
    def exit_code(self) -> int | None:
        """Give its exit code, or None while it runs."""

    @abstractmethod
    def terminate(self) -> None:
        """Send SIGTERM, as SageMaker does."""

    @abstractmethod
    def wait(self, seconds: float) -> int:
        """Wait for its end and give the exit code; fails when it has not ended by then."""

    def url(self, path: str) -> str:
        """Give the URL of a path of the server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> requests.Response:
        """Send a GET request."""
        return requests.get(self.url(path), timeout=10)

    def invoke(self, body: Any, **headers: str) -> requests.Response:
        """Send an invocation; anything but bytes and iterators of bytes is sent as JSON."""
        if isinstance(body, dict):
            body = json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"content-type": "application/json", **named}
        return requests.post(self.url("/invocations"), data=body, headers=named, timeout=10)

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """Give the log's lines of one event."""
        lines = [json.loads(line) for line in self.log_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def await_lines(
        self, event: str, is_meant: Callable[[dict[str, Any]], bool] = lambda line: True
    ) -> list[dict[str, Any]]:
        """Give the log's lines of one event that are meant, once there is one.

        What a container writes is in Docker's log a little later, be it before its answer.
        """
        deadline = time.monotonic() + LOG_SECONDS
        while not (found := [line for line in self.log_lines(event) if is_meant(line)]):
            assert time.monotonic() < deadline, f"no {event} in the log:\n{self.log_text()}"
            time.sleep(0.02)
        return found

    def wait_until_pinged(self) -> requests.Response:
        """Wait for the first answer to a ping, good or bad."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.exit_code() is not None:
                break
            try:
                return self.get("/ping")
            except requests.ConnectionError:
                time.sleep(0.02)
        raise AssertionError(
            f"no answer to /ping; exit code {self.exit_code()}:\n{self.log_text()}"
        )


class Serve(Protocol):
    """Starts the server on a model directory; it may not be ready yet, and ends with the module.

    Keyword arguments are environment variables.
    """

    def __call__(self, model_directory: Path, /, **environment: str) -> Server: ...


@dataclass(frozen=True, kw_only=True)
class ServerProcess(Server):
    """A server that is a process of this machine.

    Args:
        process: ends with the context that started it, at the latest
        log_path: what it wrote to stdout and stderr
    """

    process: subprocess.Popen[bytes]
    log_path: Path

    def log_text(self) -> str:
        return self.log_path.read_text()

    def exit_code(self) -> int | None:
        return self.process.poll()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)


@contextmanager
def a_free_port() -> Iterator[int]:
    """Give a loopback port nobody listens on, and nobody is given by chance while it is held.

    A server that allows for ports in TIME_WAIT, as ours do, can listen on it all the same.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def started_server(
    model_directory: Path, log_path: Path, **environment: str
) -> Iterator[ServerProcess]:
    """Start the server and end it when the context ends; it may not be ready yet.

    Args:
        model_directory: what the container has in /opt/ml/model
        log_path: where its output goes
        environment: further variables
    """
    with a_free_port() as port, log_path.open("wb") as log:
        variables = {
            "PATH": os.environ["PATH"],
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SM_MODEL_DIR": str(model_directory),
            "GREENLIGHT_BIND_ADDRESS": "127.0.0.1",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            **environment,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve"],
            cwd=CONTAINER,
            env=variables,
            stdout=log,
            stderr=log,
        )
        try:
            yield ServerProcess(process=process, port=port, log_path=log_path)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run_command(
    *arguments: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the image's command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=CONTAINER,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
