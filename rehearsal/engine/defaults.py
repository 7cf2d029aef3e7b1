"""Default providers: made by the engine when a program uses a package without saying which
provider."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rehearsal.engine.errors import EngineError
from rehearsal.engine.executor import Executor
from rehearsal.engine.planner import Planner
from rehearsal.engine.provider_host import DYNAMIC_PACKAGE
from rehearsal.engine.requests import Goal
from rehearsal.engine.run import Run
from rehearsal.engine.state import Resource
from rehearsal.engine.urn import PROVIDER_PREFIX, make_urn
from rehearsal.engine.values import Secret

if TYPE_CHECKING:
    from rehearsal.engine.operation import Target


class DefaultProviders:
    """One provider resource for each package and version, registered when it is first needed."""

    def __init__(self, run: Run, target: Target, planner: Planner, executor: Executor) -> None:
        self._run, self._target = run, target
        self._planner, self._executor = planner, executor
        self._references: dict[tuple[str, str], str] = {}

    def reference(self, package: str, version: str) -> str:
        """Return the reference of the default provider; the caller holds the run's lock.

        Raises:
            EngineError: the stack's configuration forbids default providers for the package.
        """
        known = self._references.get((package, version))
        if known is not None:
            return known
        text = self._target.config.get("pulumi:disable-default-providers", "")
        disabled = json.loads(text) if text else []
        if package != "pulumi" and (package in disabled or "*" in disabled):
            raise EngineError(
                f"Default provider for '{package}' disabled: pass an explicit provider to its "
                "resources, or change the configuration value pulumi:disable-default-providers"
            )
        name = "default" + ("_" + re.sub(r"[.+-]", "_", version) if version else "")
        inputs = self._inputs(package)
        if version:
            inputs |= {"version": version, "__internal": {}}
        kind = PROVIDER_PREFIX + package
        urn = make_urn(self._target.stack, self._target.project, "", kind, name)
        state = Resource(urn=urn, type=kind, custom=True, inputs=inputs)
        self._executor.execute(self._planner.plan(Goal(state=state)))
        self._references[package, version] = f"{urn}::{state.id}"
        return self._references[package, version]

    def _inputs(self, package: str) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        for key, text in self._target.config.items():
            namespace, _, name = key.partition(":")
            value = Secret(text) if key in self._target.config_secret_keys else text
            if package == DYNAMIC_PACKAGE:
                inputs[key] = value
            elif namespace == package:
                inputs[name] = value
        return inputs
