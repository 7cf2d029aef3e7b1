"""The `pulumi` command of a rehearsal: runs one command and maps errors to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from rehearsal.engine.argv import COMMANDS, Command, parse
from rehearsal.engine.errors import EngineError

MODULES = {"stack": "stack", "config": "config", "state": "state"}
MODULES |= dict.fromkeys(("up", "preview", "refresh", "destroy"), "operation")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        command = parse(sys.argv[1:] if argv is None else argv)
        return _help(command) if not command.name or command.on("help") else _run(command)
    except EngineError as err:
        if str(err):
            print(f"error: {err}", file=sys.stderr)
        return err.exit_code


def _run(command: Command) -> int:
    """Import the one module of the command and run it."""
    from rehearsal.engine.commands.workplace import Workplace

    module = MODULES.get(command.name.split(" ")[0], "small")
    handlers = import_module(f"rehearsal.engine.commands.{module}").HANDLERS
    handlers[command.name](Workplace(command, os.environ, Path.cwd()), command)
    return 0


def _help(command: Command) -> int:
    words = COMMANDS[command.name].split() if command.name else COMMANDS
    about = f"Flags of pulumi {command.name}" if command.name else "Commands"
    print("The rehearsal engine's pulumi: offline, for rehearsals only.\n")
    print(f"{about}:\n  " + "\n  ".join(words))
    return 0 if command.flags or command.name else 1


if __name__ == "__main__":
    sys.exit(main())
