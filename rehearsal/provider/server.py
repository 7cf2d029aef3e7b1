"""pulumirpc.ResourceProvider over gRPC: converts requests and answers, decides nothing.

Source: pulumi's proto/pulumi/provider.proto; the values sent by engines 3.260 to 3.272.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal.provider import lifecycle
from rehearsal.provider.autoname import AutonamingMode, ProposedName
from rehearsal.provider.aws import Aws, Clients, Clock, CloudClock
from rehearsal.provider.check import CheckRequest, check
from rehearsal.provider.configuration import (
    Configuration,
    configuration_failures,
    configuration_from,
)
from rehearsal.provider.diff import diff
from rehearsal.provider.entry import ProviderError, ResourceType
from rehearsal.provider.registry import Package
from rehearsal.provider.schema import read_schema
from rehearsal.provider.status import answering
from rehearsal.provider.value import struct_from_values, values_from_struct

WORKERS = 48
STOP_GRACE_SECONDS = 1.0
MAXIMUM_MESSAGE_BYTES = 400 * 1024 * 1024


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One package's stand-in. One process serves many engines, so each connection is kept apart.

    Args:
        package: what it stands in for
        clients: the way to the cloud
        clock: the cloud's time
    """

    def __init__(self, package: Package, clients: Clients, clock: Clock | CloudClock) -> None:
        self._package = package
        self._clients = clients
        self._clock = clock
        self._lock = threading.Lock()
        self._configurations: dict[str, Configuration] = {}
        self._running: dict[str, set[threading.Event]] = {}

    # The provider itself

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=False,
            accept_resources=False,
            accept_outputs=False,
            supports_autonaming_configuration=True,
        )

    def Attach(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self._package.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name):
            news = values_from_struct(request.news)
            failures = configuration_failures(self._package, news, self._clients.url)
            return provider_pb2.CheckResponse(
                inputs=struct_from_values(news), failures=_wire_failures(failures)
            )

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name):
            olds = values_from_struct(request.old_inputs)
            olds = olds if olds else values_from_struct(request.olds)
            news = values_from_struct(request.news)
            names = sorted(name for name in {*olds, *news} if olds.get(name) != news.get(name))
            # Resources of another region are other resources.
            replaces = [name for name in names if name == "region"]
            changes = provider_pb2.DiffResponse.DIFF_SOME
            if not names:
                changes = provider_pb2.DiffResponse.DIFF_NONE
            return provider_pb2.DiffResponse(changes=changes, replaces=replaces, diffs=names)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name):
            arguments = values_from_struct(request.args)
            if not arguments:
                prefix = f"{self._package.name}:config:"
                arguments = {
                    key.removeprefix(prefix): value for key, value in request.variables.items()
                }
            configuration = configuration_from(arguments)
            self._refuse_other_accounts(configuration)
            with self._lock:
                self._configurations[context.peer()] = configuration
            return provider_pb2.ConfigureResponse(
                acceptSecrets=False,
                supportsPreview=True,
                acceptResources=False,
                acceptOutputs=False,
                supports_autonaming_configuration=True,
            )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        with self._lock:
            events = list(self._running.get(context.peer(), ()))
        for event in events:
            event.set()
        return empty_pb2.Empty()

    # Its resources

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name):
            entry = self._entry(request)
            configuration = self._configuration(context)
            wanted = CheckRequest(
                logical_name=request.name if request.name else _name_from_urn(request.urn),
                news=values_from_struct(request.news),
                olds=values_from_struct(request.olds),
                seed=request.randomSeed,
                proposed=_proposed_name(request),
                tagging=configuration.tagging,
                region=configuration.region,
            )
            checked = check(entry, read_schema(entry.schema), wanted)
            return provider_pb2.CheckResponse(
                inputs=struct_from_values(checked.inputs),
                failures=_wire_failures(checked.failures),
            )

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name):
            olds = values_from_struct(request.olds)
            old_inputs = values_from_struct(request.old_inputs)
            found = diff(
                self._entry(request),
                old_inputs=old_inputs if request.HasField("old_inputs") else olds,
                old_outputs=olds,
                news=values_from_struct(request.news),
                ignore_changes=list(request.ignoreChanges),
            )
            response = provider_pb2.DiffResponse(
                changes=provider_pb2.DiffResponse.DIFF_SOME
                if found.detailed
                else provider_pb2.DiffResponse.DIFF_NONE,
                replaces=found.replaces,
                diffs=sorted(found.properties),
                deleteBeforeReplace=found.delete_before_replace,
                hasDetailedDiff=True,
            )
            for path, kind in found.detailed.items():
                response.detailedDiff[path].kind = int(kind)
            return response

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name), self._aws(context) as aws:
            entry = self._entry(request)
            inputs = values_from_struct(request.properties)
            if request.preview:
                outputs = lifecycle.preview_create(entry, aws, inputs)
                return provider_pb2.CreateResponse(properties=struct_from_values(outputs))
            made = lifecycle.create(entry, aws, inputs)
            return provider_pb2.CreateResponse(
                id=made.identifier, properties=struct_from_values(made.outputs)
            )

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name), self._aws(context) as aws:
            state = values_from_struct(request.properties)
            inputs = values_from_struct(request.inputs)
            entry = self._entry(request)
            found = lifecycle.read(entry, aws, request.id, state, inputs)
            return provider_pb2.ReadResponse(
                id=found.identifier,
                properties=struct_from_values(found.outputs),
                inputs=struct_from_values(found.inputs),
            )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name), self._aws(context) as aws:
            entry = self._entry(request)
            state = values_from_struct(request.olds)
            has_inputs = request.HasField("old_inputs")
            wanted = lifecycle.Update(
                identifier=request.id,
                state=state,
                old_inputs=values_from_struct(request.old_inputs) if has_inputs else state,
                news=values_from_struct(request.news),
                ignore_changes=list(request.ignoreChanges),
            )
            run = lifecycle.preview_update if request.preview else lifecycle.update
            return provider_pb2.UpdateResponse(
                properties=struct_from_values(run(entry, aws, wanted))
            )

    def Delete(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        with answering(context, self._package.name), self._aws(context) as aws:
            state = values_from_struct(request.properties)
            lifecycle.delete(self._entry(request), aws, request.id, state)
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, self._package.name), self._aws(context) as aws:
            invocation = self._package.invocations.get(request.tok)
            if invocation is None:
                allowed = ", ".join(sorted(self._package.invocations))
                raise ProviderError(
                    f"function {request.tok!r} is not in the rehearsal's {self._package.name}"
                    f" provider; it has {allowed}"
                )
            arguments = values_from_struct(request.args)
            unknown = sorted(arguments.keys() - invocation.arguments)
            if unknown:
                allowed = ", ".join(sorted(invocation.arguments))
                reason = f"unexpected argument; allowed: {allowed}"
                failure = provider_pb2.CheckFailure(property=unknown[0], reason=reason)
                return provider_pb2.InvokeResponse(failures=[failure])
            given = {name: value for name, value in arguments.items() if value is not None}
            response = provider_pb2.InvokeResponse()
            # The field's name is a Python keyword.
            getattr(response, "return").CopyFrom(struct_from_values(invocation.call(aws, given)))
            return response

    # Parts of the above

    def _entry(self, request: Any) -> ResourceType:
        token = request.type if request.type else _type_from_urn(request.urn)
        entry = self._package.types.get(token)
        if entry is None:
            allowed = ", ".join(sorted(self._package.types))
            raise ProviderError(
                f"resource type {token!r} is not in the rehearsal's {self._package.name} provider;"
                f" it has {allowed}"
            )
        return entry

    def _configuration(self, context: grpc.ServicerContext) -> Configuration:
        with self._lock:
            found = self._configurations.get(context.peer())
        return configuration_from({}) if found is None else found

    @contextmanager
    def _aws(self, context: grpc.ServicerContext) -> Iterator[Aws]:
        """The way to the cloud for one call, which the same connection's Cancel stops."""
        cancelled = threading.Event()
        peer = context.peer()
        configuration = self._configuration(context)
        region = configuration.region
        if region is None and "region" in self._package.configurable:
            raise ProviderError(
                "missing region: give aws:region, or AWS_REGION in the provider's environment"
            )
        with self._lock:
            self._running.setdefault(peer, set()).add(cancelled)
        try:
            yield Aws(
                clients=self._clients,
                clock=self._clock,
                region="" if region is None else region,
                tagging=configuration.tagging,
                is_cancelled=cancelled.is_set,
            )
        finally:
            with self._lock:
                self._running[peer].discard(cancelled)

    def _refuse_other_accounts(self, configuration: Configuration) -> None:
        if not configuration.account_ids or configuration.region is None:
            return
        aws = Aws(clients=self._clients, clock=self._clock, region=configuration.region)
        account = aws.call("sts", "GetCallerIdentity")["Account"]
        if account not in configuration.account_ids:
            allowed = ", ".join(configuration.account_ids)
            raise ProviderError(f"AWS account ID not allowed: {account}; allowed: {allowed}")


def _wire_failures(failures: Any) -> list[Any]:
    return [
        provider_pb2.CheckFailure(property=failure.property, reason=failure.reason)
        for failure in failures
    ]


def _proposed_name(request: Any) -> ProposedName | None:
    if not request.HasField("autonaming"):
        return None
    mode = AutonamingMode(request.autonaming.mode)
    return ProposedName(text=request.autonaming.proposed_name, mode=mode)


def _type_from_urn(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _name_from_urn(urn: str) -> str:
    return urn.split("::", 3)[3]


def start_server(
    package: Package, cloud_url: str, clock: Clock | CloudClock | None = None
) -> tuple[Any, int]:
    """Serve one package on a free loopback port.

    Args:
        clock: the cloud's time; left out, it is taken from the cloud's answers

    Returns:
        the server and its port
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS),
        options=[
            ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAXIMUM_MESSAGE_BYTES),
        ],
    )
    time_source = CloudClock() if clock is None else clock
    servicer = Servicer(package, Clients(cloud_url), time_source)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
