"""The control API, the command and what is left when the cloud dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.support.cloud import IMAGE_URI, TINY_IMAGE, CloudUser, start_cloud, wait_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=30)
    started.prepare()
    yield started
    started.cloud.stop()


class Running:
    """A cloud in a process of its own, for a `CloudUser`."""

    def __init__(self, directory: Path) -> None:
        port_file = directory / "port"
        command = [sys.executable, "-m", "rehearsal.cloud", "--directory", str(directory)]
        command += ["--speed", "60", "--seed", "1", "--port-file", str(port_file)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        wait_for(port_file.exists, "the port file")
        self.url = f"http://127.0.0.1:{port_file.read_text().strip()}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path)
    yield started
    started.kill()


def test_status_tells_time_place_and_processes(user: CloudUser) -> None:
    status = user.control("status")

    assert status["speed"] == 30
    assert (status["account"], status["region"]) == ("123456789012", "eu-west-1")
    assert status["processes"] == []
    assert user.control("status")["now"] > status["now"]


def test_an_image_gets_the_digest_ecr_describes(user: CloudUser) -> None:
    members = {"image_uri": IMAGE_URI.replace(":1", ":2"), "context": str(TINY_IMAGE)}

    digest = user.tell("images", members).json()["digest"]
    again = user.tell("images", members).json()["digest"]
    described = user.client("ecr").describe_images(
        repositoryName="tiny", imageIds=[{"imageTag": "2"}]
    )

    assert digest == again == described["imageDetails"][0]["imageDigest"]


@pytest.mark.parametrize(
    ("path", "members", "words"),
    [
        ("images", {"image_uri": "nginx:1", "context": "/"}, "is not <account>.dkr.ecr."),
        ("images", {"image_uri": IMAGE_URI, "context": "/none"}, "holds no Dockerfile"),
        ("images", {"image_uri": IMAGE_URI}, "field 'context' is missing"),
        ("images", {"image_uri": IMAGE_URI, "context": 1}, "is 1, not a string"),
        ("notes", {"text": "t", "colour": "red"}, "field 'colour' is unknown"),
        ("notes", {"text": "t", "kind": "fleet"}, "is not 'note'"),
        ("nothing", {}, "there are GET /rehearsal/status"),
    ],
)
def test_what_the_control_api_refuses_it_explains(
    user: CloudUser, path: str, members: dict[str, Any], words: str
) -> None:
    answer = user.tell(path, members)

    assert answer.status_code in (400, 404)
    assert words in answer.json()["error"]


def test_notes_stand_in_the_record(user: CloudUser) -> None:
    user.tell("notes", {"text": "hello", "verdict": "promoted", "endpoint_name": "e"})

    note = user.control("record")["events"][-1]

    assert {k: note[k] for k in ("kind", "text", "verdict", "endpoint_name")} == {
        "kind": "note",
        "text": "hello",
        "verdict": "promoted",
        "endpoint_name": "e",
    }


def test_the_inventory_is_empty_after_everything_is_deleted(user: CloudUser) -> None:
    kinds = {(entry["service"], entry["type"]) for entry in user.control("inventory")["resources"]}

    assert kinds == {("s3", "bucket"), ("iam", "role"), ("ecr", "repository")}
    user.client("s3").delete_bucket(Bucket="artifacts")
    user.client("iam").delete_role_policy(RoleName="execution", PolicyName="serve")
    user.client("iam").delete_role(RoleName="execution")
    user.client("ecr").delete_repository(repositoryName="tiny", force=True)
    assert user.control("inventory")["resources"] == []


def test_samples_show_fleets_traffic_and_counts(user: CloudUser) -> None:
    user.prepare()
    user.make_config("seen")
    user.make_endpoint("seen", "seen")
    for _ in range(10):
        user.invoke("seen")

    def samples() -> list[dict[str, Any]]:
        return [s for s in user.control("record")["samples"] if s["endpoint_name"] == "seen"]

    wait_for(
        lambda: sum(f["invocations"] for s in samples() for f in s["fleets"]) == 10,
        "ten invocations in the samples",
    )

    fleet = samples()[-1]["fleets"][0]
    assert (fleet["role"], fleet["traffic_percent"], fleet["instances"]) == ("blue", 100, 1)
    user.sagemaker.delete_endpoint(EndpointName="seen")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_process_outlives_the_cloud(running: Running, number: signal.Signals) -> None:
    if number is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent was killed")
    user = CloudUser(running)  # type: ignore[arg-type]
    user.prepare()
    user.make_config("one", instance_count=2)
    user.make_endpoint("one", "one")
    pids = [process["pid"] for process in user.control("status")["processes"]]

    os.kill(running.process.pid, number)
    running.process.wait(timeout=20)

    assert len(pids) == 2
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the servers to end")


def test_a_shutdown_by_the_control_api_ends_the_process(running: Running) -> None:
    requests.post(f"{running.url}/rehearsal/shutdown", timeout=10).raise_for_status()

    assert running.process.wait(timeout=20) == 0
