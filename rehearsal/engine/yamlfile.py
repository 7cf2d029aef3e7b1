"""YAML files that keep their comments and order when a command edits them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError


def read_yaml(file: Path) -> Any:
    """Read a mapping (YAML or JSON) with its comments; an absent file reads as an empty one.

    Raises:
        EngineError: it can't be parsed or is no mapping.
    """
    from ruamel.yaml.error import YAMLError

    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    try:
        document = _yaml().load(text)
    except YAMLError as err:
        raise EngineError(f"{file} is not valid YAML: {err}") from err
    if document is None:
        return _yaml().map()
    if not isinstance(document, dict):
        raise EngineError(f"{file} holds a {type(document).__name__}; it must hold a mapping")
    return document


def write_yaml(file: Path, document: Any) -> None:
    """Write a mapping back, in one move."""
    buffer = io.StringIO()
    _yaml().dump(document, buffer)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(buffer.getvalue() if document else "", encoding="utf-8")
    temporary.replace(file)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
