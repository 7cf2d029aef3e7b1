"""The command line: tables of what this engine does and of what it refuses, and their parser.

In a flag list `=` takes a value, `=*` one that may be repeated, `=?` one only when attached
(`--flag=value`); `x,` before a name is its short form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported

_GLOBAL = "color= C,cwd= h,help non-interactive s,stack="
_PLAN = "client= event-log= exec-kind= expect-no-changes m,message= p,parallel= r,refresh=?"
_CHANGE = f"{_PLAN} preview-only f,skip-preview y,yes"
COMMANDS = {
    "version": "",
    "whoami": "j,json",
    "login": "",
    "stack init": "no-select secrets-provider=",
    "stack select": "",
    "stack ls": "j,json",
    "stack rm": "f,force y,yes",
    "stack output": "j,json show-secrets=?",
    "stack export": "file= show-secrets=?",
    "stack import": "file= f,force",
    "stack history": "j,json page= page-size= show-secrets=?",
    "config": "j,json show-secrets=?",
    "config get": "j,json path",
    "config set": "path plaintext secret",
    "config set-all": "path plaintext=* secret=*",
    "config rm": "path",
    "preview": _PLAN,
    "up": _CHANGE,
    "refresh": _CHANGE,
    "destroy": _CHANGE,
    "cancel": "y,yes",
    "state delete": "force y,yes",
    "state unprotect": "y,yes",
    "plugin ls": "j,json",
    "install": "no-dependencies no-plugins",
}
GROUPS = {"", *(name.split(" ")[0] for name in COMMANDS if " " in name)}
# What the official CLI has besides: refused by name, where anything else is unknown.
_REFUSED_COMMANDS = """about ai api console convert deployment do down env import insights logout
    logs new org package policy pre project schema template update watch config_cp config_env
    config_refresh config_rm-all plugin_install plugin_rm plugin_run stack_change-secrets-provider
    stack_graph stack_migrate stack_rename stack_tag stack_unselect state_edit state_get state_move
    state_protect state_rename state_repair state_taint state_untaint state_upgrade"""
_REFUSED_FLAGS = """a,all attach-debugger clear-pending-creates c,config config-file
    continue-on-error create d,debug diff e,emoji x,exclude exclude-dependents exclude-protected
    Q,fully-qualify-stack-names import-file j,json l,local logflow logtostderr open output plan
    policy-pack policy-pack-config preserve-config project raw reinstall replace remote remove
    remove-backups run-program save-plan secrets-provider shell show-config show-full-output
    i,show-ids show-name show-reads show-replacement-steps show-sames show-secrets u,show-urns
    suppress-outputs suppress-permalink suppress-progress tag t,target target-dependents
    target-replace tracing type use-language-version-tools v,verbose version"""
REFUSED_COMMANDS = frozenset(word.replace("_", " ") for word in _REFUSED_COMMANDS.split())


@dataclass(kw_only=True)
class Command:
    """A command line, read."""

    name: str = ""
    flags: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    def text(self, flag: str) -> str | None:
        """Return the value of a flag that takes one, or None."""
        value: str | None = self.flags.get(flag)
        return value

    def on(self, flag: str) -> bool:
        """Say whether a switch is on.

        Raises:
            EngineError: it was given a value that is neither true nor false.
        """
        value = str(self.flags.get(flag, "false")).lower()
        if value not in ("true", "false"):
            raise EngineError(f"invalid argument {value!r} for --{flag}; use true or false")
        return value == "true"


def _table(flags: str) -> dict[str, tuple[str, str]]:
    """Map `--flag` and `-f` to the flag's name and form."""
    table = {}
    for word in flags.split():
        short, comma, long = word.rpartition(",")
        name, equals, form = long.partition("=")
        table[f"--{name}"] = table[f"-{short}" if comma else f"--{name}"] = (name, equals + form)
    return table


def parse(argv: Sequence[str]) -> Command:
    """Read a command line; global flags may stand before or after the command.

    Raises:
        EngineError: a command or flag that is unknown, not supported, or lacks its value.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    queue, command = list(argv[:end]), Command()
    arguments: list[str] = []
    while queue:
        word = queue.pop(0)
        if word.startswith("-") and word != "-":
            _take_flag(command, word, queue)
        elif command.name in GROUPS and not arguments:
            command.name = _longer_name(command.name, word)
        else:
            arguments.append(word)
    command.arguments = (*arguments, *argv[end + 1 :])
    if command.name not in ("", *COMMANDS):
        known = ", ".join(name for name in COMMANDS if name.startswith(f"{command.name} "))
        raise EngineError(f"`pulumi {command.name}` needs one of its commands: {known}")
    return command


def _longer_name(name: str, word: str) -> str:
    longer = f"{name} {word}".strip()
    if longer in REFUSED_COMMANDS:
        raise not_supported(f"`pulumi {longer}`")
    if longer not in COMMANDS and longer not in GROUPS:
        where = f"pulumi {name}".strip()
        usage = f"Run '{where} --help' for usage."
        raise EngineError(f'unknown command "{word}" for "{where}"\n{usage}')
    return longer


def _take_flag(command: Command, word: str, queue: list[str]) -> None:
    long = word.startswith("--")
    short = (word[:2], word[2:], word[2:].removeprefix("="))
    key, attached, value = word.partition("=") if long else short
    table = _table(f"{_GLOBAL} {COMMANDS.get(command.name, '')}")
    if key not in table and key in (refused := _table(_REFUSED_FLAGS)):
        where = f"pulumi {command.name}".rstrip()
        raise not_supported(f"--{refused[key][0]} of `{where}`")
    if key not in table:
        raise EngineError(f"unknown {'' if long else 'shorthand '}flag: {key}")
    name, form = table[key]
    if form in ("=", "=*") and not attached:
        if not queue:
            raise EngineError(f"flag needs an argument: {key}")
        attached, value = "=", queue.pop(0)
    if form == "=*":
        command.flags.setdefault(name, []).append(value)
    else:
        command.flags[name] = value if attached else "true"
