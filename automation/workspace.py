"""Opens stacks through the standard Automation API, each from a folder of its own.

The program is the one in the repository's root. The folder holds a `Pulumi.yaml` that points to it
(`main`) and the stack's settings as the driver assembled them. That keeps the repository's own
files, comments included, as people wrote them, keeps a rehearsal's encryption salt out of them, and
keeps stacks that are driven at the same time from sharing Pulumi's per-project selection file. By
hand it is `pulumi -C <folder> <command> --stack <name>`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation.errors import (
    SettingsProblemError,
    SetupError,
    StackBusyError,
    StackError,
    StackNotFoundError,
    UpdateFailedError,
)

if TYPE_CHECKING:
    from pulumi.automation import Stack

REHEARSAL_VARIABLE = "GREENLIGHT_REHEARSAL"
# Without a service in the back end, Pulumi knows one organization by this name.
LOCAL_ORGANIZATION = "organization"
# Members of a stack's file beside its config; what decrypts the config's secrets.
SECRETS_MEMBERS = ("secretsprovider", "encryptionsalt", "encryptedkey")
ERROR_TAIL_LINES = 12


def stack_folder(root: Path, stack: str) -> Path:
    """Where a stack's generated project and settings files are."""
    rehearsal = os.environ.get(REHEARSAL_VARIABLE)
    parent = root / "build" if rehearsal is None else Path(rehearsal)
    return parent / "stacks" / stack


def base_file(root: Path, stage: str) -> dict[str, Any]:
    """Read a base stack's own settings file.

    Raises:
        SettingsProblemError: it is missing or not YAML.
    """
    import yaml

    path = root / f"Pulumi.{stage}.yaml"
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as err:
        raise SettingsProblemError(
            f"the base stack's settings {path.name} cannot be read: {err}"
        ) from err
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        raise SettingsProblemError(f"{path.name} has no config; it holds the base stack's settings")
    return document


def check_setup() -> None:
    """Check that there is an engine to run and an account to run it against.

    Raises:
        SetupError: the Pulumi command or credentials are missing.
    """
    rehearse = "run this inside a rehearsal: `greenlight rehearsal run -- greenlight ...`"
    if shutil.which("pulumi") is None:
        raise SetupError(
            f"no pulumi command is on PATH; {rehearse}, or install the Pulumi CLI "
            "(https://www.pulumi.com/docs/iac/download-install/)"
        )
    import boto3

    if boto3.Session().get_credentials() is None:
        raise SetupError(
            f"no AWS credentials were found; {rehearse}, or set a profile "
            "(`aws configure`, AWS_PROFILE) for a real account"
        )


def write_folder(
    root: Path, stack: str, config: Mapping[str, object], secrets: Mapping[str, object]
) -> Path:
    """Write a stack's project and settings files.

    Args:
        config: the stack's whole config, with namespaces.
        secrets: the base stack's `SECRETS_MEMBERS`; used when the stack has none of its own yet.
    """
    import yaml

    folder = stack_folder(root, stack)
    folder.mkdir(parents=True, exist_ok=True)
    _write_project(root, folder)
    path = folder / f"Pulumi.{stack}.yaml"
    kept = yaml.safe_load(path.read_text()) if path.is_file() else {}
    own = {name: kept[name] for name in SECRETS_MEMBERS if name in kept}
    document = {**(own if own else secrets), "config": dict(config)}
    path.write_text(yaml.safe_dump(document, sort_keys=True))
    return folder


def base_secrets(document: Mapping[str, Any]) -> dict[str, object]:
    """Return what decrypts a base stack's secrets, if it has any; a salt alone only hinders."""
    encrypted = any(
        isinstance(value, Mapping) and "secure" in value for value in document["config"].values()
    )
    if not encrypted and "secretsprovider" not in document:
        return {}
    return {name: document[name] for name in SECRETS_MEMBERS if name in document}


def open_stack(root: Path, stack: str, *, create: bool = False) -> Stack:
    """Select a stack, from its folder.

    Args:
        create: make the stack when there is none yet.

    Raises:
        StackNotFoundError: there is none, and it is not to be made.
    """
    from pulumi import automation

    folder = stack_folder(root, stack)
    if not (folder / "Pulumi.yaml").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _write_project(root, folder)
    with pulumi_errors(stack, folder):
        if create:
            return automation.create_or_select_stack(stack, work_dir=str(folder))
        return automation.select_stack(stack, work_dir=str(folder))


def organization_of(stack: Stack) -> str:
    """Name the organization that stacks of this back end belong to."""
    with pulumi_errors(stack.name, Path(stack.workspace.work_dir)):
        who = stack.workspace.who_am_i()
        if who.url is None or not who.url.startswith("http"):
            return LOCAL_ORGANIZATION
        if who.organizations is not None and len(who.organizations) > 1:
            return stack.workspace.org_get_default()
        return who.user


@contextmanager
def pulumi_errors(stack: str, folder: Path) -> Iterator[None]:
    """Turn what the Automation API raises into greenlight's own errors.

    Raises:
        StackNotFoundError: there is no stack of that name.
        StackBusyError: another update holds the stack's lock.
        UpdateFailedError: anything else the engine ends with.
    """
    from pulumi.automation import errors

    try:
        yield
    except errors.StackNotFoundError as err:
        raise StackNotFoundError(
            f"stack {stack} does not exist; make it with `greenlight up`"
        ) from err
    except errors.ConcurrentUpdateError as err:
        raise StackBusyError(
            f"stack {stack} is locked by another update{_lock_owner(str(err))}: wait for it "
            f"(`greenlight watch` shows it), or, when its process is dead, free the stack with "
            f"`pulumi -C {folder} cancel --yes --stack {stack}`"
        ) from err
    except errors.InvalidVersionError as err:
        raise SetupError(f"the pulumi command on PATH cannot be used: {err}") from err
    except errors.CommandError as err:
        raise UpdateFailedError(f"stack {stack}: {failure_text(str(err))}") from err


def failure_text(text: str) -> str:
    """Cut what a failed command said down to its error lines; without any, to its end."""
    # The Automation API puts the name of the stream before a stream's first line.
    unnamed = (re.sub(r"^\s*(?:stdout|stderr): ", "", line) for line in text.splitlines())
    lines = [line for line in unnamed if line.strip()]
    errors = [line.strip() for line in lines if "error:" in line]
    return "\n".join((errors if errors else lines)[-ERROR_TAIL_LINES:])


def outputs_of(stack: Stack) -> dict[str, Any]:
    """Return a stack's outputs as plain values."""
    with pulumi_errors(stack.name, Path(stack.workspace.work_dir)):
        return {name: output.value for name, output in stack.outputs().items()}


def stack_short_name(name: str) -> str:
    """Drop organization and project of a stack's name."""
    return name.rpartition("/")[2]


def _write_project(root: Path, folder: Path) -> None:
    import yaml

    try:
        project = yaml.safe_load((root / "Pulumi.yaml").read_text())
    except (OSError, yaml.YAMLError) as err:
        raise StackError(
            f"{root / 'Pulumi.yaml'} cannot be read ({err}); run greenlight in its own project"
        ) from err
    runtime = project.get("runtime")
    if isinstance(runtime, dict):
        options = runtime.get("options", {})
        if "virtualenv" in options:
            options["virtualenv"] = str(root / options["virtualenv"])
    text = yaml.safe_dump({**project, "main": str(root)}, sort_keys=False)
    (folder / "Pulumi.yaml").write_text(text)


def _lock_owner(text: str) -> str:
    owners = [line.strip() for line in text.splitlines() if "created by" in line]
    return f" ({owners[0]})" if owners else ""
