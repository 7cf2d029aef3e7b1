"""The `pulumi` command of a rehearsal: runs one command and maps errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from rehearsal.engine.argv import COMMANDS, Command, parse
from rehearsal.engine.errors import EngineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        command = parse(sys.argv[1:] if argv is None else argv)
        if not command.name or command.on("help"):
            return _help(command)
        return _run(command)
    except EngineError as err:
        if str(err):
            print(f"error: {err}", file=sys.stderr)
        return err.exit_code


def _run(command: Command) -> int:
    """Import the one module of the command and run it."""
    import os
    from pathlib import Path

    from rehearsal.engine.commands.workplace import Workplace

    head = command.name.split(" ")[0]
    module = head if head in ("stack", "config", "state") else "small"
    if head in ("up", "preview", "refresh", "destroy"):
        module = "operation"
    if command.name.startswith(("stack tag", "stack history")):
        module = "small"
    handlers = import_module(f"rehearsal.engine.commands.{module}").HANDLERS
    code: int = handlers[command.name](Workplace(command, os.environ, Path.cwd()), command)
    return code


def _help(command: Command) -> int:
    print("The rehearsal engine's pulumi: offline, for rehearsals only.\n")
    if not command.name:
        print("Commands:\n  " + "\n  ".join(name for name in COMMANDS if name))
        return 1 if not command.flags else 0
    words = [word for word in COMMANDS[command.name].split() if word[0] != "!"]
    print(f"Flags of pulumi {command.name}:\n  " + "\n  ".join(words))
    return 0


if __name__ == "__main__":
    sys.exit(main())
