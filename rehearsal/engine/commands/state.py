"""`pulumi state …`: the two edits that the engine's own error texts send people to."""

from __future__ import annotations

from rehearsal.engine.argv import Command
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.errors import EngineError
from rehearsal.engine.state import Deployment, Resource


def _delete(place: Workplace, command: Command) -> int:
    deployment, crypter = place.deployment()
    resource = _find(deployment, command)
    if resource.protect and not command.on("force"):
        raise EngineError(
            f"resource '{resource.urn}' is protected; run `pulumi state unprotect "
            f"'{resource.urn}'` first, or use --force"
        )
    doomed = {resource.urn}
    for other in deployment.resources:
        if doomed & {*other.needs(), other.provider.rpartition("::")[0]}:
            doomed.add(other.urn)
    if len(doomed) > 1 and not command.on("target-dependents"):
        others = "".join(f"\n * {urn}" for urn in sorted(doomed - {resource.urn}))
        raise EngineError(
            "This resource can't be safely deleted because the following resources depend on it:"
            f"{others}\nDelete those resources first or rerun with --target-dependents"
        )
    place.confirm(f"delete {len(doomed)} resources from the state of '{place.stack}'")
    deployment.resources = [r for r in deployment.resources if r.urn not in doomed]
    with place.store.locked():
        place.save(deployment, crypter)
    print("Resource deleted")
    return 0


def _unprotect(place: Workplace, command: Command) -> int:
    deployment, crypter = place.deployment()
    every = command.on("all")
    chosen = deployment.resources if every else [_find(deployment, command)]
    place.confirm(f"unprotect {len(chosen)} resources of '{place.stack}'")
    for resource in chosen:
        resource.protect = False
    with place.store.locked():
        place.save(deployment, crypter)
    print("All resources successfully unprotected" if every else "Resource unprotected")
    return 0


def _find(deployment: Deployment, command: Command) -> Resource:
    found = [r for r in deployment.resources if command.arguments == (r.urn,)]
    if len(found) != 1:
        raise EngineError(
            f"{' '.join(command.arguments)!r} names {len(found)} resources of the state; give one "
            "URN (`pulumi stack --show-urns` lists them)"
        )
    return found[0]


HANDLERS = {"state delete": _delete, "state unprotect": _unprotect}
