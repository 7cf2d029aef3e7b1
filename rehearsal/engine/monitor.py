"""The gRPC services a running program talks to: ResourceMonitor and Engine, on one loopback
port."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    resource_pb2,
    resource_pb2_grpc,
)

from rehearsal.engine.assets import hash_assets
from rehearsal.engine.defaults import DefaultProviders
from rehearsal.engine.diff import equal
from rehearsal.engine.errors import EngineError
from rehearsal.engine.executor import Executor, StepFailedError
from rehearsal.engine.planner import Planner
from rehearsal.engine.provider_client import CHANNEL_OPTIONS
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.requests import Inherited, Reader, refuse
from rehearsal.engine.run import Bail, Run
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step
from rehearsal.engine.urn import is_provider, is_stack, package_of
from rehearsal.engine.values import (
    UNKNOWN_TEXT,
    encode,
    struct_from_plain,
    unwrap_secrets,
    values_from_struct,
)

if TYPE_CHECKING:
    from rehearsal.engine.operation import Target

# Every registration in flight holds a thread; the SDK opens at most four for each unit of
# parallelism.
_THREADS = 1024
_STOPPED = "the engine has stopped taking registrations"
# Secrets, resource references and deletedWith, which the SDK would else refuse as too new for the
# CLI. Without alias specifications (3) it sends aliases as whole URNs.
_FEATURES: Any = (0, 1, 5)
_SEVERITIES = ("debug", "info", "warning", "error")


class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Answers a program's registrations by planning and carrying out their steps."""

    def __init__(self, run: Run, target: Target) -> None:
        self._run, self._target = run, target
        self.planner, self.executor = Planner(run=run), Executor(run)
        self._inherited = Inherited()
        self._reader = Reader(
            stack=target.stack,
            project=target.project,
            root=target.project_root,
            folder=target.program_directory,
            inherited=self._inherited,
        )
        self._defaults = DefaultProviders(run, target, self.planner, self.executor)
        self._steps: dict[str, Step] = {}
        self._root = ""
        self.stack_outputs: dict[str, Any] | None = None

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve until the block ends; yields the address."""
        pool = ThreadPoolExecutor(max_workers=_THREADS)
        server = grpc.server(pool, options=CHANNEL_OPTIONS)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self, server)
        engine_pb2_grpc.add_EngineServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0.2).wait()
            pool.shutdown(wait=False)

    @property
    def stack_step(self) -> Step | None:
        """The step of the stack resource itself."""
        return next((step for urn, step in self._steps.items() if is_stack(urn)), None)

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
        """Say what is deployed and which features of the protocol this engine has."""
        target = self._target
        return resource_pb2.DeploymentInfo(
            project=target.project,
            stack=target.stack,
            organization=target.organization,
            config=target.config,
            configSecretKeys=list(target.config_secret_keys),
            dryRun=self._run.dry_run,
            parallel=self._run.parallel,
            supportedFeatures=_FEATURES,
        )

    def RegisterResource(self, request: Any, context: Any) -> Any:
        """Make one resource what the program wants."""
        with self._answering(context, request):
            goal = self._reader.goal(request)
            state = goal.state
            with self._run.lock:
                if state.custom and not is_provider(state.type):
                    state.provider = self._provider(request)
                steps = self.planner.plan(goal)
                self._inherited.remember(state, dict(request.providers))
            self._steps[state.urn] = steps[-1]
            self.executor.execute(steps)
            # A component that gets its own inputs back would wait for the resources among them,
            # for ever.
            values = state.outputs if state.custom else {}
            return resource_pb2.RegisterResourceResponse(
                urn=state.urn, id=_wire_id(state), object=_wire(request, values)
            )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        """Take over what a component, or the stack, exports."""
        with self._answering(context, request, even_stopped=True):
            outputs = hash_assets(values_from_struct(request.outputs), self._reader.folder)
            if is_stack(request.urn):
                self.stack_outputs = outputs
                return Empty()
            step = self._steps.pop(request.urn, None)
            if step is None:
                raise EngineError(
                    f"outputs of {request.urn!r} were registered, but the resource itself was not"
                )
            self.finish_outputs(step, outputs)
            return Empty()

    def finish_outputs(self, step: Step, outputs: dict[str, Any]) -> None:
        """Store outputs on a resource that is done, and tell of it."""
        state = step.state
        changed = not equal(state.outputs, outputs)
        state.outputs = outputs
        self._run.reporter.outputs(step, step.op)
        if changed:
            self._run.snapshot.write()

    def ReadResource(self, request: Any, context: Any) -> Any:
        """Read a resource that someone else owns."""
        with self._answering(context, request):
            state = self._reader.read_state(request)
            with self._run.lock:
                state.provider = self._provider(request)
                steps = self.planner.plan_read(state)
            self.executor.execute(steps)
            return resource_pb2.ReadResourceResponse(
                urn=state.urn,
                id=_wire_id(state),
                properties=_wire(request, state.outputs),
            )

    def Invoke(self, request: Any, context: Any) -> Any:
        """Call a provider's function; in a preview, too."""
        with self._answering(context, request):
            refuse(request, request.tok)
            with self._run.lock:
                provider = self._run.registry.get(self._provider(request))
            if not provider.configurable:
                return resource_pb2.ResourceInvokeResponse(unknown=True)
            arguments = hash_assets(values_from_struct(request.args), self._reader.folder)
            try:
                result, failures = provider.invoke(
                    request.tok, arguments, preview=self._run.dry_run
                )
            except ProviderError as error:
                text = f"invocation of {request.tok} returned an error: {error}"
                context.abort(grpc.StatusCode.UNKNOWN, text)
            answer = resource_pb2.ResourceInvokeResponse(
                failures=[provider_pb2.CheckFailure(property=p, reason=r) for p, r in failures]
            )
            kept = encode(result, keep_references=request.acceptResources)
            getattr(answer, "return").CopyFrom(struct_from_plain(kept))
            return answer

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        """Let the program go: nothing calls back into it."""
        return Empty()

    def Log(self, request: Any, context: Any) -> Any:
        """Pass on what the program or a provider says."""
        if self._run.stopping.is_set() and "Resource monitor has terminated" in request.message:
            return Empty()
        severity = _SEVERITIES[request.severity]
        if not request.ephemeral:
            self._run.reporter.diagnostic(
                request.message, severity, request.urn, stream=request.streamId
            )
        return Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:
        """Return the stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:
        """Remember the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def _provider(self, request: Any) -> str:
        if request.provider:
            return str(request.provider)
        package = package_of(request.tok if hasattr(request, "tok") else request.type)
        inherited = self._inherited.provider(request.parent, package)
        return inherited if inherited else self._defaults.reference(package, request.version)

    @contextmanager
    def _answering(
        self, context: Any, request: Any, *, even_stopped: bool = False
    ) -> Iterator[None]:
        """Turn what goes wrong into diagnostics and an end of the run; the SDK then winds the
        program down."""
        run = self._run
        run.enter()
        try:
            if run.stopping.is_set() and not even_stopped:
                context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPED)
            yield
        except (Bail, StepFailedError):
            run.stopping.set()
        except EngineError as error:
            run.error(str(error), self._urn_of(request))
            run.stopping.set()
        else:
            return
        finally:
            run.leave()
        context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPED)

    def _urn_of(self, request: Any) -> str:
        if hasattr(request, "urn"):
            return str(request.urn)
        return self._reader.urn(request) if hasattr(request, "name") else ""


def _wire_id(state: Resource) -> str:
    return "" if state.id == UNKNOWN_TEXT and not is_provider(state.type) else state.id


def _wire(request: Any, values: dict[str, Any]) -> Any:
    kept = values if request.acceptSecrets else unwrap_secrets(values)
    return struct_from_plain(encode(kept, keep_references=request.acceptResources))
