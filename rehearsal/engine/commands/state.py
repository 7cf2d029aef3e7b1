"""`pulumi state …`: the two edits that the engine's own error texts send people to."""

from __future__ import annotations

from rehearsal.engine.argv import Command
from rehearsal.engine.commands.workplace import Workplace
from rehearsal.engine.errors import EngineError
from rehearsal.engine.state import Deployment, Resource


def _delete(place: Workplace, command: Command) -> None:
    deployment, crypter = place.deployment()
    resource = _find(deployment, command)
    urn = resource.urn
    if resource.protect and not command.on("force"):
        raise EngineError(
            f"resource '{urn}' is protected; run `pulumi state unprotect '{urn}'` first, or use "
            "--force"
        )
    needs = {r.urn: {*r.needs(), r.provider.rpartition("::")[0]} for r in deployment.resources}
    if others := "".join(f"\n * {other}" for other in needs if urn in needs[other]):
        raise EngineError(
            "This resource can't be safely deleted because the following resources depend on it:"
            f"{others}\nDelete those resources first"
        )
    place.confirm(f"delete a resource from the state of '{place.stack}'")
    deployment.resources.remove(resource)
    with place.store.locked():
        place.save(deployment, crypter)
    print("Resource deleted")


def _unprotect(place: Workplace, command: Command) -> None:
    deployment, crypter = place.deployment()
    resource = _find(deployment, command)
    place.confirm(f"unprotect a resource of '{place.stack}'")
    resource.protect = False
    with place.store.locked():
        place.save(deployment, crypter)
    print("Resource unprotected")


def _find(deployment: Deployment, command: Command) -> Resource:
    found = [r for r in deployment.resources if command.arguments == (r.urn,)]
    if len(found) != 1:
        raise EngineError(
            f"{' '.join(command.arguments)!r} names {len(found)} resources of the state; give one "
            "URN (`pulumi stack export` shows them)"
        )
    return found[0]


HANDLERS = {"state delete": _delete, "state unprotect": _unprotect}
