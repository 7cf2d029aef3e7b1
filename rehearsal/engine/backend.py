"""Pulumi's file back end: a folder with the state, history, backups, tags and locks of every stack.

Files hold JSON as the official CLI writes it; what it means is `state.py`'s business. Only
`file://` is served.
"""

from __future__ import annotations

import getpass
import gzip
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError, LoginError, StackNotFoundError
from rehearsal.engine.project import ORGANIZATION, pulumi_home
from rehearsal.engine.state import SCHEMA_VERSION, magic, now_rfc3339


class LockedError(EngineError):
    """Another operation works on the stack."""


def backend_url(environ: Mapping[str, str], project_url: str | None) -> str:
    """Find where the state is: the environment's word, the project's, or the last login's.

    Raises:
        LoginError: nobody said.
    """
    credentials = pulumi_home(environ) / "credentials.json"
    current = json.loads(credentials.read_text()).get("current") if credentials.is_file() else None
    url = environ.get("PULUMI_BACKEND_URL") or project_url or current
    if not url:
        raise LoginError(
            "PULUMI_BACKEND_URL is not set and nobody is logged in; set it to file://<folder> or "
            "run "
            "`pulumi login file://<folder>`"
        )
    return str(url)


def backend_folder(url: str) -> Path:
    """Return the folder a `file://` URL names.

    Raises:
        LoginError: another scheme, or the folder is absent.
    """
    if not url.startswith("file://"):
        raise LoginError(
            f"back end {url!r} is not supported by the rehearsal engine, which keeps state in "
            "files only "
            "(file://<folder>); use the official CLI"
        )
    folder = Path(url.removeprefix("file://")).expanduser().absolute()
    if not folder.is_dir():
        raise LoginError(f"unable to open bucket {url}: {folder} is not a folder; make it first")
    return folder / ".pulumi"


