"""The command line: one table of commands with their flags, and the parser that reads it.

Everything the official CLI takes is in the table, so that what this engine lacks is refused by
name and what nobody knows is called unknown. In a flag list `=` takes a value, `=*` takes it
repeatedly, `=?` takes it only when attached (`--flag=value`), `-x,` before a name is its short
form, and a leading `!` marks what is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported

GLOBAL = (
    "color= C,cwd= non-interactive h,help Q,fully-qualify-stack-names s,stack= !logflow "
    "!logtostderr "
    "!v,verbose= !disable-integrity-checking !e,emoji !memprofilerate= !profiling= !tracing= "
    "!otel-traces="
)
_PROGRAM = (
    "config-file= d,debug diff j,json m,message= p,parallel= r,refresh=? suppress-outputs "
    "suppress-permalink=? suppress-progress t,target=* target-dependents run-program=? client= "
    "exec-kind= exec-agent= event-log= show-secrets=? skip-plugin-pre-install "
    "!attach-debugger=? !c,config= !config-path !x,exclude= !exclude-dependents !ignore-protect "
    "!neo "
    "!override-env= !policy-pack= !policy-pack-config= !show-config !show-full-output "
    "!show-policy-remediations !show-reads !show-replacement-steps !show-sames "
    "!skip-config-validation !urns !remote !plan= !strict !save-plan= !import-file="
)
_UP = "replace=* target-replace=* expect-no-changes continue-on-error"
# Canonical name, then its flags. Names are written as the Automation API writes them.
COMMANDS: dict[str, str] = {
    "version": "",
    "help": "",
    "whoami": "j,json v,verbose !output=",
    "about": "!j,json !t,transitive",
    "login": "c,cloud-url= l,local !default-org= !insecure !interactive !oidc-token=",
    "stack": "show-name i,show-ids u,show-urns show-secrets=? !output=",
    "stack init": "secrets-provider= no-select y,yes !copy-config-from= !teams=",
    "stack select": "c,create secrets-provider=",
    "stack unselect": "",
    "stack ls": "j,json a,all !o,organization= !p,project= !t,tag= !output=",
    "stack rm": "y,yes f,force preserve-config remove-backups",
    "stack rename": "",
    "stack output": "j,json show-secrets=? !shell",
    "stack export": "file= show-secrets=? !version=",
    "stack import": "file= f,force",
    "stack history": "j,json show-secrets=? page-size= page= full-dates !output=",
    "stack tag ls": "j,json !output=",
    "stack tag get": "",
    "stack tag set": "",
    "stack tag rm": "",
    "config": "config-file= j,json show-secrets=? !open=?",
    "config get": "config-file= j,json path !open=?",
    "config set": "config-file= path plaintext secret !raw !type=",
    "config set-all": "config-file= path plaintext=* secret=* json=",
    "config rm": "config-file= path",
    "config rm-all": "config-file= path",
    "config refresh": "config-file= f,force",
    "up": f"{_PROGRAM} {_UP} y,yes f,skip-preview !secrets-provider=",
    "preview": f"{_PROGRAM} {_UP}",
    "refresh": (
        f"{_PROGRAM} expect-no-changes y,yes f,skip-preview preview-only clear-pending-creates "
        "!import-pending-creates= !skip-pending-creates"
    ),
    "destroy": f"{_PROGRAM} continue-on-error y,yes f,skip-preview preview-only "
    "exclude-protected remove",
    "cancel": "y,yes",
    "state delete": "y,yes force target-dependents !all",
    "state unprotect": "y,yes all",
    "plugin ls": "j,json p,project !output=",
    "install": "no-dependencies no-plugins parallel= reinstall use-language-version-tools",
}
ALIASES = {
    "update": "up", "pre": "preview", "down": "destroy", "dn": "destroy", "stack new": "stack init",
    "stack create": "stack init", "stack list": "stack ls", "stack remove": "stack rm",
    "stack delete": "stack rm", "stack hist": "stack history", "config remove": "config rm",
    "config delete": "config rm", "config remove-all": "config rm-all", "state rm": "state delete",
    "state remove": "state delete", "plugin list": "plugin ls", "stack tag list": "stack tag ls",
    "history": "stack history", "hist": "stack history",
}  # fmt: skip
_REFUSED = (
    "new import logs logout watch convert console template env org project deployment api insights "
    "do policy schema package gen-completion neo ai plugin-install plugin-rm plugin-remove "
    "plugin-run stack-graph stack-change-secrets-provider stack-migrate stack-drift stack-schedule "
    "stack-webhook config-env config-cp config-copy state-move state-protect state-rename "
    "state-repair state-taint state-untaint state-upgrade state-get state-edit"
)
REFUSED = frozenset(_REFUSED.split())
GROUPS = {"stack", "stack tag", "config", "state", "plugin"}


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line, read."""

    name: str
    flags: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    def text(self, flag: str) -> str | None:
        """Return the value of a flag that takes one, or None."""
        value = self.flags.get(flag)
        return None if value is None else str(value)

    def all(self, flag: str) -> tuple[str, ...]:
        """Return the values of a flag that may be given more than once."""
        return tuple(self.flags.get(flag, ()))

    def on(self, flag: str) -> bool:
        """Say whether a switch is on.

        Raises:
            EngineError: it was given a value that is neither true nor false.
        """
        value = self.flags.get(flag, False)
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "1", "t"):
            return True
        if str(value).lower() in ("false", "0", "f"):
            return False
        raise EngineError(f"invalid argument {value!r} for --{flag}; use true or false")


