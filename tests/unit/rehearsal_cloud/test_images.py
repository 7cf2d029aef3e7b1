"""Images: references, layout on disk, command line and environment of a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.dockerfile import plan_from_dockerfile
from rehearsal.cloud.fleets.images import (
    Image,
    command_line,
    lay_out,
    manifest_from_context,
    process_environment,
    reference_from_uri,
)

DOCKERFILE = """
FROM python
WORKDIR /app
COPY . .
COPY tool /usr/bin/tool
ENV PYTHONPATH=/app:/elsewhere
ENTRYPOINT ["python3", "/app/main.py", "/elsewhere"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "context"
    (directory / "package").mkdir(parents=True)
    (directory / "package" / "__init__.py").write_text("")
    (directory / "__pycache__").mkdir()
    (directory / "__pycache__" / "x.pyc").write_text("")
    (directory / "main.py").write_text("print()")
    (directory / "tool").write_text("#!/bin/sh")
    (directory / "Dockerfile").write_text(DOCKERFILE)
    return directory


@pytest.fixture
def image(context: Path, tmp_path: Path) -> Image:
    plan = plan_from_dockerfile(DOCKERFILE)
    root = lay_out(context, plan, tmp_path / "root")
    return Image(digest="sha256:0", root=root, plan=plan)


def test_files_lie_where_copy_puts_them_without_caches(image: Image) -> None:
    files = {str(p.relative_to(image.root)) for p in image.root.rglob("*") if p.is_file()}

    assert files == {
        "app/main.py",
        "app/tool",
        "app/Dockerfile",
        "app/package/__init__.py",
        "usr/bin/tool",
    }


@pytest.mark.source("DG your-algorithms-inference-code: docker run <image> serve")
def test_the_command_is_the_entrypoint_plus_serve_on_our_python(image: Image) -> None:
    assert command_line(image, ["serve"]) == [
        sys.executable,
        str(image.root / "app/main.py"),
        "/elsewhere",
        "serve",
    ]


def test_paths_of_the_environment_move_below_the_root(image: Image) -> None:
    environment = process_environment(image)

    assert environment["PYTHONPATH"] == f"{image.root / 'app'}:/elsewhere"
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))


def test_the_manifest_depends_on_content_and_instructions_alone(context: Path) -> None:
    before = manifest_from_context(context, "plan")
    (context / "__pycache__" / "y.pyc").write_text("")
    same = manifest_from_context(context, "plan")
    otherwise_built = manifest_from_context(context, "other plan")
    (context / "main.py").write_text("print(1)")

    assert before == same != otherwise_built
    assert manifest_from_context(context, "plan") != before


def test_a_copy_of_nothing_is_refused(context: Path, tmp_path: Path) -> None:
    plan = plan_from_dockerfile("FROM x\nCOPY missing /app/")

    with pytest.raises(SetupError, match="COPY missing finds nothing"):
        lay_out(context, plan, tmp_path / "other")


def test_an_ecr_uri_has_parts_and_latest_as_its_tag() -> None:
    stem = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/server"
    digest = f"sha256:{'0' * 64}"

    tagged, bare, by_digest = (
        reference_from_uri(uri) for uri in (f"{stem}:v1", stem, f"{stem}@{digest}")
    )

    assert tagged is not None
    assert bare is not None
    assert by_digest is not None
    assert (tagged.repository, tagged.tag, tagged.region) == ("team/server", "v1", "eu-west-1")
    assert bare.tag == "latest"
    assert (by_digest.tag, by_digest.digest) == (None, digest)
    assert reference_from_uri("docker.io/nginx:1") is None
