"""The image's inputs and outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.provider.entry import ProviderError
from rehearsal.provider.types.docker_image import (
    image_outputs,
    image_request,
    prepare,
    repository_of,
)
from rehearsal.provider.value import UNKNOWN


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "server.py").write_text("print()\n")
    return tmp_path


def digest_of(context: Path) -> str:
    return str(prepare({"build": {"context": str(context)}})["build"]["contextDigest"])


def test_the_dockerfile_defaults_to_the_contexts(context: Path) -> None:
    build = prepare({"build": {"context": str(context)}})["build"]

    assert build["dockerfile"] == str(context / "Dockerfile")


def test_the_digest_changes_with_content_name_and_executable_bit(context: Path) -> None:
    digests = [digest_of(context)]

    (context / "server.py").write_text("print(1)\n")
    digests.append(digest_of(context))
    (context / "server.py").rename(context / "main.py")
    digests.append(digest_of(context))
    (context / "main.py").chmod(0o755)
    digests.append(digest_of(context))

    assert len(set(digests)) == 4


def test_the_digest_stays_when_an_ignored_file_changes(context: Path) -> None:
    (context / ".dockerignore").write_text("*.log\n")
    before = digest_of(context)

    (context / "server.log").write_text("noise")

    assert digest_of(context) == before


def test_an_unknown_context_is_left_alone() -> None:
    inputs = {"build": {"context": UNKNOWN}}

    assert prepare(inputs) == inputs


def test_a_missing_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="is not a folder"):
        prepare({"build": {"context": str(tmp_path / "none")}})


def test_a_missing_dockerfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"build.dockerfile .* is not a file"):
        prepare({"build": {"context": str(tmp_path)}})


def test_only_what_differs_from_a_plain_build_is_asked_for(context: Path) -> None:
    other = context / "Dockerfile.gpu"
    other.touch()
    plain = prepare({"imageName": "r/x:1", "build": {"context": str(context)}})
    built = {"context": str(context), "dockerfile": str(other), "args": {"A": "1"}, "target": "t"}
    full = prepare({"imageName": "r/x:1", "build": built})

    assert image_request(plain) == {"image_uri": "r/x:1", "context": str(context)}
    assert image_request(full) == {
        "image_uri": "r/x:1",
        "context": str(context),
        "dockerfile": str(other),
        "args": {"A": "1"},
        "target": "t",
    }


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("r.dkr/x:1", "r.dkr/x"),
        ("localhost:5000/x", "localhost:5000/x"),
        ("localhost:5000/x:1", "localhost:5000/x"),
        ("x", "x"),
    ],
)
def test_a_tag_is_told_from_a_port(name: str, repository: str) -> None:
    assert repository_of(name) == repository


def test_outputs_hold_neither_the_build_nor_the_password() -> None:
    values = {
        "imageName": "r/x:1",
        "build": {"context": "c", "dockerfile": "c/Dockerfile", "platform": "linux/amd64"},
        "registry": {"server": "r", "username": "u", "password": "secret"},
    }

    assert image_outputs(values, "sha256:1") == {
        "baseImageName": "r/x:1",
        "context": "c",
        "dockerfile": "c/Dockerfile",
        "imageName": "r/x:1",
        "platform": "linux/amd64",
        "registryServer": "r",
        "repoDigest": "r/x@sha256:1",
    }
