"""Where a command works: the project, back end, stack and secrets its flags name."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from rehearsal.engine.argv import Command
from rehearsal.engine.backend import Backend, Store, write_atomically
from rehearsal.engine.config import StackConfig
from rehearsal.engine.errors import EngineError, LoginError, not_supported
from rehearsal.engine.project import Project, bare_stack_name, find_project, pulumi_home, selection
from rehearsal.engine.secrets import Crypter, new_salt
from rehearsal.engine.state import Deployment, deployment_from_json, deployment_to_json


class Workplace:
    """Finds each thing at its first use, so that a command touches only what it needs."""

    def __init__(self, command: Command, environ: Mapping[str, str], folder: Path) -> None:
        self.command, self.environ = command, environ
        self.folder = (folder / (command.text("cwd") or "")).absolute()
        if not self.folder.is_dir():
            raise EngineError(f"--cwd {self.folder} is not a folder")

    @cached_property
    def project(self) -> Project:
        """The project of the working folder."""
        return find_project(self.folder)

    @cached_property
    def backend(self) -> Backend:
        """The back end in force: the environment's or that of the last login."""
        url = self.environ.get("PULUMI_BACKEND_URL")
        credentials = pulumi_home(self.environ) / "credentials.json"
        if not url and credentials.is_file():
            url = json.loads(credentials.read_bytes()).get("current")
        if not url:
            raise LoginError("nobody is logged in; set PULUMI_BACKEND_URL=file://<folder>")
        return Backend(url)

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
        """The own name of the stack that is selected, whether it exists or not."""
        name = self.environ.get("PULUMI_STACK")
        if not name:
            name = selection(self.project, self.environ)[1].get(self.backend.url)
        return name and name.split("/")[-1]

    def select(self, store: Store | None) -> None:
        """Remember the stack, or forget it."""
        file, stacks = selection(self.project, self.environ)
        stacks.pop(self.backend.url, None)
        if store is not None:
            stacks[self.backend.url] = store.full_name
        write_atomically(file, {"stacks": stacks})

    def named(self, name: str) -> Store:
        """Return the files of one of the project's stacks."""
        return Store(self.backend, self.project.name, bare_stack_name(name, self.project.name))

    @cached_property
    def store(self) -> Store:
        """The files of the stack, which must exist."""
        return self.named(self.stack).require()

    def chosen(self) -> Store:
        """Return the files of the stack that an argument names, or else of the one in force."""
        name = self.command.arguments[0] if self.command.arguments else self.stack
        self.store = self.named(name)
        return self.store

    @cached_property
    def config(self) -> StackConfig:
        """The settings file of the stack."""
        file = self.project.file.with_name(f"Pulumi.{self.store.stack}.yaml")
        return StackConfig(file, self.project.name)

    @cached_property
    def crypter(self) -> Crypter:
        """What the stack's configuration is encrypted with; a stack without a salt gets one."""
        if self.config.salt is None:
            self.config.salt = new_salt(self.environ)
            self.config.save()
        return Crypter(self.config.salt, self.environ)

    def check_passphrase(self, problem: str) -> None:
        """Fail now, and say at what, if the passphrase is absent or wrong."""
        try:
            self.crypter.check()
        except EngineError as err:
            raise EngineError(f"{problem}: {err}") from err

    def state_crypter(self, latest: Mapping[str, Any]) -> Crypter:
        """What a state is encrypted with; its salt may be another than the configuration's."""
        provider = latest.get("secrets_providers") or {}
        if provider.get("type", "passphrase") != "passphrase":
            raise not_supported(f"secrets provider {provider['type']!r} (allowed: passphrase)")
        salt = provider.get("state", {}).get("salt")
        known = salt is None or salt == self.config.salt
        return self.crypter if known else Crypter(salt, self.environ)

    def deployment(self) -> tuple[Deployment, Crypter]:
        """Read the stack's state, and what de- and encrypts it."""
        latest = self.store.read()
        crypter = self.state_crypter(latest)
        return deployment_from_json(latest, crypter.decrypt), crypter

    def save(self, deployment: Deployment, crypter: Crypter) -> None:
        """Write the stack's state."""
        provider = {"type": "passphrase", "state": {"salt": crypter.salt}}
        document = deployment_to_json(deployment, crypter.state_secret, secrets_provider=provider)
        self.store.write(document)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        return terminal and not self.command.on("non-interactive")

    def confirm(self, what: str) -> None:
        """Have a person type the stack's name, unless `--yes` was given.

        Raises:
            EngineError: there is no person, or they typed something else.
        """
        if self.command.on("yes"):
            return
        if not self.interactive:
            raise EngineError("non-interactive mode requires --yes flag")
        print(f"This will {what}!\nPlease confirm by typing `{self.store.stack}`: ", end="")
        if input().strip() != self.store.stack:
            raise EngineError("confirmation declined")
