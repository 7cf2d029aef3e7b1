"""The `pulumi` command of a rehearsal: runs one command and maps errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rehearsal.engine.argv import COMMANDS, GLOBAL, Command, parse
from rehearsal.engine.errors import EngineError

if TYPE_CHECKING:
    from rehearsal.engine.commands.workplace import Workplace


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        command = parse(sys.argv[1:] if argv is None else argv)
        if command.name == "help" or command.on("help"):
            return _help(command)
        return _run(command)
    except EngineError as err:
        if str(err):
            print(f"error: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _run(command: Command) -> int:
    if command.name == "version":
        from rehearsal.engine.state import VERSION

        print(VERSION)
        return 0
    import os
    from pathlib import Path

    from rehearsal.engine.commands.workplace import Workplace
    from rehearsal.engine.state import StateError

    try:
        return _family(command.name)(Workplace(command, os.environ, Path.cwd()), command)
    except StateError as err:
        raise EngineError(str(err)) from err


def _family(name: str) -> Callable[[Workplace, Command], int]:
    """Import the module of the command's family and return the command's function."""
    from importlib import import_module

    head = name.split(" ", maxsplit=1)[0]
    module = {
        "up": "operation",
        "preview": "operation",
        "refresh": "operation",
        "destroy": "operation",
        "stack": "small" if name.startswith(("stack history", "stack tag")) else "stack",
        "config": "config",
        "state": "state",
    }.get(head, "small")
    family = import_module(f"rehearsal.engine.commands.{module}")
    handlers: dict[str, Callable[[Workplace, Command], int]] = family.HANDLERS
    return handlers[name]


def _help(command: Command) -> int:
    if command.name == "help":
        print("pulumi of the rehearsal engine: offline, for rehearsals only.\n\nCommands:")
        for name in COMMANDS:
            print(f"  pulumi {name}")
        return 0
    flags = [word for word in f"{COMMANDS[command.name]} {GLOBAL}".split() if word[0] != "!"]
    print(f"Usage: pulumi {command.name} [arguments] [flags]\n\nFlags:")
    for word in flags:
        short, comma, name = word.rpartition(",")
        name, equals, _ = name.partition("=")
        print(f"  {f'-{short}, ' if comma else '    '}--{name}{' value' if equals else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
