"""The project: the nearest `Pulumi.yaml` upward, and which of its stacks is selected."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported

ORGANIZATION = "organization"
# The last five tell people something and the engine nothing.
_KNOWN = {"name", "runtime", "main", "description", "author", "website", "license", "template"}


@dataclass(frozen=True, kw_only=True)
class Project:
    """What `Pulumi.yaml` says."""

    file: Path
    name: str
    runtime_options: Mapping[str, Any]
    program_folder: Path


def find_project(folder: Path) -> Project:
    """Read the nearest project file.

    Raises:
        EngineError: there is none, or it asks for something this engine doesn't do.
    """
    for place in (folder, *folder.parents):
        if (place / "Pulumi.yaml").is_file():
            return _read(place / "Pulumi.yaml")
    raise EngineError(
        f"no Pulumi.yaml project file found (searching upwards from {folder}). If you have not "
        "created a project yet, use the official CLI's `pulumi new` to do so"
    )


def _read(file: Path) -> Project:
    from rehearsal.engine.config import read_yaml

    document = read_yaml(file)
    if unknown := sorted(set(document) - _KNOWN):
        raise not_supported(f"the member {unknown[0]!r} in {file}")
    runtime = document.get("runtime")
    runtime = runtime if isinstance(runtime, Mapping) else {"name": runtime}
    if runtime.get("name") != "python":
        raise not_supported(f"runtime {runtime.get('name')!r} in {file} (allowed: python)")
    if not isinstance(document.get("name"), str):
        raise EngineError(f"{file} lacks a `name`")
    program_folder = (file.parent / document.get("main", ".")).resolve()
    if not program_folder.is_dir():
        raise not_supported(f"main {document['main']!r} in {file} (allowed: a folder)")
    options = dict(runtime.get("options", {}))
    name = document["name"]
    return Project(file=file, name=name, runtime_options=options, program_folder=program_folder)


def bare_stack_name(text: str, project: str) -> str:
    """Reduce `stack`, `organization/stack` or `organization/project/stack` to the stack's own name.

    Raises:
        EngineError: another organisation or project, or a character that no stack name has.
    """
    *owner, name = text.split("/")
    if owner and owner[0] != ORGANIZATION:
        raise EngineError("organization name must be 'organization'")
    given = "/".join(owner[1:])
    if given not in ("", project):
        raise EngineError(f"provided project name {given!r} doesn't match Pulumi.yaml")
    bad = re.search(r"[^A-Za-z0-9_.-]", name)
    if bad or not 0 < len(name) <= 100:
        reason = f": invalid character {bad.group()!r} at position {bad.start()}" if bad else ""
        allowed = "a stack name may only contain alphanumeric, hyphens, underscores, or periods"
        raise EngineError(allowed + reason)
    return name


def pulumi_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of credentials and selections."""
    return Path(environ.get("PULUMI_HOME", Path.home() / ".pulumi"))


def selection(project: Project, environ: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """Return the file that says which stack is selected, by back end, and what it says."""
    digest = hashlib.sha1(str(project.file).encode(), usedforsecurity=False).hexdigest()
    file = pulumi_home(environ) / "workspaces" / f"{project.name}-{digest}-workspace.json"
    return file, json.loads(file.read_text()).get("stacks", {}) if file.is_file() else {}
