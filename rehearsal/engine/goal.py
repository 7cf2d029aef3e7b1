"""What the program wants of one resource, and the names under which its past may be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.engine.state import Resource
from rehearsal.engine.urn import make_urn, name_of, qualified_type, type_of


@dataclass(frozen=True, kw_only=True)
class Alias:
    """Another name a resource had: a whole URN, or what was different in it."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One registration by the program, with the options inherited from its parent already filled
    in."""

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    import_id: str = ""
    custom_timeouts: dict[str, float] | None = None
    hide_diff: tuple[str, ...] = ()
    source_position: str = ""


def state_from_goal(goal: Goal, urn: str, old: Resource | None) -> Resource:
    """Return the new state before anything was done: no id, no outputs."""
    return Resource(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        parent=goal.parent,
        inputs=dict(goal.inputs),
        protect=goal.protect,
        dependencies=list(goal.dependencies),
        provider=goal.provider,
        property_dependencies={key: list(urns) for key, urns in goal.property_dependencies.items()},
        additional_secret_outputs=list(goal.additional_secret_outputs),
        custom_timeouts=goal.custom_timeouts,
        import_id=goal.import_id,
        retain_on_delete=goal.retain_on_delete,
        deleted_with=goal.deleted_with,
        created=old.created if old is not None else None,
        modified=old.modified if old is not None else None,
        source_position=goal.source_position,
        ignore_changes=list(goal.ignore_changes),
        hide_diff=list(goal.hide_diff),
        replace_on_changes=list(goal.replace_on_changes),
    )


def expand_aliases(
    goal: Goal, *, stack: str, project: str, matched: Mapping[str, str]
) -> list[str]:
    """Return every URN the resource may have had, own aliases first, then those that follow its
    parent's.

    Args:
        goal: the registration.
        stack: the bare stack name.
        project: the project name.
        matched: for resources of this run that were found under an alias, their old URN by their
            new one.
    """
    own = [_alias_urn(goal, alias, stack, project, matched) for alias in goal.aliases]
    parent_alias = matched.get(goal.parent)
    if parent_alias is None:
        return list(dict.fromkeys(own))
    parent_name = name_of(goal.parent)

    def inherited(type_token: str, name: str) -> str:
        # A child named after its parent is taken to have been named after it before, too.
        if name.startswith(parent_name):
            name = name_of(parent_alias) + name.removeprefix(parent_name)
        return f"urn:pulumi:{stack}::{project}::{qualified_type(parent_alias)}${type_token}::{name}"

    followed = [inherited(goal.type, goal.name)]
    followed += [inherited(type_of(urn), name_of(urn)) for urn in own]
    return list(dict.fromkeys([*own, *followed]))


def _alias_urn(
    goal: Goal, alias: Alias, stack: str, project: str, matched: Mapping[str, str]
) -> str:
    if alias.urn:
        return alias.urn
    parent = matched.get(alias.parent, alias.parent) if alias.parent else goal.parent
    return make_urn(
        stack=alias.stack if alias.stack else stack,
        project=alias.project if alias.project else project,
        parent="" if alias.no_parent else parent,
        type_token=alias.type if alias.type else goal.type,
        name=alias.name if alias.name else goal.name,
    )
