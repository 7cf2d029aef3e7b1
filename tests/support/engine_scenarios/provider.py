"""A small deterministic resource provider, package `test`, attached by PULUMI_DEBUG_PROVIDERS.

It keeps its things in memory, names and numbers them by counting, writes down every call, and
misbehaves only when a scenario asks it to. Behaviour hangs on the names of the inputs, so that a
program alone says what happens:

    fixed...      a change replaces the resource
    exclusive...  a change replaces it, the old one deleted first
    opaque...     a change makes Diff answer DIFF_UNKNOWN
    invalid       Check refuses it
    token         comes back as the secret output `credential`
    anything else a change updates in place
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2 as plugin
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from tests.support.engine_scenarios.wire import (
    UNKNOWN,
    comparable,
    is_known,
    python_from_struct,
    readable,
    secret,
    struct_from_python,
    without_secrets,
)

PACKAGE = "test"
DETAILED_TYPE = "test:index:Detailed"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call the engine made: who, what, and the facts that it sent."""

    method: str
    subject: str
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One misbehaviour, used up by the first matching call.

    Args:
        method: Create, Update, Delete, Read or Diff.
        name: the logical name of the resource.
        message: the text of the RPC error.
        partial: reasons of a partial failure (the resource exists all the same); empty for
            a plain error.
    """

    method: str
    name: str
    message: str
    partial: tuple[str, ...] = ()


@dataclass(kw_only=True)
class StoredThing:
    """A resource as the imaginary cloud has it."""

    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class World:
    """What exists in the imaginary cloud, what will go wrong, and what was called."""

    things: dict[str, StoredThing] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def count(self, key: str) -> int:
        """The next number, from 1, for a key."""
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def note(self, method: str, subject: str, **facts: Any) -> None:
        """Write down one call; facts that are empty are left out."""
        kept = {
            key: readable(value)
            for key, value in facts.items()
            if value not in (None, "", 0, [], False)
        }
        with self.lock:
            self.calls.append(Call(method=method, subject=subject, facts=kept))

    def take_fault(self, method: str, name: str) -> Fault | None:
        """The fault waiting for this call, which is then used up."""
        with self.lock:
            for fault in self.faults:
                if (fault.method, fault.name) == (method, name):
                    self.faults.remove(fault)
                    return fault
        return None


class TestProvider(provider_pb2_grpc.ResourceProviderServicer):
    """The gRPC face of a `World`."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self.world = world

    def Handshake(self, request: Any, context: Any) -> Any:
        return wire.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin.PluginInfo(version="9.0.0")

    def GetSchema(self, request: Any, context: Any) -> Any:
        return wire.GetSchemaResponse(schema='{"name": "test", "version": "1.0.0"}')

    def CheckConfig(self, request: Any, context: Any) -> Any:
        news = python_from_struct(request.news)
        self.world.note(
            "CheckConfig", request.urn, olds=python_from_struct(request.olds), news=news
        )
        failures = []
        if without_secrets(news).get("region") == "nowhere":
            failures.append(wire.CheckFailure(property="region", reason="nowhere is not a region"))
        return wire.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        news, old_inputs = python_from_struct(request.news), python_from_struct(request.old_inputs)
        self.world.note("DiffConfig", request.urn, olds=python_from_struct(request.olds), news=news)
        changed = changed_keys(old_inputs, news)
        return _diff_response(changed, [key for key in changed if key == "region"], False)

    def Configure(self, request: Any, context: Any) -> Any:
        self.world.note(
            "Configure",
            request.urn,
            variables=dict(sorted(request.variables.items())),
            args=python_from_struct(request.args),
            accept_secrets=request.acceptSecrets,
            id="given" if request.id else None,
        )
        return wire.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def Check(self, request: Any, context: Any) -> Any:
        olds, news = python_from_struct(request.olds), python_from_struct(request.news)
        self.world.note("Check", request.urn, olds=olds, news=news)
        inputs, failures = dict(news), []
        if "name" not in inputs:
            inputs["name"] = olds.get("name")
        if inputs["name"] is None:
            inputs["name"] = f"{request.name}-name-{self.world.count('name ' + request.urn)}"
        if "invalid" in news:
            failures.append(wire.CheckFailure(property="invalid", reason="it must be left out"))
        return wire.CheckResponse(inputs=struct_from_python(inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        olds, news = python_from_struct(request.old_inputs), python_from_struct(request.news)
        outputs, ignored = python_from_struct(request.olds), list(request.ignoreChanges)
        facts = {
            "id": request.id,
            "outputs": outputs,
            "olds": olds,
            "news": news,
            "ignored": ignored,
        }
        self.world.note("Diff", request.urn, **facts)
        self._misbehave("Diff", request, context)
        changed = changed_keys(comparable(olds), comparable(news))
        if any(key.startswith("opaque") for key in changed):
            return wire.DiffResponse(changes=wire.DiffResponse.DIFF_UNKNOWN)
        replaces = [key for key in changed if key.startswith(("fixed", "exclusive"))]
        first_delete = any(key.startswith("exclusive") for key in replaces)
        return _diff_response(
            changed, replaces, first_delete, detailed=request.type == DETAILED_TYPE
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = python_from_struct(request.properties)
        facts = {"news": inputs, "timeout": request.timeout, "preview": request.preview}
        self.world.note("Create", request.urn, **facts)
        if request.preview:
            return wire.CreateResponse(
                properties=struct_from_python(outputs_of(inputs, serial=UNKNOWN))
            )
        fault = self.world.take_fault("Create", request.name)
        if fault is not None and not fault.partial:
            context.abort(grpc.StatusCode.UNKNOWN, fault.message)
        identity = f"{request.name}-{self.world.count('id ' + request.name)}"
        outputs = outputs_of(inputs, serial=1)
        thing = StoredThing(name=request.name, inputs=without_secrets(inputs), outputs=outputs)
        self.world.things[identity] = thing
        if fault is not None:
            _abort_partially(context, fault, identity, thing)
        return wire.CreateResponse(id=identity, properties=struct_from_python(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        inputs, properties = (
            python_from_struct(request.inputs),
            python_from_struct(request.properties),
        )
        self.world.note("Read", request.urn, id=request.id, inputs=inputs, properties=properties)
        self._misbehave("Read", request, context)
        thing = self.world.things.get(request.id)
        if thing is None:
            return wire.ReadResponse()
        return wire.ReadResponse(
            id=request.id,
            properties=struct_from_python(thing.outputs),
            inputs=struct_from_python(thing.inputs),
        )

    def Update(self, request: Any, context: Any) -> Any:
        olds, news = python_from_struct(request.old_inputs), python_from_struct(request.news)
        outputs, ignored = python_from_struct(request.olds), list(request.ignoreChanges)
        self.world.note(
            "Update",
            request.urn,
            id=request.id,
            outputs=outputs,
            olds=olds,
            news=news,
            ignored=ignored,
            timeout=request.timeout,
            preview=request.preview,
        )
        if request.preview:
            return wire.UpdateResponse(
                properties=struct_from_python(outputs_of(news, serial=UNKNOWN))
            )
        fault = self.world.take_fault("Update", request.name)
        if fault is not None and not fault.partial:
            context.abort(grpc.StatusCode.UNKNOWN, fault.message)
        serial = without_secrets(outputs).get("serial", 0) + 1
        thing = StoredThing(
            name=request.name, inputs=without_secrets(news), outputs=outputs_of(news, serial=serial)
        )
        self.world.things[request.id] = thing
        if fault is not None:
            _abort_partially(context, fault, request.id, thing)
        return wire.UpdateResponse(properties=struct_from_python(thing.outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        olds, outputs = (
            python_from_struct(request.old_inputs),
            python_from_struct(request.properties),
        )
        facts = {"id": request.id, "outputs": outputs, "olds": olds, "timeout": request.timeout}
        self.world.note("Delete", request.urn, **facts)
        self._misbehave("Delete", request, context)
        self.world.things.pop(request.id, None)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        args = python_from_struct(request.args)
        self.world.note("Invoke", request.tok, args=args)
        if request.tok == "test:index:refuse":
            failure = wire.CheckFailure(property="key", reason="it is never found")
            return wire.InvokeResponse(failures=[failure])
        if request.tok == "test:index:break":
            context.abort(grpc.StatusCode.UNKNOWN, "the lookup broke")
        found = {"found": str(args.get("key", "nothing")).upper()}
        return wire.InvokeResponse(**{"return": struct_from_python(found)})

    def _misbehave(self, method: str, request: Any, context: Any) -> None:
        fault = self.world.take_fault(method, request.name)
        if fault is not None:
            context.abort(grpc.StatusCode.UNKNOWN, fault.message)


def outputs_of(inputs: dict[str, Any], *, serial: Any) -> dict[str, Any]:
    """What the imaginary cloud makes of checked inputs; unknown parts stay unknown."""
    plain: dict[str, Any] = without_secrets(inputs)
    value = plain.get("value", "")
    outputs = plain | {"serial": serial, "shout": f"{value}!" if is_known(value) else UNKNOWN}
    if "token" in plain:
        outputs["credential"] = secret(f"credential of {plain['token']}")
    return outputs


def changed_keys(olds: dict[str, Any], news: dict[str, Any]) -> list[str]:
    """The keys whose values differ, sorted."""
    return sorted(key for key in olds.keys() | news.keys() if olds.get(key) != news.get(key))


def _diff_response(
    changed: list[str], replaces: list[str], delete_first: bool, *, detailed: bool = False
) -> Any:
    kinds = wire.PropertyDiff
    return wire.DiffResponse(
        changes=wire.DiffResponse.DIFF_SOME if changed else wire.DiffResponse.DIFF_NONE,
        diffs=changed,
        replaces=replaces,
        deleteBeforeReplace=delete_first,
        hasDetailedDiff=detailed,
        detailedDiff={
            key: kinds(
                kind=kinds.UPDATE_REPLACE if key in replaces else kinds.UPDATE, inputDiff=True
            )
            for key in changed
            if detailed
        },
    )


def _abort_partially(context: Any, fault: Fault, identity: str, thing: StoredThing) -> None:
    detail = any_pb2.Any()
    detail.Pack(
        wire.ErrorResourceInitFailed(
            id=identity,
            properties=struct_from_python(thing.outputs),
            reasons=list(fault.partial),
            inputs=struct_from_python(thing.inputs),
        )
    )
    status = status_pb2.Status(
        code=grpc.StatusCode.UNKNOWN.value[0], message=fault.message, details=[detail]
    )
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, fault.message)


@dataclass
class ProviderServer:
    """A provider served on a free loopback port until `stop`."""

    world: World
    port: int
    server: grpc.Server

    def stop(self) -> None:
        """Stop serving at once."""
        self.server.stop(grace=None).wait()


def start_provider() -> ProviderServer:
    """Serve a fresh world on a free port."""
    world = World()
    server = grpc.server(ThreadPoolExecutor(max_workers=16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(TestProvider(world), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return ProviderServer(world=world, port=port, server=server)
