"""The gRPC services a running program talks to: ResourceMonitor and Engine, on one loopback
port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
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

from rehearsal.engine.assets import AssetError, hash_assets
from rehearsal.engine.defaults import DefaultProviders
from rehearsal.engine.diff import equal
from rehearsal.engine.errors import EngineError, not_supported
from rehearsal.engine.executor import Executor, StepFailedError
from rehearsal.engine.goal import Goal
from rehearsal.engine.planner import Planner
from rehearsal.engine.provider_client import CHANNEL_OPTIONS
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.replacement import needs
from rehearsal.engine.requests import Inherited, goal_from_request, read_goal_from_request
from rehearsal.engine.run import Bail, Run
from rehearsal.engine.state import Resource
from rehearsal.engine.step import Step
from rehearsal.engine.urn import is_provider, is_stack, package_of
from rehearsal.engine.values import (
    UNKNOWN_TEXT,
    ValueEncodingError,
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
_FEATURES: Any = (0, 1, 3, 5)
_LEGACY_FEATURES = ("secrets", "resourceReferences", "aliasSpecs", "deletedWith")
_SEVERITIES = ("debug", "info", "warning", "error")


class Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Answers a program's registrations by planning and carrying out their steps."""

    def __init__(
        self, run: Run, target: Target, planner: Planner, executor: Executor, parallel: int
    ) -> None:
        self._run, self._target = run, target
        self._planner, self._executor = planner, executor
        self._parallel = parallel
        self._inherited = Inherited()
        self._defaults = DefaultProviders(run, target, planner, executor)
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
            parallel=self._parallel,
            supportedFeatures=_FEATURES,
        )

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        """Answer older SDKs, which ask one feature at a time."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _LEGACY_FEATURES)

    def RegisterResource(self, request: Any, context: Any) -> Any:
        """Make one resource what the program wants."""
        with self._answering(context, request):
            goal = self._goal(request)
            urn = self._planner.urn_of(goal)
            if self._depends_on_failed(goal):
                self._run.failed_urns.add(urn)
                self._planner.operated.add(urn)
                return self._failed_answer(request, context, urn)
            with self._run.lock:
                steps = self._planner.plan(goal)
                self._inherited.remember(urn, goal, dict(request.providers))
            for step in steps:
                if step.new is not None and step.urn == urn and step.op != "create-replacement":
                    self._steps[urn] = step
            try:
                self._executor.execute(steps)
            except StepFailedError:
                if not self._run.continue_on_error:
                    raise
                return self._failed_answer(request, context, urn)
            return self._answer(request, self._run.news[urn])

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        """Take over what a component, or the stack, exports."""
        with self._answering(context, request, even_stopped=True):
            outputs = hash_assets(values_from_struct(request.outputs), self._folder)
            if is_stack(request.urn):
                self.stack_outputs = outputs
                return Empty()
            step = self._steps.pop(request.urn, None)
            if step is None or step.new is None:
                if request.urn in self._run.failed_urns:
                    return Empty()
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
            goal = read_goal_from_request(request, self._target.project_root)
            with self._run.lock:
                goal = replace(goal, provider=self._provider(request, goal))
                steps = self._planner.plan_read(goal, request.id)
            self._executor.execute(steps)
            state = self._run.news[steps[0].urn]
            return resource_pb2.ReadResourceResponse(
                urn=state.urn,
                id=_wire_id(state),
                properties=_wire(request, state.outputs),
            )

    def Invoke(self, request: Any, context: Any) -> Any:
        """Call a provider's function; in a preview, too."""
        with self._answering(context, request):
            for name in ("pluginDownloadURL", "pluginChecksums", "packageRef"):
                if getattr(request, name):
                    raise not_supported(f"{name} of an invoke ({request.tok})")
            reference = request.provider
            if not reference:
                with self._run.lock:
                    package = package_of(request.tok)
                    reference = self._inherited.provider(request.parent, package)
                    reference = reference or self._defaults.reference(package, request.version)
            provider = self._run.registry.get(reference)
            if not provider.configurable:
                return resource_pb2.ResourceInvokeResponse(unknown=True)
            arguments = hash_assets(values_from_struct(request.args), self._folder)
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

    @property
    def _folder(self) -> str:
        return self._target.program_directory

    def _goal(self, request: Any) -> Goal:
        goal = goal_from_request(request, self._inherited, self._target.project_root, self._folder)
        if not goal.custom or is_provider(goal.type):
            return goal
        with self._run.lock:
            return replace(goal, provider=self._provider(request, goal))

    def _provider(self, request: Any, goal: Goal) -> str:
        package = package_of(goal.type)
        if request.provider:
            return str(request.provider)
        inherited = self._inherited.provider(goal.parent, package)
        return inherited if inherited else self._defaults.reference(package, request.version)

    def _depends_on_failed(self, goal: Goal) -> bool:
        failed = self._run.failed_urns
        if not failed:
            return False
        wanted = Resource(
            urn="",
            type=goal.type,
            custom=goal.custom,
            parent=goal.parent,
            provider=goal.provider,
            deleted_with=goal.deleted_with,
            dependencies=list(goal.dependencies),
            property_dependencies=goal.property_dependencies,
        )
        return not failed.isdisjoint(needs(wanted))

    def _answer(self, request: Any, state: Resource) -> Any:
        # A component that gets its own inputs back would wait for the resources among them, for
        # ever.
        values = state.outputs if state.custom else {}
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn, id=_wire_id(state), object=_wire(request, values)
        )

    def _failed_answer(self, request: Any, context: Any, urn: str) -> Any:
        if not request.supportsResultReporting:
            context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPED)
        return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.Result.FAIL)

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
            run.fail()
        except (EngineError, ProviderError, AssetError, ValueEncodingError) as error:
            run.error(str(error), _urn_of(request, self._planner.urn_of))
            run.fail()
        else:
            return
        finally:
            run.leave()
        context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPED)


def _urn_of(request: Any, make: Callable[[Goal], str]) -> str:
    if hasattr(request, "urn"):
        return str(request.urn)
    if not hasattr(request, "name"):
        return ""
    return make(Goal(type=request.type, name=request.name, custom=True, parent=request.parent))


def _wire_id(state: Resource) -> str:
    return "" if state.id == UNKNOWN_TEXT and not is_provider(state.type) else state.id


def _wire(request: Any, values: dict[str, Any]) -> Any:
    kept = values if request.acceptSecrets else unwrap_secrets(values)
    return struct_from_plain(encode(kept, keep_references=request.acceptResources))
