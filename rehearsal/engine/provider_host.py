"""Finds and starts providers: attached ones, the program's own dynamic ones, and no others.

A rehearsal must never reach a real cloud, so everything that is not one of those two is refused
here by name. That AWS_ENDPOINT_URL is a loopback address is checked before an operation begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rehearsal.engine.errors import EngineError
from rehearsal.engine.program import end_process, follow, send_document, start_launcher
from rehearsal.engine.provider_client import CHANNEL_OPTIONS, ProviderClient
from rehearsal.engine.provider_errors import ProviderError

if TYPE_CHECKING:
    from rehearsal.engine.operation import Target

DYNAMIC_PACKAGE = "pulumi-python"


def attached_port(package: str) -> int | None:
    """Return the port PULUMI_DEBUG_PROVIDERS gives for a package.

    Raises:
        EngineError: the variable is not of the form `package:port,package:port`.
    """
    text = os.environ.get("PULUMI_DEBUG_PROVIDERS", "")
    for item in filter(None, text.split(",")):
        name, _, port = item.partition(":")
        if not port.isdigit():
            raise EngineError(
                f"PULUMI_DEBUG_PROVIDERS is {text!r}; it must be a list of `package:port` with "
                "commas between"
            )
        if name == package:
            return int(port)
    return None


class ProviderHost:
    """Connects to providers on behalf of one operation."""

    def __init__(self, target: Target, report: Callable[[str, str], None]) -> None:
        self._target = target
        self._report = report
        self.engine_address = ""

    def connect(self, package: str) -> ProviderClient:
        """Return a new, unconfigured connection to the provider of a package.

        Raises:
            EngineError: the package is neither attached nor dynamic, or would reach a cloud
                elsewhere.
        """
        if package == DYNAMIC_PACKAGE:
            return self._start_dynamic()
        port = attached_port(package)
        if port is None:
            raise EngineError(
                f"no resource plugin 'pulumi-resource-{package}' is attached; the rehearsal "
                "engine refuses any cloud "
                f"but the rehearsal's: start one (`greenlight rehearsal run`) that sets "
                f"PULUMI_DEBUG_PROVIDERS={package}:PORT, or use the official CLI"
            )
        return self._attach(package, port)

    def _attach(self, package: str, port: int) -> ProviderClient:
        from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc

        channel = self._channel(port)
        client = ProviderClient(channel, package, channel.close)
        client.handshake(self.engine_address, None, None)
        attach = provider_pb2_grpc.ResourceProviderStub(channel).Attach
        _tolerate(lambda: attach(plugin_pb2.PluginAttach(address=self.engine_address)))
        return client

    def _start_dynamic(self) -> ProviderClient:
        import json

        target = self._target
        extra = {"PULUMI_CONFIG": json.dumps(target.config), "PULUMI_PROJECT": target.project}
        process = start_launcher("dynamic", target, target.project_root, extra)
        send_document(process, {"engine": self.engine_address})
        errors = follow(process.stderr, lambda line: self._report(line, "info#err"))
        first = process.stdout.readline() if process.stdout is not None else b""
        if not first.strip().isdigit():
            process.kill()
            end_process(process, 5)
            errors.join(timeout=1)
            raise ProviderError(
                f"the dynamic provider process printed {first!r} in place of its port; its own "
                "messages are above"
            )
        follow(process.stdout, lambda line: self._report(line, "info"))
        channel = self._channel(int(first))

        def close() -> None:
            channel.close()
            process.terminate()
            end_process(process, 5)
            errors.join(timeout=1)

        client = ProviderClient(channel, DYNAMIC_PACKAGE, close)
        client.handshake(self.engine_address, target.project_root, target.program_directory)
        return client

    def _channel(self, port: int) -> Any:
        import grpc

        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        try:
            grpc.channel_ready_future(channel).result(timeout=10)
        except grpc.FutureTimeoutError as error:
            channel.close()
            raise ProviderError(
                f"nothing answers on 127.0.0.1:{port} after 10 seconds; is the provider still "
                "running?"
            ) from error
        return channel


def _tolerate(call: Callable[[], object]) -> None:
    import grpc

    try:
        call()
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNIMPLEMENTED:
            raise ProviderError(str(error.details())) from error
