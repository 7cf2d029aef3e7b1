"""The docker stand-in against an HTTP server that answers as the cloud's image call does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from rehearsal.provider.registry import DOCKER
from rehearsal.provider.server import start_server
from rehearsal.provider.value import UNKNOWN, Values
from tests.support.provider_client import CheckFailedError, Client

IMAGE = "docker:index/image:Image"
NAME = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/server:1"


@dataclass
class ImageCalls:
    """What was posted, and what to answer."""

    url: str = ""
    status: int = 200
    answer: Values = field(default_factory=lambda: {"digest": "sha256:abc"})
    posted: list[Values] = field(default_factory=list)


@pytest.fixture
def calls() -> Iterator[ImageCalls]:
    state = ImageCalls()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            state.posted.append({"path": self.path, **json.loads(self.rfile.read(length))})
            body = json.dumps(state.answer).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(calls: ImageCalls) -> Iterator[Client]:
    server, port = start_server(DOCKER, calls.url)
    client = Client(port)
    yield client
    client.close()
    server.stop(None).wait()


@pytest.fixture
def news(tmp_path: Path) -> Values:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11\n")
    registry = {"server": "123456789012.dkr.ecr", "username": "AWS", "password": "secret"}
    return {
        "imageName": NAME,
        "build": {"context": str(tmp_path), "platform": "linux/amd64"},
        "registry": registry,
    }


def test_an_image_is_made_by_naming_its_context(
    client: Client, calls: ImageCalls, news: Values, tmp_path: Path
) -> None:
    made = client.create(IMAGE, "server", news)

    assert calls.posted == [
        {"path": "/rehearsal/images", "image_uri": NAME, "context": str(tmp_path)}
    ]
    assert made.identifier == NAME
    assert made.outputs["repoDigest"] == f"{NAME.removesuffix(':1')}@sha256:abc"
    assert "secret" not in json.dumps(made.outputs)


def test_build_arguments_and_a_target_are_passed_on(
    client: Client, calls: ImageCalls, news: Values
) -> None:
    news["build"] |= {"args": {"BASE_IMAGE": "python:3.11"}, "target": "server"}

    client.create(IMAGE, "server", news)

    assert calls.posted[0]["args"] == {"BASE_IMAGE": "python:3.11"}
    assert calls.posted[0]["target"] == "server"


def test_nothing_changes_until_the_context_does(
    client: Client, calls: ImageCalls, news: Values, tmp_path: Path
) -> None:
    made = client.create(IMAGE, "server", news)
    same = client.diff(made, client.check(IMAGE, "server", news, made.inputs))
    assert dict(same.detailedDiff) == {}
    assert client.refresh(made) == made

    (tmp_path / "server.py").write_text("print()\n")
    calls.answer = {"digest": "sha256:def"}

    differs = client.diff(made, client.check(IMAGE, "server", news, made.inputs))
    changed = client.update(made, news)
    assert set(differs.detailedDiff) == {"build.contextDigest"}
    assert list(differs.replaces) == []
    assert changed.outputs["repoDigest"].endswith("@sha256:def")


def test_a_preview_posts_nothing(client: Client, calls: ImageCalls, news: Values) -> None:
    outputs = client.preview_create(IMAGE, "server", news)

    assert calls.posted == []
    assert outputs["repoDigest"] is UNKNOWN


def test_a_delete_leaves_the_image(client: Client, calls: ImageCalls, news: Values) -> None:
    made = client.create(IMAGE, "server", news)

    client.delete(made)

    assert len(calls.posted) == 1


def test_the_clouds_refusal_is_shown(client: Client, calls: ImageCalls, news: Values) -> None:
    calls.status, calls.answer = 400, {"message": "repository 'server' does not exist"}

    with pytest.raises(grpc.RpcError) as caught:
        client.create(IMAGE, "server", news)

    text = caught.value.details()
    assert "answered 400" in text
    assert "repository 'server' does not exist" in text


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"build": {"cacheFrom": {"images": ["a"]}}}, "build.cacheFrom"),
        ({"skipPush": True}, "skipPush"),
        ({"buildOnPreview": True}, "buildOnPreview"),
    ],
)
def test_options_that_are_not_rehearsed_are_refused_by_name(
    client: Client, news: Values, given: Values, refused: str
) -> None:
    build = {**news["build"], **given.get("build", {})}

    with pytest.raises(CheckFailedError) as caught:
        client.check(IMAGE, "server", {**news, **given, "build": build})

    assert set(caught.value.args[0]) == {refused}
