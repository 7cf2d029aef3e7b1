"""`pulumi state …`: the two edits that the engine's own error texts send people to."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.engine.argv import Command
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.errors import EngineError
from rehearsal.engine.state import Deployment, Resource, verify_deployment


def _delete(place: Workplace, command: Command) -> int:
    deployment, crypter = place.deployment()
    resource = _find(deployment, command)
    if resource.protect and not command.on("force"):
        raise EngineError(
            f"resource '{resource.urn}' can't be deleted because it is protected; run `pulumi "
            "state unprotect "
            f"'{resource.urn}'` first, or use --force"
        )
    doomed = [resource]
    for other in deployment.resources:
        if any(_needs(other, gone) for gone in doomed):
            doomed.append(other)
    if len(doomed) > 1 and not command.on("target-dependents"):
        others = "\n".join(f" * {other.urn}" for other in doomed[1:])
        raise EngineError(
            "This resource can't be safely deleted because the following resources depend on "
            f"it:\n{others}\n"
            "Delete those resources first or rerun with --target-dependents"
        )
    place.confirm(f"delete {len(doomed)} resources from the state of stack '{place.stack}'")
    deployment.resources = [
        r for r in deployment.resources if all(r is not gone for gone in doomed)
    ]
    _save(place, deployment, crypter)
    print("Resource deleted")
    return 0


def _needs(resource: Resource, other: Resource) -> bool:
    needed = {resource.parent, resource.deleted_with, *resource.dependencies}
    needed.update(urn for urns in resource.property_dependencies.values() for urn in urns)
    return resource is not other and (
        other.urn in needed or resource.provider.startswith(f"{other.urn}::")
    )


def _unprotect(place: Workplace, command: Command) -> int:
    deployment, crypter = place.deployment()
    chosen = deployment.resources if command.on("all") else [_find(deployment, command)]
    place.confirm(f"unprotect {len(chosen)} resources of stack '{place.stack}'")
    for resource in chosen:
        resource.protect = False
    _save(place, deployment, crypter)
    print("All resources successfully unprotected" if command.on("all") else "Resource unprotected")
    return 0


def _find(deployment: Deployment, command: Command) -> Resource:
    if len(command.arguments) != 1:
        raise EngineError(f"give one URN: pulumi {command.name} <urn>")
    urn = command.arguments[0]
    found = [r for r in deployment.resources if r.urn == urn]
    if not found:
        raise EngineError(
            f"No such resource {urn!r} exists in the current state; `pulumi stack -u` lists URNs"
        )
    if len(found) > 1:
        raise EngineError(
            f"{urn!r} names {len(found)} resources, some of them pending deletion; run `pulumi "
            "up` first"
        )
    return found[0]


def _save(place: Workplace, deployment: Deployment, crypter: object) -> None:
    verify_deployment(deployment)
    with place.store.locked():
        place.save(deployment, crypter)  # type: ignore[arg-type]


HANDLERS: dict[str, Callable[[Workplace, Command], int]] = {
    "state delete": _delete,
    "state unprotect": _unprotect,
}