@dataclass(frozen=True, kw_only=True)
class _Flag:
    name: str
    form: str  # "" a switch, "=" a value, "=*" many, "=?" a value only when attached
    refused: bool


def _flags(spec: str) -> dict[str, _Flag]:
    table: dict[str, _Flag] = {}
    for word in spec.split():
        refused, word = word.startswith("!"), word.lstrip("!")
        short, comma, rest = word.partition(",")
        name, equals, form = (rest if comma else word).partition("=")
        flag = _Flag(name=name, form=equals + form, refused=refused)
        table[f"--{name}"] = flag
        if comma:
            table[f"-{short}"] = flag
    return table


def parse(argv: Sequence[str]) -> Command:
    """Read a command line; global flags may stand before or after the command.

    Raises:
        EngineError: a command or flag that is unknown, not supported, or lacks its value.
    """
    head = list(argv[: argv.index("--")]) if "--" in argv else list(argv)
    tail = list(argv[len(head) + 1 :])
    queue, name = _command(head)
    table = _flags(f"{GLOBAL} {COMMANDS[name]}")
    flags: dict[str, Any] = {}
    arguments: list[str] = []
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        key, attached, value = _split(word, table)
        flag = table.get(key)
        if len(key) == 2 and value and not attached:
            # Short switches may be written together: -yf.
            queue.insert(0, f"-{value}")
        if flag is None:
            dashes = "flag" if key.startswith("--") else "shorthand flag"
            raise EngineError(f"unknown {dashes}: {key}")
        if flag.refused:
            raise not_supported(f"--{flag.name} of `pulumi {name}`")
        if flag.form in ("=", "=*") and not attached:
            if not queue:
                raise EngineError(f"flag needs an argument: {key}")
            value = queue.pop(0)
        if flag.form == "=*":
            flags.setdefault(flag.name, []).append(value)
        else:
            flags[flag.name] = value if attached or flag.form == "=" else True
    return Command(name=name, flags=flags, arguments=(*arguments, *tail))


def _split(word: str, table: dict[str, _Flag]) -> tuple[str, bool, str]:
    if word.startswith("--"):
        key, equals, value = word.partition("=")
        return key, bool(equals), value
    key, rest = word[:2], word[2:]
    flag = table.get(key)
    takes = flag is not None and flag.form in ("=", "=*")
    return key, bool(rest) and (takes or rest.startswith("=")), rest.removeprefix("=")


def _command(words: list[str]) -> tuple[list[str], str]:
    """Find the command among the words, and return the other words with it."""
    rest: list[str] = []
    name = ""
    table = _flags(GLOBAL)
    queue = list(words)
    while queue:
        word = queue[0]
        if word.startswith("-"):
            rest.append(queue.pop(0))
            flag = {**table, **_flags(COMMANDS.get(name, ""))}.get(_split(word, table)[0])
            if (
                flag is not None
                and flag.form in ("=", "=*")
                and not _split(word, table)[1]
                and queue
            ):
                rest.append(queue.pop(0))
            continue
        candidate = f"{name} {word}".strip()
        candidate = ALIASES.get(candidate, candidate)
        if candidate.replace(" ", "-") in REFUSED:
            raise not_supported(f"`pulumi {candidate}`")
        if candidate not in COMMANDS and candidate not in GROUPS:
            if name in GROUPS or not name:
                where = f"pulumi {name}".strip()
                raise EngineError(
                    f'unknown command "{word}" for "{where}"\nRun \'{where} --help\' for usage.'
                )
            break
        name = candidate
        queue.pop(0)
        if name not in GROUPS:
            break
    if name not in COMMANDS:
        if name:
            raise EngineError(f"`pulumi {name}` needs one of its commands: {_children(name)}")
        name = "version" if "--version" in rest else "help"
        rest = [word for word in rest if word != "--version"]
    return rest + queue, name


def _children(name: str) -> str:
    return ", ".join(key[len(name) + 1 :] for key in COMMANDS if key.startswith(f"{name} "))
