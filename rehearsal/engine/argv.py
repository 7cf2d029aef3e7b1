"""The command line: one table of commands with their flags, and the parser that reads it.

Everything the official CLI takes is in the table, so that what this engine lacks is refused by
name and what nobody knows is called unknown. In a flag list `=` takes a value, `=*` one that may
be repeated, `=?` one only when attached (`--flag=value`); `x,` before a name is its short form and
a leading `!` marks what is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.errors import EngineError, not_supported

_GLOBAL = """color= C,cwd= non-interactive h,help Q,fully-qualify-stack-names s,stack= !logflow
    !logtostderr !v,verbose= !disable-integrity-checking !e,emoji !memprofilerate= !profiling=
    !tracing= !otel-traces= """
_PROGRAM = """config-file= d,debug diff j,json m,message= p,parallel= r,refresh=? suppress-outputs
    suppress-permalink=? suppress-progress t,target=* target-dependents run-program=? client=
    exec-kind= exec-agent= event-log= skip-plugin-pre-install expect-no-changes !show-secrets=?
    !attach-debugger=? !c,config= !config-path !x,exclude= !exclude-dependents !ignore-protect !neo
    !override-env= !policy-pack= !policy-pack-config= !show-config !show-full-output
    !show-policy-remediations !show-reads !show-replacement-steps !show-sames !urns !remote !plan=
    !skip-config-validation !strict !save-plan= !import-file= """
# Named as the Automation API names them.
COMMANDS = {
    "": "!version",
    "version": "",
    "whoami": "j,json v,verbose !output=",
    "login": "c,cloud-url= l,local !default-org= !insecure !interactive !oidc-token=",
    "stack": "show-name !i,show-ids u,show-urns show-secrets=? !output=",
    "stack init": "secrets-provider= no-select y,yes !copy-config-from= !teams=",
    "stack select": "c,create secrets-provider=",
    "stack unselect": "",
    "stack ls": "j,json a,all !o,organization= !p,project= !t,tag= !output=",
    "stack rm": "y,yes f,force preserve-config remove-backups",
    "stack rename": "",
    "stack output": "j,json show-secrets=? !shell",
    "stack export": "file= show-secrets=? !version=",
    "stack import": "file= f,force",
    "stack history": "j,json show-secrets=? page-size= page= !full-dates !output=",
    "stack tag ls": "j,json !output=",
    "stack tag get": "",
    "stack tag set": "",
    "stack tag rm": "",
    "config": "config-file= j,json show-secrets=? !open=?",
    "config get": "config-file= j,json path !open=?",
    "config set": "config-file= path plaintext secret !raw !type=",
    "config set-all": "config-file= path plaintext=* secret=* !json=",
    "config rm": "config-file= path",
    "config rm-all": "config-file= path",
    "up": _PROGRAM + "replace=* target-replace=* continue-on-error y,yes f,skip-preview",
    "preview": _PROGRAM + "replace=* target-replace=*",
    "refresh": _PROGRAM + "y,yes f,skip-preview preview-only clear-pending-creates",
    "destroy": _PROGRAM
    + "continue-on-error y,yes f,skip-preview preview-only exclude-protected remove",
    "cancel": "y,yes",
    "state delete": "y,yes force target-dependents !all",
    "state unprotect": "y,yes all",
    "plugin ls": "j,json p,project !output=",
    "install": "no-dependencies no-plugins parallel= reinstall use-language-version-tools",
}
GROUPS = ("", "stack", "stack tag", "config", "state", "plugin")
_ALIASES = """update=up pre=preview down=destroy dn=destroy stack_new=stack_init
    stack_create=stack_init stack_list=stack_ls stack_remove=stack_rm stack_delete=stack_rm
    stack_hist=stack_history stack_tag_list=stack_tag_ls config_remove=config_rm
    config_delete=config_rm config_remove-all=config_rm-all state_rm=state_delete
    state_remove=state_delete plugin_list=plugin_ls"""
ALIASES = dict(pair.replace("_", " ").split("=") for pair in _ALIASES.split())
_REFUSED = """about new import logs logout watch convert console template env org project deployment
    api insights do policy schema package gen-completion neo ai plugin_install plugin_rm
    plugin_remove plugin_run stack_graph stack_change-secrets-provider stack_migrate stack_drift
    stack_schedule stack_webhook config_env config_cp config_copy config_refresh state_move
    state_protect state_rename state_repair state_taint state_untaint state_upgrade state_get
    state_edit"""
REFUSED = frozenset(word.replace("_", " ") for word in _REFUSED.split())


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

    def all(self, flag: str) -> tuple[str, ...]:
        """Return the values of a flag that may be given more than once."""
        return tuple(self.flags.get(flag, ()))

    def on(self, flag: str) -> bool:
        """Say whether a switch is on.

        Raises:
            EngineError: it was given a value that is neither true nor false.
        """
        value = str(self.flags.get(flag, "false")).lower()
        if value not in ("true", "false"):
            raise EngineError(f"invalid argument {value!r} for --{flag}; use true or false")
        return value == "true"


def _flags(name: str) -> dict[str, tuple[str, str, bool]]:
    """Map `--flag` and `-f` to the flag's name, form and whether it is refused."""
    table = {}
    for word in (_GLOBAL + COMMANDS.get(name, "")).split():
        short, comma, long = word.lstrip("!").rpartition(",")
        flag, equals, form = long.partition("=")
        table[f"--{flag}"] = table[f"-{short}" if comma else ""] = (
            flag, equals + form, word[0] == "!",
        )  # fmt: skip
    return table