def write_atomically(file: Path, text: str, *, keep_previous: bool = False) -> None:
    """Write a file so that a reader, or a crash, finds the old text or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    if keep_previous and file.is_file():
        link = temporary.with_suffix(".bak")
        os.link(file, link)
        link.replace(file.with_name(file.name + ".bak"))
    temporary.replace(file)


def _dump(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Backend:
    """All the stacks of one folder."""

    def __init__(self, url: str) -> None:
        """Open the folder, giving it `meta.yaml` if it is new.

        Raises:
            LoginError: no such folder, or one in the layout that was used before projects.
        """
        self.url = url
        self.root = backend_folder(url)
        meta = self.root / "meta.yaml"
        text = meta.read_text() if meta.is_file() else ""
        if text and not re.search(r"^version:\s*1\s*$", text, re.MULTILINE):
            raise LoginError(
                f"{meta} is not of version 1; use the official CLI's `pulumi state upgrade`"
            )
        if not text:
            if any((self.root / "stacks").glob("*.json")):
                raise LoginError(
                    f"{self.root} has the old layout; use the official CLI's `pulumi state upgrade`"
                )
            write_atomically(meta, "version: 1\n")

    def store(self, project: str, stack: str) -> Store:
        """Return the files of one stack, whether it exists or not."""
        return Store(self, project, stack)

    def stores(self, project: str | None) -> list[Store]:
        """List the stacks of one project, or of all."""
        files = [
            file
            for pattern in ("*.json", "*.json.gz")
            for file in (self.root / "stacks").glob(f"{project or '*'}/{pattern}")
        ]
        names = sorted({(file.parent.name, file.name.split(".json")[0]) for file in files})
        return [self.store(*name) for name in names]


class Store:
    """The files of one stack."""

    def __init__(self, backend: Backend, project: str, stack: str) -> None:
        self.backend, self.project, self.stack = backend, project, stack
        self.full_name = f"{ORGANIZATION}/{project}/{stack}"
        root = backend.root
        self.file = root / "stacks" / project / f"{stack}.json"
        self._tags = root / "stacks" / project / f"{stack}.pulumi-tags"
        self._history = root / "history" / project / stack
        self._backups = root / "backups" / project / stack
        self._locks = root / "locks" / ORGANIZATION / project / stack

    def _existing(self) -> Path | None:
        packed = self.file.with_name(self.file.name + ".gz")
        return next((file for file in (self.file, packed) if file.is_file()), None)

    def exists(self) -> bool:
        """Say whether the stack has a state file."""
        return self._existing() is not None

    def read(self) -> dict[str, Any]:
        """Return the latest deployment as JSON; a stack that never had one gives an empty mapping.

        Raises:
            StackNotFoundError: no state file.
            EngineError: a version this engine doesn't know, or a wrong checksum.
        """
        file = self._existing()
        if file is None:
            raise StackNotFoundError(f"no stack named '{self.stack}' found")
        data = file.read_bytes()
        document = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        if document.get("version") != SCHEMA_VERSION:
            raise EngineError(
                f"the state in {file} has version {document.get('version')}; the rehearsal "
                "engine knows version "
                f"{SCHEMA_VERSION}, use the official CLI"
            )
        latest: dict[str, Any] = document["checkpoint"].get("latest") or {}
        check_magic(latest, str(file))
        return latest

    def write(self, latest: Mapping[str, Any]) -> None:
        """Replace the latest deployment, keeping the one before as `.bak`."""
        document = {
            "version": SCHEMA_VERSION,
            "checkpoint": {"stack": self.full_name, "latest": latest},
        }
        write_atomically(self.file, _dump(document), keep_previous=True)
        self.file.with_name(self.file.name + ".gz").unlink(missing_ok=True)

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append an operation to the history with a copy of its state, and back the state up."""
        now = time.time_ns()
        write_atomically(
            self._history / f"{self.stack}-{now}.history.json", json.dumps(entry, indent=4)
        )
        for copy in (
            self._history / f"{self.stack}-{now}.checkpoint.json",
            self._backups / f"{self.stack}.{now}.json",
        ):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.file, copy)

    def history(self) -> list[dict[str, Any]]:
        """Return the operations, newest first."""
        files = sorted(self._history.glob("*.history.json"), key=_moment, reverse=True)
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def tags(self) -> dict[str, str]:
        """Return the stack's tags."""
        if not self._tags.is_file():
            return {}
        return dict(json.loads(self._tags.read_text(encoding="utf-8"))["tags"])

    def write_tags(self, tags: Mapping[str, str]) -> None:
        """Replace the stack's tags."""
        write_atomically(self._tags, _dump({"version": 1, "tags": dict(tags)}))

    def remove(self, *, backups: bool = False) -> None:
        """Take the stack away; its last state stays as `.bak`, and its backups unless told."""
        file = self._existing()
        if file is not None:
            file.replace(self.file.with_name(self.file.name + ".bak"))
        self._tags.unlink(missing_ok=True)
        shutil.rmtree(self._history, ignore_errors=True)
        if backups:
            shutil.rmtree(self._backups, ignore_errors=True)

    def move(self, other: Store, latest: Mapping[str, Any]) -> None:
        """Give everything of this stack to another name, with the state under that name."""
        other.write(latest)
        if self._tags.is_file():
            self._tags.replace(other._tags)
        for file in self._history.glob(f"{self.stack}-*"):
            other._history.mkdir(parents=True, exist_ok=True)
            file.replace(other._history / (other.stack + file.name[len(self.stack) :]))
        self.remove()

    @contextmanager
    def locked(self) -> Iterator[Path]:
        """Hold the stack's lock.

        Raises:
            LockedError: another operation holds it, or took it in the same moment.
        """
        own = self._locks / f"{uuid.uuid4()}.json"
        self._check_lock(own)
        content = {
            "pid": os.getpid(),
            "username": getpass.getuser(),
            "hostname": socket.gethostname(),
            "timestamp": now_rfc3339(),
        }
        write_atomically(own, _dump(content))
        try:
            self._check_lock(own)
            yield own
        finally:
            own.unlink(missing_ok=True)

    def _check_lock(self, own: Path) -> None:
        lines = []
        for file in sorted(self._locks.glob("[!.]*.json")):
            if file == own:
                continue
            lock = json.loads(file.read_text(encoding="utf-8"))
            place = f"{self.backend.url.rstrip('/')}/{file.relative_to(self.backend.root.parent)}"
            moment = re.sub(r"\.\d+", "", lock["timestamp"])
            lines.append(
                f"\n  {place}: created by {lock['username']}@{lock['hostname']} (pid "
                f"{lock['pid']}) at {moment}"
            )
        if lines:
            raise LockedError(
                f"the stack is currently locked by {len(lines)} lock(s). Either wait for the "
                "other process(es) to "
                f"end or delete the lock file with `pulumi cancel`.{''.join(lines)}"
            )

    def cancel(self) -> None:
        """Delete every lock, whoever holds it."""
        for file in self._locks.glob("*.json"):
            file.unlink(missing_ok=True)


def _moment(file: Path) -> int:
    return int(file.name.split(".")[-3].rsplit("-", 1)[-1])


def check_magic(deployment: Mapping[str, Any], place: str) -> None:
    """Refuse a deployment whose manifest doesn't sum up.

    Raises:
        EngineError: the checksum isn't that of the version.
    """
    manifest = deployment.get("manifest") or {}
    version, given = manifest.get("version", ""), manifest.get("magic", "")
    if (version or given) and given != magic(version):
        raise EngineError(
            f"the state in {place} was tampered with: its manifest's magic {given!r} is not that "
            "of version "
            f"{version!r}"
        )
