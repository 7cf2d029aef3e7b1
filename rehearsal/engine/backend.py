"""Pulumi's file back end: a folder with the state, history, backups and locks of each stack.

Files hold JSON as the official CLI writes it; what it means is `state.py`'s business.
"""

from __future__ import annotations

import getpass
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
from rehearsal.engine.project import ORGANIZATION
from rehearsal.engine.state import SCHEMA_VERSION, magic, now_rfc3339


def write_atomically(file: Path, document: Any, *, keep_previous: bool = False) -> None:
    """Write a JSON file so that a reader, or a crash, finds the old text or the new one."""
    text = document
    if not isinstance(text, str):
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
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


class Backend:
    """All the stacks of one folder."""

    def __init__(self, url: str) -> None:
        """Open the folder, giving it `meta.yaml` if it is new.

        Raises:
            LoginError: another scheme, no such folder, or the layout from before projects.
        """
        if not url.startswith("file://"):
            raise LoginError(f"back end {url!r} is not kept by the rehearsal engine, use file://…")
        self.url = url
        folder = Path(url.removeprefix("file://")).expanduser().absolute()
        if not folder.is_dir():
            raise LoginError(f"unable to open {url}: {folder} is not a folder; make it first")
        self.root = folder / ".pulumi"
        meta = self.root / "meta.yaml"
        old = any((self.root / "stacks").glob("*.json"))
        if not meta.is_file() and not old:
            write_atomically(meta, "version: 1\n")
        if old or meta.read_text().strip() != "version: 1":
            raise LoginError(f"{self.root} has another layout; `pulumi state upgrade` mends it")

    def stores(self, project: str) -> list[Store]:
        """List the stacks of a project."""
        files = sorted((self.root / "stacks" / project).glob("*.json"))
        return [Store(self, project, file.stem) for file in files]


class Store:
    """The files of one stack, whether it exists or not."""

    def __init__(self, backend: Backend, project: str, stack: str) -> None:
        self.backend, self.project, self.stack = backend, project, stack
        self.full_name = f"{ORGANIZATION}/{project}/{stack}"
        self.file = backend.root / "stacks" / project / f"{stack}.json"
        self._history = backend.root / "history" / project / stack
        self._backups = backend.root / "backups" / project / stack
        self._locks = backend.root / "locks" / ORGANIZATION / project / stack

    def require(self) -> Store:
        """Return the store itself.

        Raises:
            StackNotFoundError: there is no such stack.
        """
        if not self.file.is_file():
            raise StackNotFoundError(f"no stack named '{self.stack}' found")
        return self

    def read(self) -> dict[str, Any]:
        """Return the latest deployment as JSON; a stack that never had one gives an empty mapping.

        Raises:
            StackNotFoundError: there is no such stack.
            EngineError: a version this engine doesn't know, or a wrong checksum.
        """
        document = json.loads(self.require().file.read_bytes())
        check_version(document, str(self.file))
        latest: dict[str, Any] = document["checkpoint"].get("latest") or {}
        check_magic(latest, str(self.file))
        return latest

    def write(self, latest: Mapping[str, Any]) -> None:
        """Replace the latest deployment, keeping the one before as `.bak`."""
        checkpoint = {"stack": self.full_name, "latest": latest}
        document = {"version": SCHEMA_VERSION, "checkpoint": checkpoint}
        write_atomically(self.file, document, keep_previous=True)

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append an operation to the history with a copy of its state, and back the state up."""
        now, state = time.time_ns(), self.file.read_text(encoding="utf-8")
        write_atomically(self._history / f"{self.stack}-{now}.history.json", entry)
        write_atomically(self._history / f"{self.stack}-{now}.checkpoint.json", state)
        write_atomically(self._backups / f"{self.stack}.{now}.json", state)

    def history(self) -> list[dict[str, Any]]:
        """Return the operations, newest first."""
        files = sorted(self._history.glob("*.history.json"), reverse=True)
        return [json.loads(file.read_bytes()) for file in files]

    def remove(self) -> None:
        """Take the stack away; its last state stays as `.bak`, and its backups stay."""
        self.file.replace(self.file.with_name(self.file.name + ".bak"))
        shutil.rmtree(self._history, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[Path]:
        """Hold the stack's lock.

        Raises:
            EngineError: another operation holds it, or took it in the same moment.
        """
        own = self._locks / f"{uuid.uuid4()}.json"
        self._check_lock(own)
        who = {"username": getpass.getuser(), "hostname": socket.gethostname()}
        write_atomically(own, {"pid": os.getpid(), **who, "timestamp": now_rfc3339()})
        try:
            self._check_lock(own)
            yield own
        finally:
            own.unlink(missing_ok=True)

    def _check_lock(self, own: Path) -> None:
        lines = []
        for file in sorted(set(self._locks.glob("[!.]*.json")) - {own}):
            lock = json.loads(file.read_bytes())
            place = f"{self.backend.url.rstrip('/')}/{file.relative_to(self.backend.root.parent)}"
            who = f"{lock['username']}@{lock['hostname']} (pid {lock['pid']})"
            when = re.sub(r"\.\d+", "", lock["timestamp"])
            # The official CLI's message shows the option that it opens the folder with.
            lines.append(f"\n  {place}?no_tmp_dir=true: created by {who} at {when}")
        if lines:
            raise EngineError(
                f"the stack is currently locked by {len(lines)} lock(s). Either wait for the other "
                f"process(es) to end or delete the lock file with `pulumi cancel`.{''.join(lines)}"
            )

    def cancel(self) -> None:
        """Delete every lock, whoever holds it."""
        for file in self._locks.glob("*.json"):
            file.unlink(missing_ok=True)


def check_version(document: Mapping[str, Any], place: str) -> None:
    """Refuse a document of a version that this engine doesn't know.

    Raises:
        EngineError: what was found and what is known.
    """
    version = document.get("version")
    if version != SCHEMA_VERSION:
        raise EngineError(f"{place} has version {version!r}; the only one known is version 3")


def check_magic(deployment: Mapping[str, Any], place: str) -> None:
    """Refuse a deployment whose manifest doesn't sum up.

    Raises:
        EngineError: the checksum isn't that of the version.
    """
    manifest = deployment.get("manifest") or {}
    version, given = manifest.get("version", ""), manifest.get("magic", "")
    if (version or given) and given != magic(version):
        raise EngineError(f"{place} was tampered with: magic {given!r} is not {version!r}'s")
