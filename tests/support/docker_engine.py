"""A Docker engine for tests: the one that runs, or one of our own, or a reason to skip.

The base image is made of this distribution's packages, as no registry of images need be in reach.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.docker_engine import connect, engine_address, knock

# Another number when what is in it changes: the archive is kept between runs.
BASE_VERSION = "2"
BASE_IMAGE = f"greenlight-tests/base:{BASE_VERSION}"
FALLBACK_IMAGE = "public.ecr.aws/docker/library/python:3.11-slim-bookworm"
SUITE = "bookworm"
# The last has Python's headers, which the official images of Python hold, too.
INCLUDED = "python3,python3-venv,ca-certificates,libpython3.11-dev"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
INSTALL_SECONDS = 300
START_SECONDS = 30
STOP_SECONDS = 20
# Nothing that is being installed may start a service of its own.
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


@dataclass(frozen=True, kw_only=True)
class DockerEngine:
    """An engine that answers, and an image with Python 3 in it."""

    client: Any
    host: str
    base_image: str


class Missing(Exception):
    """What a machine lacks, as the reason of a skip."""


def running_engine(config: pytest.Config) -> Iterator[DockerEngine]:
    """Yield an engine with a base image, for a fixture; skip the tests where there is none.

    An engine that was started here ends with the fixture.
    """
    with contextlib.ExitStack() as cleanup:
        try:
            host = cleanup.enter_context(engine_host())
            client = docker.DockerClient(base_url=host)
            cleanup.callback(client.close)
            base_image = ensure_base_image(client, config.cache.mkdir("docker-base"))
        except Missing as err:
            pytest.skip(str(err))
        patch = pytest.MonkeyPatch()
        cleanup.callback(patch.undo)
        patch.setenv("DOCKER_HOST", host)
        yield DockerEngine(client=client, host=host, base_image=base_image)


@contextlib.contextmanager
def engine_host() -> Iterator[str]:
    """Yield where an engine answers: one that runs already, else our own."""
    try:
        client = connect()
    except SetupError:
        with own_engine() as host:
            yield host
        return
    client.close()
    yield engine_address()


@contextlib.contextmanager
def own_engine() -> Iterator[str]:
    """Start dockerd on files and a socket of its own; end it and remove them."""
    if os.geteuid() != 0:
        raise Missing("no Docker engine answers, and starting one needs root; start Docker")
    need("dockerd", "docker.io")
    # A socket's path has a length limit, and pytest's folders come close to it.
    directory = Path(tempfile.mkdtemp(prefix="greenlight-docker-"))
    host = f"unix://{directory}/socket"
    command = ["dockerd", f"--host={host}", f"--data-root={directory}/data"]
    command += [f"--exec-root={directory}/exec", f"--pidfile={directory}/pid"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_engine(process, host, directory / "log")
        yield host
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        unmount_below(directory)
        # Tens of thousands of files of layers: several times faster than by shutil.
        subprocess.run(["rm", "-rf", str(directory)], check=False)


def wait_for_engine(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(DockerException, OSError):
            knock(host)
            client = docker.DockerClient(base_url=host)
            client.close()
            return
        time.sleep(0.1)
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise Missing(f"dockerd does not start on this machine: {tail}")


def ensure_base_image(client: Any, cache: Path) -> str:
    """Return the name of an image with Python 3: there already, made here, or pulled."""
    for name in (BASE_IMAGE, FALLBACK_IMAGE):
        with contextlib.suppress(ImageNotFound):
            client.images.get(name)
            return name
    if os.geteuid() == 0 and (shutil.which("debootstrap") or shutil.which("apt-get")):
        archive = cache / f"base-{BASE_VERSION}.tar"
        if not archive.exists():
            make_base_archive(archive)
        changes = [f"ENV PIP_CERT={CERTIFICATES}"] if CERTIFICATES.exists() else []
        name, _, tag = BASE_IMAGE.partition(":")
        client.api.import_image_from_file(str(archive), repository=name, tag=tag, changes=changes)
        return BASE_IMAGE
    try:
        client.images.pull(FALLBACK_IMAGE)
    except DockerException as err:
        raise Missing(f"no base image with Python: docker pull {FALLBACK_IMAGE}: {err}") from err
    return FALLBACK_IMAGE


def make_base_archive(archive: Path) -> None:
    """Lay out a small Debian with Python, trusting whom this machine trusts, as a tar."""
    need("debootstrap", "debootstrap")
    with tempfile.TemporaryDirectory(prefix="greenlight-base-") as directory:
        root = Path(directory, "root")
        run("debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(root))
        if CERTIFICATES.exists():
            shutil.copyfile(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
        partial = Path(directory, "base.tar")
        left_out = ["./dev/*", "./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/doc/*"]
        excludes = [f"--exclude={pattern}" for pattern in left_out]
        run("tar", "-C", str(root), *excludes, "-cf", str(partial), ".")
        shutil.move(partial, archive)


def need(program: str, package: str) -> None:
    """Install a distribution's package unless its program is there."""
    if shutil.which(program) is not None:
        return
    if shutil.which("apt-get") is None:
        raise Missing(f"{program} is missing and there is no apt-get; install {package}")
    run("apt-get", "update", "--quiet")
    run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", package)


def run(*command: str) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as err:
        tail = err.stdout.decode(errors="replace").strip().splitlines()[-1:]
        raise Missing(f"{' '.join(command[:3])} failed: {' '.join(tail)}") from err
    except (OSError, subprocess.TimeoutExpired) as err:
        raise Missing(f"{' '.join(command[:3])} failed: {err}") from err


def unmount_below(directory: Path) -> None:
    """Let go of what dockerd mounts for itself and may leave mounted."""
    mounted = Path("/proc/self/mounts")
    lines = mounted.read_text().splitlines() if mounted.exists() else []
    for place in reversed([line.split()[1] for line in lines]):
        if Path(place).is_relative_to(directory):
            subprocess.run(["umount", place], check=False, capture_output=True)
