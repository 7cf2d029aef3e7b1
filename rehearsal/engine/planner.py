"""Decides what must be done about one registration: nothing, create, update, replace, read or
import."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from rehearsal.engine.diff import (
    Diff,
    equal,
    ignore_changes,
    replace_on_changes,
)
from rehearsal.engine.executor import Executor
from rehearsal.engine.goal import Goal, expand_aliases, state_from_goal
from rehearsal.engine.provider_client import Failures
from rehearsal.engine.provider_errors import DiffUnavailableError, ProviderError
from rehearsal.engine.registry import provider_inputs
from rehearsal.engine.replacement import ReplacementPlan, Server, compare, dependents_to_replace
from rehearsal.engine.run import Bail, Run
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step
from rehearsal.engine.urn import is_provider, make_urn, name_of, parse_reference
from rehearsal.engine.values import Secret, encode

_SAID_OF_IMPORT = (
    "previously-imported resources that still specify an ID may not be replaced; please remove "
    "the `import` "
    "declaration from your program"
)


@dataclass(kw_only=True)
class _Case:
    """One registration while it is being decided."""

    goal: Goal
    urn: str
    old: Resource | None
    new: Resource
    server: Server | None
    seed: bytes
    forced: bool


@dataclass(kw_only=True)
class Planner:
    """Turns registrations into steps; one at a time, under the run's lock."""

    run: Run
    executor: Executor
    stack: str
    project: str
    seen: set[str] = field(default_factory=set)
    # Old URN by new, and new by old, of what was found under an alias.
    matched: dict[str, str] = field(default_factory=dict)
    aliased: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    operated: set[str] = field(default_factory=set)
    replacement: ReplacementPlan = field(default_factory=ReplacementPlan)

    def urn_of(self, goal: Goal) -> str:
        """Return the URN of a registration."""
        return make_urn(
            stack=self.stack,
            project=self.project,
            parent=goal.parent,
            type_token=goal.type,
            name=goal.name,
        )

    def plan(self, goal: Goal) -> list[Step]:
        """Return the steps that make the world what the program wants of one resource.

        Raises:
            Bail: the registration is invalid; everything wrong with it was reported.
            ProviderError: the provider failed while it checked or compared.
        """
        urn = self._claim(goal)
        old = self._find_old(goal, urn)
        new = state_from_goal(goal, urn, old)
        if urn in self.matched:
            new.aliases = [self.matched[urn]]
        server = self.run.provider_of(new)
        forced = old is not None and (urn in self.run.replace_targets or old.taint)
        seed = secrets.token_bytes(32)
        case = _Case(goal=goal, urn=urn, old=old, new=new, server=server, seed=seed, forced=forced)
        recreating = urn in self.run.deletes
        imports = goal.custom and goal.import_id and not is_provider(goal.type)
        if imports and (old is None or old.external or _import_id(old) != goal.import_id):
            return self._import(case, recreating)
        return self._decide(case, recreating)

    def plan_read(self, goal: Goal, identifier: str) -> list[Step]:
        """Return the steps that read a resource that someone else owns."""
        urn = self._claim(goal)
        old = self._find_old(goal, urn)
        new = replace(state_from_goal(goal, urn, None), id=identifier, external=True)
        if not identifier:
            raise Bail(self.run.error(f"Expected an ID for {urn}", urn))
        self.operated.add(urn)
        if old is not None and not old.external and old.id != identifier:
            self.replaced.add(urn)
            return [
                Step(op="read-replacement", urn=urn, old=old, new=new),
                Step(op="replace", urn=urn, old=old, new=new),
            ]
        return [Step(op="read", urn=urn, old=old, new=new)]

    def _claim(self, goal: Goal) -> str:
        urn = self.urn_of(goal)
        if urn in self.seen:
            raise Bail(
                self.run.error(f"Duplicate resource URN '{urn}'; try giving it a unique name", urn)
            )
        self.seen.add(urn)
        return urn

    def _find_old(self, goal: Goal, urn: str) -> Resource | None:
        aliases = expand_aliases(goal, stack=self.stack, project=self.project, matched=self.matched)
        if urn in self.aliased:
            raise Bail(
                self.run.error(
                    f"Duplicate resource URN '{urn}' conflicting with alias on resource with URN "
                    f"'{self.aliased[urn]}'",
                    urn,
                )
            )
        for name in (urn, *aliases):
            old = self.run.olds.get(name)
            if old is None:
                continue
            if name != urn:
                self._match(name, urn)
            return old
        return None

    def _match(self, alias: str, urn: str) -> None:
        other = alias if alias in self.seen else self.aliased.get(alias)
        if other is not None:
            raise Bail(
                self.run.error(
                    f"Duplicate resource alias '{alias}' applied to resource with URN '{urn}' "
                    "conflicting with "
                    f"resource with URN '{other}'",
                    urn,
                )
            )
        self.matched[urn], self.aliased[alias] = alias, urn
        self.run.snapshot.rename(alias, urn)

    def _import(self, case: _Case, recreating: bool) -> list[Step]:
        replacing = case.old is not None and not recreating
        op = "import-replacement" if replacing else "import"
        imported = replace(case.new)
        original = case.old if replacing else None
        steps = [Step(op=op, urn=case.urn, old=original, new=imported)]
        if replacing:
            steps.append(Step(op="replace", urn=case.urn, old=original, new=imported))
        self.operated.add(case.urn)
        self.executor.execute(steps)
        # What was read is the past with which the program's wishes are compared.
        case.old, case.forced = imported, False
        case.new.created, case.new.modified = imported.created, imported.modified
        steps = self._decide(case, recreating=False)
        return [step for step in steps if step.op != "same"]

    def _decide(self, case: _Case, recreating: bool) -> list[Step]:
        goal, urn, old, new = case.goal, case.urn, case.old, case.new
        fresh = old is None or recreating or old.external or case.forced
        self._check(case, {} if fresh or old is None else old.inputs, fresh=fresh)
        self.operated.add(urn)
        if old is None:
            return [Step(op="create", urn=urn, new=new)]
        if recreating:
            self.run.deletes.discard(urn)
            self.replaced.add(urn)
            keys = self.replacement.keys.get(urn, ())
            return [
                Step(op="replace", urn=urn, old=old, new=new),
                Step(op="create-replacement", urn=urn, old=old, new=new, keys=keys),
            ]
        if old.external:
            return [
                Step(op="create-replacement", urn=urn, old=old, new=new, keeps_old=True),
                Step(op="replace", urn=urn, old=old, new=new),
            ]
        diff = self._compare(case, old)
        diff = replace_on_changes(diff, goal.replace_on_changes, init_errors=bool(old.init_errors))
        if old.pending_replacement or (diff.changed and diff.replaces):
            return self._replace(case, old, diff)
        if diff.changed or old.init_errors:
            return [
                Step(
                    op="update",
                    urn=urn,
                    old=old,
                    new=new,
                    changed_keys=diff.changed_keys,
                    detailed=diff.detailed,
                    ignore_changes=goal.ignore_changes,
                )
            ]
        return [Step(op="same", urn=urn, old=old, new=new)]

    def _check(self, case: _Case, olds: dict[str, Any], *, fresh: bool) -> None:
        goal, new, old = case.goal, case.new, case.old
        wanted = goal.inputs
        if old is not None and not fresh:
            wanted, impossible = ignore_changes(goal.inputs, old.inputs, goal.ignore_changes)
            if impossible:
                paths = ", ".join(impossible)
                message = (
                    f'cannot ignore changes in added or removed elements of the path: "{paths}"'
                )
                self.run.reporter.diagnostic(message, "info", case.urn)
        new.inputs = dict(wanted)
        if case.server is not None:
            # An explicit provider of package `pulumi` has nothing to check.
            self._checked(case, olds, new.inputs)

    def _checked(self, case: _Case, olds: dict[str, Any], wanted: dict[str, Any]) -> None:
        server = case.server
        if server is None or not hasattr(server, "check"):
            raise ProviderError(
                f"resources of type {case.goal.type!r} can't be created by a program"
            )
        inputs, failures = server.check(case.urn, olds, wanted, case.seed)
        if failures:
            self._report_failures(case, failures)
            raise Bail(f"resource {case.urn} is invalid")
        case.new.inputs = inputs

    def _report_failures(self, case: _Case, failures: Failures) -> None:
        title = f"{case.goal.type} resource '{name_of(case.urn)}'"
        for key, reason in failures:
            if key:
                value = _shown(case.new.inputs.get(key))
                text = f"{title}: property {key} value {value} has a problem: {reason}"
            else:
                text = f"{title} has a problem: {reason}"
            self.run.error(text, case.urn)

    def _compare(self, case: _Case, old: Resource) -> Diff:
        new, run = case.new, self.run
        if case.forced:
            return Diff(changed=True, replace_keys=("id",))
        if new.deleted_with and new.deleted_with in self.replaced:
            return Diff(changed=True, replace_keys=("deletedWith",))
        if self._provider_changed(old, new):
            return Diff(changed=True, replace_keys=("provider",))
        if case.server is None:
            return Diff(changed=not equal(old.inputs, new.inputs))
        try:
            return compare(case.server, new.urn, old, new.inputs, case.goal.ignore_changes)
        except DiffUnavailableError as error:
            run.reporter.diagnostic(str(error), "warning", new.urn)
            return Diff(changed=True)

    def _provider_changed(self, old: Resource, new: Resource) -> bool:
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        old_urn, new_urn = parse_reference(old.provider)[0], parse_reference(new.provider)[0]
        if self.aliased.get(old_urn) == new_urn:
            return False
        provider = self.run.registry.get(new.provider)
        before, after = self.run.olds.get(old_urn), self.run.news.get(new_urn)
        if before is None or after is None or not hasattr(provider, "diff_config"):
            return False
        diff = provider.diff_config(
            new_urn, provider_inputs(before.inputs), before.outputs, provider_inputs(after.inputs)
        )
        return diff is not None and diff.replaces

    def _replace(self, case: _Case, old: Resource, diff: Diff) -> list[Step]:
        goal, urn, new, run = case.goal, case.urn, case.new, self.run
        if new.protect and old.protect:
            text = run.error(
                f'unable to replace resource "{urn}"\nas it is currently marked for protection. '
                "To unprotect the "
                "resource, remove the `protect` flag from the resource in your Pulumi program and "
                "run `pulumi up`",
                urn,
            )
            if not run.dry_run:
                raise Bail(text)
            run.step_failed = True
        if goal.import_id:
            if not run.dry_run:
                raise ProviderError(_SAID_OF_IMPORT)
            run.reporter.diagnostic(_SAID_OF_IMPORT, "warning", urn)
        self.replaced.add(urn)
        if case.server is not None and not case.forced:
            # The first check carried the old name over; a replacement needs one of its own.
            self._checked(case, {}, dict(goal.inputs))
        first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        create = Step(
            op="create-replacement",
            urn=urn,
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
        return [*self._deletes_first(urn, old), both, create]

    def _deletes_first(self, urn: str, old: Resource) -> list[Step]:
        run = self.run
        steps = []
        dependents = dependents_to_replace(run, old, impossible=self.operated - {urn})
        for dependent, keys in reversed(dependents):
            if id(dependent) in self.replacement.deleted:
                continue
            if dependent.protect:
                quoted = f"`pulumi state unprotect '{dependent.urn}'`"
                raise Bail(
                    run.error(
                        f'unable to replace resource "{dependent.urn}" as part of replacing '
                        f'"{urn}" as it is '
                        "currently marked for protection. To unprotect the resource, remove the "
                        "`protect` flag "
                        "from the resource in your Pulumi program and run `pulumi up`, or use "
                        f"the command:\n{quoted}",
                        urn,
                    )
                )
            self.replacement.keys[dependent.urn] = keys
            self.replacement.deleted.add(id(dependent))
            op = "delete" if dependent.delete else "delete-replaced"
            if not dependent.delete:
                run.deletes.add(dependent.urn)
            first = not dependent.delete
            steps.append(Step(op=op, urn=dependent.urn, old=dependent, deletes_first=first))
        run.ensure_provider(old.provider)
        if not old.pending_replacement:
            run.deletes.add(old.urn)
            steps.append(Step(op="delete-replaced", urn=old.urn, old=old, deletes_first=True))
        return steps


def _import_id(old: Resource) -> str:
    return old.import_id if old.import_id else old.id


def _shown(value: Any) -> str:
    """Write a value as the official engine does in its messages, which is how Go prints it."""
    if isinstance(value, Secret):
        return "{&{[secret]}}"
    if isinstance(value, dict):
        members = " ".join(f"{key}:{_shown(item)}" for key, item in sorted(value.items()))
        return f"{{map[{members}]}}"
    if isinstance(value, list):
        return "{[" + " ".join(map(_shown, value)) + "]}"
    if isinstance(value, bool) or value is None:
        return f"{{{ {True: 'true', False: 'false', None: '<nil>'}[value] }}}"
    return f"{{{encode(value)}}}"
