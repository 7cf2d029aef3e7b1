"""Decides what must be done about one registration: nothing, create, update, replace or read."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.engine.deletes import needs
from rehearsal.engine.diff import Diff, equal, ignore_changes, structural_diff
from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.provider_errors import DiffUnavailableError, ProviderError
from rehearsal.engine.registry import provider_inputs
from rehearsal.engine.requests import Goal
from rehearsal.engine.run import Bail, Run
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step
from rehearsal.engine.urn import name_of, parse_reference
from rehearsal.engine.values import Secret, encode, unwrap_secrets


@dataclass(kw_only=True)
class _Case:
    """One registration while it is being decided; `wanted` are the inputs as the program gave
    them."""

    goal: Goal
    old: Resource | None
    wanted: dict[str, Any]
    server: Any
    seed: bytes

    @property
    def new(self) -> Resource:
        return self.goal.state


@dataclass(kw_only=True)
class Planner:
    """Turns registrations into steps; one at a time, under the run's lock.

    `seen` are the URNs the program registered or read.
    """

    run: Run
    seen: set[str] = field(default_factory=set)

    def plan(self, goal: Goal) -> list[Step]:
        """Return the steps that make the world what the program wants of one resource.

        Raises:
            Bail: the registration is invalid; everything wrong with it was reported.
            EngineError: it needs what this engine does not do, or the provider failed.
        """
        new = goal.state
        old = self._claim(new.urn)
        for alias in goal.aliases:
            if old is None and alias in self.run.olds:
                raise not_supported(f"an alias that renames ({alias} to {new.urn})")
        server = self.run.provider_of(new)
        seed = secrets.token_bytes(32)
        case = _Case(goal=goal, old=old, wanted=new.inputs, server=server, seed=seed)
        if old is None or old.external:
            self._check(case, {}, case.wanted)
            if old is None:
                return [Step(op="create", urn=new.urn, new=new)]
            step = Step(op="create-replacement", urn=new.urn, old=old, new=new, keeps_old=True)
            return [step, replace(step, op="replace")]
        new.created, new.modified = old.created, old.modified
        self._check(case, old.inputs, self._without_ignored(new, old))
        diff = self._compare(case, old)
        if old.pending_replacement or (diff.changed and diff.replaces):
            return self._replace(case, old, diff)
        step = Step(op="same", urn=new.urn, old=old, new=new)
        if diff.changed or old.init_errors:
            step.op, step.changed_keys, step.detailed = "update", diff.changed_keys, diff.detailed
        return [step]

    def plan_read(self, new: Resource) -> list[Step]:
        """Return the steps that read a resource that someone else owns."""
        old = self._claim(new.urn)
        if not new.id:
            raise EngineError(f"Expected an ID for {new.urn}")
        step = Step(op="read", urn=new.urn, old=old, new=new)
        if old is None or old.external or old.id == new.id:
            return [step]
        return [replace(step, op="read-replacement"), replace(step, op="replace")]

    def _claim(self, urn: str) -> Resource | None:
        """Take a URN for one registration, and return what it was before this run."""
        if urn in self.seen:
            raise EngineError(f"Duplicate resource URN '{urn}'; try giving it a unique name")
        self.seen.add(urn)
        return self.run.olds.get(urn)

    def _without_ignored(self, new: Resource, old: Resource) -> dict[str, Any]:
        wanted, impossible = ignore_changes(new.inputs, old.inputs, new.ignore_changes)
        if impossible:
            paths = ", ".join(impossible)
            message = f'cannot ignore changes in added or removed elements of the path: "{paths}"'
            self.run.reporter.diagnostic(message, "info", new.urn)
        return wanted

    def _check(self, case: _Case, olds: dict[str, Any], wanted: dict[str, Any]) -> None:
        new, server = case.new, case.server
        new.inputs = dict(wanted)
        if server is None:
            return
        if not hasattr(server, "check"):
            raise ProviderError(f"resources of type {new.type!r} can't be created by a program")
        new.inputs, failures = server.check(new.urn, olds, new.inputs, case.seed)
        title = f"{new.type} resource '{name_of(new.urn)}'"
        for key, reason in failures:
            shown = f": property {key} value {_shown(wanted.get(key))}" if key else ""
            self.run.error(f"{title}{shown} has a problem: {reason}", new.urn)
        if failures:
            raise Bail(f"resource {new.urn} is invalid")

    def _compare(self, case: _Case, old: Resource) -> Diff:
        new = case.new
        if self._provider_changed(old, new):
            return Diff(changed=True, replace_keys=("provider",))
        try:
            return compare(case.server, old, new.inputs, new.ignore_changes)
        except DiffUnavailableError as error:
            self.run.reporter.diagnostic(str(error), "warning", new.urn)
            return Diff(changed=True)

    def _provider_changed(self, old: Resource, new: Resource) -> bool:
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        old_urn, new_urn = parse_reference(old.provider)[0], parse_reference(new.provider)[0]
        provider: Any = self.run.registry.get(new.provider)
        before, after = self.run.olds.get(old_urn), self.run.news.get(new_urn)
        if before is None or after is None or not hasattr(provider, "diff_config"):
            return False
        diff = provider.diff_config(
            new_urn, provider_inputs(before.inputs), before.outputs, provider_inputs(after.inputs)
        )
        return diff is not None and diff.replaces

    def _replace(self, case: _Case, old: Resource, diff: Diff) -> list[Step]:
        new, run = case.new, self.run
        if new.protect and old.protect:
            text = run.error(
                f'unable to replace resource "{new.urn}"\nas it is currently marked for '
                "protection. To unprotect the resource, remove the `protect` flag from the "
                "resource in your Pulumi program and run `pulumi up`",
                new.urn,
            )
            if not run.dry_run:
                raise Bail(text)
            run.step_failed = True
        # The first check carried the old name over; a replacement needs one of its own.
        self._check(case, {}, case.wanted)
        first = case.goal.delete_before_replace
        first = diff.delete_before_replace if first is None else first
        create = Step(
            op="create-replacement",
            urn=new.urn,
            old=old,
            new=new,
            keys=diff.replace_keys,
            changed_keys=diff.changed_keys,
            detailed=diff.detailed,
            keeps_old=not first,
        )
        both = replace(create, op="replace")
        if not first:
            return [create, both]
        self._refuse_dependents(old)
        run.ensure_provider(old.provider)
        delete = Step(op="delete-replaced", urn=new.urn, old=old, deletes_first=True)
        return [both, create] if old.pending_replacement else [delete, both, create]

    def _refuse_dependents(self, old: Resource) -> None:
        for other in self.run.snapshot.base:
            if other is not old and old.urn in needs(other):
                raise not_supported(
                    f"deleting {old.urn} before it is replaced, while {other.urn} depends on it,"
                )


def compare(server: Any, old: Resource, news: dict[str, Any], ignored: list[str]) -> Diff:
    """Ask what serves a resource what changed; where nobody knows, compare the inputs."""
    if not hasattr(server, "diff"):
        return Diff(changed=not equal(old.inputs, news))
    diff: Diff | None = server.diff(old.urn, old, news, ignored)
    if diff is not None:
        return diff
    kept, _ = ignore_changes(news, old.inputs, ignored)
    return structural_diff(unwrap_secrets(old.inputs), unwrap_secrets(kept))


def _shown(value: Any) -> str:
    """Write a value as the official engine does in its messages, which is how Go prints it."""
    if isinstance(value, Secret):
        return "{&{[secret]}}"
    if isinstance(value, dict):
        members = " ".join(f"{key}:{_shown(item)}" for key, item in sorted(value.items()))
        return f"{{map[{members}]}}"
    if isinstance(value, list):
        return "{[" + " ".join(map(_shown, value)) + "]}"
    shown = json.dumps(value) if isinstance(value, bool) else encode(value)
    return f"{{{'<nil>' if shown is None else shown}}}"
