"""The project: the nearest `Pulumi.yaml` upward, and which of its stacks is selected."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported

NAMES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
ORGANIZATION = "organization"
# Members that tell people something and the engine nothing.
INFORMATIVE = {"description", "author", "website", "license", "template"}
KNOWN = {"name", "runtime", "main", "config", "backend", "stackConfigDir"}


@dataclass(frozen=True, kw_only=True)
class Project:
    """What `Pulumi.yaml` says."""

    file: Path
    name: str
    runtime_options: Mapping[str, Any]
    main: str
    config: Mapping[str, Any]
    backend_url: str | None
    config_folder: Path

    @property
    def root(self) -> Path:
        """The folder of the project file."""
        return self.file.parent

    def program(self) -> tuple[Path, str]:
        """Return the program's folder and entry point (`.` for the folder's `__main__.py`)."""
        main = (self.root / self.main).resolve()
        return (main.parent, main.name) if main.is_file() else (main, ".")


def find_project(folder: Path) -> Project:
    """Read the nearest project file.

    Raises:
        EngineError: there is none, or it asks for something this engine doesn't do.
    """
    for place in (folder, *folder.parents):
        for name in NAMES:
            if (place / name).is_file():
                return _read(place / name)
    raise EngineError(
        f"no Pulumi.yaml project file found (searching upwards from {folder}). If you have not "
        "created a project "
        "yet, use the official CLI's `pulumi new` to do so"
    )


def _read(file: Path) -> Project:
    from rehearsal.engine.yamlfile import read_yaml

    document = read_yaml(file)
    unknown = sorted(set(document) - KNOWN - INFORMATIVE)
    if unknown:
        raise not_supported(f"the member {unknown[0]!r} in {file}")
    runtime = document.get("runtime")
    name, options = (runtime, {}) if isinstance(runtime, str) else _runtime(runtime, file)
    if name != "python":
        raise not_supported(f"runtime {name!r} in {file} (allowed: python)")
    if not isinstance(document.get("name"), str):
        raise EngineError(f"{file} lacks a `name`")
    return Project(
        file=file,
        name=document["name"],
        runtime_options=options,
        main=document.get("main", "."),
        config=document.get("config") or {},
        backend_url=(document.get("backend") or {}).get("url"),
        config_folder=file.parent / document.get("stackConfigDir", "."),
    )


def _runtime(runtime: Any, file: Path) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(runtime, Mapping) or "name" not in runtime:
        raise EngineError(f"{file} lacks a `runtime`")
    return runtime["name"], runtime.get("options") or {}


def bare_stack_name(text: str, project: str) -> str:
    """Reduce `stack`, `organization/stack` or `organization/project/stack` to the stack's own name.

    Raises:
        EngineError: another organisation or project, or a character that no stack name has.
    """
    parts = text.split("/")
    if len(parts) > 3:
        raise EngineError(f"{text!r} is no stack name; use stack or organization/project/stack")
    if len(parts) > 1 and parts[0] != ORGANIZATION:
        raise EngineError("organization name must be 'organization'")
    if len(parts) == 3 and parts[1] != project:
        raise EngineError(f"provided project name {parts[1]!r} doesn't match Pulumi.yaml")
    bad = re.search(r"[^A-Za-z0-9_.-]", parts[-1])
    if bad or not parts[-1] or len(parts[-1]) > 100:
        reason = f": invalid character {bad.group()!r} at position {bad.start()}" if bad else ""
        raise EngineError(
            f"a stack name may only contain alphanumeric, hyphens, underscores, or periods{reason}"
        )
    return parts[-1]


def pulumi_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of credentials and selections."""
    return Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def _selection_file(project: Project, environ: Mapping[str, str]) -> Path:
    digest = hashlib.sha1(str(project.file).encode(), usedforsecurity=False).hexdigest()
    return pulumi_home(environ) / "workspaces" / f"{project.name}-{digest}-workspace.json"


def selected_stack(project: Project, backend_url: str, environ: Mapping[str, str]) -> str | None:
    """Return the stack that commands without `--stack` mean."""
    if environ.get("PULUMI_STACK"):
        return environ["PULUMI_STACK"]
    file = _selection_file(project, environ)
    if not file.is_file():
        return None
    name: str | None = json.loads(file.read_text()).get("stacks", {}).get(backend_url)
    return name


def select_stack(
    project: Project, backend_url: str, name: str | None, environ: Mapping[str, str]
) -> None:
    """Remember a stack for this project and back end; none forgets it."""
    file = _selection_file(project, environ)
    file.parent.mkdir(parents=True, exist_ok=True)
    stacks = json.loads(file.read_text()).get("stacks", {}) if file.is_file() else {}
    if name is None:
        stacks.pop(backend_url, None)
    else:
        stacks[backend_url] = f"{ORGANIZATION}/{project.name}/{name}"
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"stacks": stacks}, indent=4))
    temporary.replace(file)
