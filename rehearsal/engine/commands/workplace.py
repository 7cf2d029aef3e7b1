"""Where a command works: the project, back end, stack and secrets its flags name."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Backend, Store, backend_url
from rehearsal.engine.config import StackConfig
from rehearsal.engine.errors import EngineError, StackNotFoundError
from rehearsal.engine.project import (
    Project,
    bare_stack_name,
    find_project,
    select_stack,
    selected_stack,
)
from rehearsal.engine.secrets import Crypter, new_salt
from rehearsal.engine.state import Deployment, deployment_from_json, deployment_to_json


class Workplace:
    """Finds each thing at its first use, so that a command touches only what it needs."""

    def __init__(self, command: Command, environ: Mapping[str, str], folder: Path) -> None:
        self.command, self.environ = command, environ
        self.folder = folder / command.flags.get("cwd", "")
        if not self.folder.is_dir():
            raise EngineError(f"--cwd {self.folder} is not a folder")

    @cached_property
    def project(self) -> Project:
        """The project of the working folder."""
        return find_project(self.folder.absolute())

    @cached_property
    def backend(self) -> Backend:
        """The back end in force; commands that need no project may run outside of one."""
        try:
            wanted = self.project.backend_url
        except EngineError:
            wanted = None
        return Backend(backend_url(self.environ, wanted))

    @cached_property
    def stack(self) -> str:
        """The stack's own name, from `--stack` or the selection."""
        name = self.command.text("stack") or self.selected
        if name is None:
            raise EngineError(
                "no stack selected; please use `pulumi stack select` or `pulumi stack init` to "
                "choose one"
            )
        return bare_stack_name(name, self.project.name)

    @property
    def selected(self) -> str | None:
        """The stack that is selected, whether it exists or not."""
        return selected_stack(self.project, self.backend.url, self.environ)

    @cached_property
    def store(self) -> Store:
        """The files of the stack.

        Raises:
            StackNotFoundError: there is no such stack.
        """
        store = self.backend.store(self.project.name, self.stack)
        if not store.exists():
            raise StackNotFoundError(f"no stack named '{self.stack}' found")
        return store

    @cached_property
    def config(self) -> StackConfig:
        """The settings file of the stack, or the one `--config-file` names."""
        file = self.command.text("config-file")
        return StackConfig(
            self.project, self.store.stack, None if file is None else self.folder / file
        )

    @cached_property
    def crypter(self) -> Crypter:
        """What the stack's configuration is encrypted with; a stack without a salt gets one."""
        if self.config.salt is None:
            self.config.salt = new_salt(self.environ)
            self.config.save()
        return Crypter(str(self.config.salt), self.environ)

    def state_crypter(self, latest: Mapping[str, Any]) -> Crypter:
        """What the stack's state is encrypted with; its salt may be another than the "
        "configuration's.

        Raises:
            EngineError: another secrets provider.
        """
        provider = latest.get("secrets_providers")
        if not provider:
            return self.crypter
        if provider.get("type") != "passphrase":
            raise EngineError(
                f"secrets provider {provider.get('type')!r} is not supported by the rehearsal "
                "engine, which knows "
                "passphrase only; use the official CLI"
            )
        salt = provider["state"]["salt"]
        return self.crypter if salt == self.config.salt else Crypter(salt, self.environ)

    def deployment(self) -> tuple[Deployment, Crypter]:
        """Read the stack's state, decrypted when first needed, and what decrypts it."""
        latest = self.store.read()
        crypter = self.state_crypter(latest)
        return deployment_from_json(latest, crypter.decrypt), crypter

    def save(self, deployment: Deployment, crypter: Crypter) -> None:
        """Write the stack's state."""
        self.store.write(
            deployment_to_json(
                deployment, crypter.state_secret, secrets_provider=secrets_provider(crypter)
            )
        )

    def create_stack(self, name: str, *, select: bool) -> None:
        """Make an empty stack.

        Raises:
            EngineError: it exists, or the passphrase is absent or wrong.
        """
        provider = self.command.text("secrets-provider")
        if provider not in (None, "", "default", "passphrase"):
            raise EngineError(
                f"secrets provider {provider!r} is not supported by the rehearsal engine "
                "(allowed: passphrase), "
                "use the official CLI"
            )
        store = self.backend.store(self.project.name, name)
        if store.exists():
            raise EngineError(f"stack '{store.full_name}' already exists")
        self.__dict__["store"] = store
        try:
            self.crypter.check()
        except EngineError as err:
            raise type(err)(f"could not create secrets manager for new stack: {err}") from err
        self.save(Deployment(), self.crypter)
        if select:
            self.select(name)
        print(f"Created stack '{name}'", file=sys.stderr)

    def select(self, name: str | None) -> None:
        """Remember the stack, or forget it."""
        select_stack(self.project, self.backend.url, name, self.environ)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return (
            not self.command.on("non-interactive")
            and sys.stdin.isatty()
            and sys.stdout.isatty()
            and not os.environ.get("CI")
        )

    def confirm(self, what: str) -> None:
        """Have a person type the stack's name, unless `--yes` was given.

        Raises:
            EngineError: there is no person, or they typed something else.
        """
        if self.command.on("yes"):
            return
        if not self.interactive:
            raise EngineError("non-interactive mode requires --yes flag")
        print(
            f"This will {what}!\nPlease confirm that this is what you'd like to do by typing "
            f"`{self.stack}`: ",
            end="",
        )
        if input().strip() != self.stack:
            raise EngineError("confirmation declined")


def secrets_provider(crypter: Crypter) -> dict[str, Any]:
    """Say in the state how its secrets were made."""
    return {"type": "passphrase", "state": {"salt": crypter.salt}}