def parse(argv: Sequence[str]) -> Command:
    """Read a command line; global flags may stand before or after the command.

    Raises:
        EngineError: a command or flag that is unknown, not supported, or lacks its value.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    queue, command, table = list(argv[:end]), Command(), _flags("")
    arguments: list[str] = []
    while queue:
        word = queue.pop(0)
        if word.startswith("-") and word != "-":
            _take_flag(command, table, word, queue)
        elif command.name in GROUPS and not arguments:
            command.name = _longer_name(command.name, word)
            table = _flags(command.name)
        else:
            arguments.append(word)
    command.arguments = (*arguments, *argv[end + 1 :])
    if command.name not in COMMANDS:
        known = [name for name in COMMANDS if name.startswith(f"{command.name} ")]
        raise EngineError(f"`pulumi {command.name}` needs one of its commands: {', '.join(known)}")
    return command


def _longer_name(name: str, word: str) -> str:
    longer = f"{name} {word}".strip()
    longer = ALIASES.get(longer, longer)
    if longer in REFUSED:
        raise not_supported(f"`pulumi {longer}`")
    if longer not in COMMANDS and longer not in GROUPS:
        where = f"pulumi {name}".strip()
        usage = f"Run '{where} --help' for usage."
        raise EngineError(f'unknown command "{word}" for "{where}"\n{usage}')
    return longer


def _take_flag(
    command: Command, table: dict[str, tuple[str, str, bool]], word: str, queue: list[str]
) -> None:
    if word.startswith("--"):
        key, attached, value = word.partition("=")
    else:
        key, value = word[:2], word[2:]
        attached = value[:1]
        value = value.removeprefix("=")
    if key not in table:
        raise EngineError(f"unknown {'' if key[:2] == '--' else 'shorthand '}flag: {key}")
    name, form, refused = table[key]
    if refused:
        raise not_supported(f"--{name} of `pulumi {command.name}`")
    if not key.startswith("--") and attached not in ("", "=") and form not in ("=", "=*"):
        # Short switches may be written together: -yf.
        queue.insert(0, f"-{value}")
        attached = ""
    if form in ("=", "=*") and not attached:
        if not queue:
            raise EngineError(f"flag needs an argument: {key}")
        attached, value = "=", queue.pop(0)
    if form == "=*":
        command.flags.setdefault(name, []).append(value)
    else:
        command.flags[name] = value if attached else "true"
