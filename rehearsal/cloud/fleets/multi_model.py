"""The models one multi-model container holds: downloaded, loaded, unloaded as requests need them.

SageMaker's side of the container's model API. Nothing here invokes a model: who invokes takes the
path from `invoke_path` and keeps the model in use until it is done.

Source: SageMaker Developer Guide, "Custom Containers Contract for Multi-Model Endpoints", "Invoke
a Multi-Model Endpoint", "How multi-model endpoints work"; read 2026.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from rehearsal.cloud.fleets.artifacts import (
    ArtifactCache,
    ArtifactError,
    linked_copy,
)
from rehearsal.cloud.fleets.definition import ModelData
from rehearsal.cloud.fleets.model_api import LOAD_WALL_SECONDS, ModelApi, ModelNotLoaded
from rehearsal.cloud.s3_url import bucket_and_key

logger = logging.getLogger(__name__)

# What a container is given as the root of `url`; a process gets a directory of this machine.
MODELS_ROOT = "/opt/ml/models"
MAXIMUM_TIMINGS = 10_000
RETRY_PAUSE_WALL_SECONDS = 0.05
NO_MEMORY = 507


class ModelNotReady(Exception):
    """The model still loads; the text is ModelNotReadyException's."""


class TargetModelMissing(Exception):
    """The target model can't be downloaded; the text is ValidationError's."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            f"Failed to download model data (bucket: {bucket}, key: {key}). Please ensure that "
            "there is an object located at the URL and that the role passed to CreateModel has "
            "permissions to download the object."
        )
        self.bucket = bucket
        self.key = key


class ModelState(StrEnum):
    """Where a model is on one instance."""

    ABSENT = "absent"
    LOADING = "loading"
    LOADED = "loaded"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One value for one of SageMaker's multi-model metrics, in microseconds."""

    metric: str
    microseconds: float


@dataclass(eq=False)
class _Model:
    """One target model on this instance; guarded by MultiModel's lock."""

    target: str
    model_id: str
    state: ModelState = ModelState.ABSENT
    directory: Path | None = None
    in_use: int = 0
    last_used: float = 0.0
    loading: Future[None] | None = None
    # Held through every load and unload, so that the container never sees two at once.
    work: threading.Lock = field(default_factory=threading.Lock)


@dataclass(eq=False, kw_only=True)
class Loaded:
    """A model kept loaded until `done`; as a context manager it is done at the end.

    Args:
        path: where to POST the invocation
        cache_hit: whether the model was loaded already
        waiting_us: how long this request waited for download and load, in microseconds
    """

    path: str
    cache_hit: bool
    waiting_us: float
    _model: _Model
    _owner: MultiModel

    def __enter__(self) -> Loaded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, _: TracebackType | None
    ) -> None:
        self.done()

    def done(self) -> None:
        """Let the model be unloaded again."""
        self._owner.finish(self._model)

    def is_lost(self) -> bool:
        """Ask the container after a 404; True when it doesn't hold the model any more."""
        return self._owner.is_lost(self._model)


class MultiModel:
    """The models of one container of one instance.

    Args:
        prefix_url: the container's ModelDataUrl; a target model's key is this plus its name
        directory: where this instance's models lie
        path_of: how the container names a path of this machine
        may_download: whether the model's role may read the object at a URL
        caches_models: False unloads each model once nobody uses it
        download_wall_seconds: how long one model's download may take
    """

    def __init__(
        self,
        *,
        api: ModelApi,
        prefix_url: str,
        artifacts: ArtifactCache,
        directory: Path,
        path_of: Callable[[Path], str],
        note: Callable[[str], None],
        may_download: Callable[[str], bool] = lambda url: True,
        caches_models: bool = True,
        download_wall_seconds: float = float("inf"),
    ) -> None:
        self._api = api
        self._prefix_url = prefix_url if prefix_url.endswith("/") else f"{prefix_url}/"
        self._artifacts = artifacts
        self._directory = directory
        self._path_of = path_of
        self._tell = note
        self._may_download = may_download
        self._caches_models = caches_models
        self._download_wall_seconds = download_wall_seconds
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}
        self._timings: deque[Timing] = deque(maxlen=MAXIMUM_TIMINGS)

    # ---- what requests need

    def invoke_path(self, target_model: str, *, timeout_seconds: float) -> Loaded:
        """Return where to invoke a target model, loaded first if it isn't.

        Args:
            target_model: the request's TargetModel
            timeout_seconds: wall seconds this request may wait; the load goes on beyond them

        Raises:
            ModelNotReady: it still loads
            TargetModelMissing: there is no such object, or it can't be laid out
            ModelNotLoaded: the container refused it
        """
        began = time.perf_counter()
        with self._lock:
            model = self._models.get(target_model)
            if model is None:
                model = _Model(target=target_model, model_id=model_id_of(target_model))
                self._models[target_model] = model
            cache_hit = model.state is ModelState.LOADED
            if model.state is ModelState.ABSENT:
                self._begin_load(model)
            loading = model.loading
            model.in_use += 1
            model.last_used = time.monotonic()
        if not cache_hit:
            assert loading is not None
            self._await(model, loading, timeout_seconds)
        return Loaded(
            path=f"/models/{model.model_id}/invoke",
            cache_hit=cache_hit,
            waiting_us=0.0 if cache_hit else _microseconds_since(began),
            _model=model,
            _owner=self,
        )

    def holds(self, target_model: str) -> bool:
        """Tell whether this instance has the model loaded, or is about to."""
        model = self._models.get(target_model)
        return model is not None and model.state is not ModelState.ABSENT

    @property
    def loaded_count(self) -> int:
        """How many models are loaded now."""
        with self._lock:
            return sum(m.state is ModelState.LOADED for m in self._models.values())

    def take_timings(self) -> list[Timing]:
        """Return what loading and unloading took since the last call, and forget it."""
        taken = []
        while self._timings:
            taken.append(self._timings.popleft())
        return taken

    def finish(self, model: _Model) -> None:
        """Count a use out; without caching the model goes when nobody uses it, disk and all."""
        with self._lock:
            model.in_use -= 1
            model.last_used = time.monotonic()
            unload = not self._caches_models and model.in_use == 0
        if unload:
            threading.Thread(target=self._drop, args=(model,), daemon=True).start()

    def is_lost(self, model: _Model) -> bool:
        """Ask the container for a model; forget it when it answers 404."""
        if self._api.is_loaded(model.model_id):
            return False
        with self._lock:
            if model.state is ModelState.LOADED:
                model.state = ModelState.ABSENT
        self._tell(f"model {model.model_id} of {model.target} is not loaded any more")
        return True

    # ---- loading

    def _begin_load(self, model: _Model) -> None:
        model.state = ModelState.LOADING
        model.loading = Future()
        threading.Thread(
            target=self._load_in_thread, args=(model, model.loading), daemon=True
        ).start()

    def _await(self, model: _Model, loading: Future[None], timeout_seconds: float) -> None:
        # The request gives the model up in every case but a finished load.
        try:
            loading.result(timeout=timeout_seconds)
        except (FutureTimeout, TargetModelMissing, ModelNotLoaded) as err:
            with self._lock:
                model.in_use -= 1
            if isinstance(err, FutureTimeout):
                raise ModelNotReady(
                    f"Model {model.target} is not ready for inference requests yet. Please try "
                    "your request again."
                ) from err
            raise

    def _load_in_thread(self, model: _Model, loading: Future[None]) -> None:
        # A thread's edge: whoever waits must hear of any end of it.
        try:
            with model.work:
                self._load(model)
        except (TargetModelMissing, ModelNotLoaded) as err:
            self._give_up(model, loading, err)
        except Exception as err:
            logger.exception("load failed target_model=%s", model.target)
            self._give_up(model, loading, ModelNotLoaded(0, f"loading failed: {err!r}"))
        else:
            with self._lock:
                model.state = ModelState.LOADED
                model.last_used = time.monotonic()
            loading.set_result(None)

    def _give_up(self, model: _Model, loading: Future[None], err: Exception) -> None:
        self._tell(f"model {model.target}: {err}")
        with self._lock:
            model.state = ModelState.ABSENT
        loading.set_exception(err)

    def _load(self, model: _Model) -> None:
        if model.directory is None:
            model.directory = self._download(model)
        deadline = time.monotonic() + LOAD_WALL_SECONDS
        url = self._path_of(model.directory)
        while True:
            began = time.perf_counter()
            left = max(0.001, deadline - time.monotonic())
            answer = self._api.load(model.model_id, url, target=model.target, timeout_seconds=left)
            # 409: the container holds it already, loaded by itself or by a request before this.
            if answer.status in (200, 409):
                self._note("ModelLoadingTime", began)
                return
            if answer.status != NO_MEMORY or not self._make_room(model, deadline):
                raise ModelNotLoaded(answer.status, answer.body.decode("utf-8", "replace"))

    def _download(self, model: _Model) -> Path:
        began = time.perf_counter()
        url = self._prefix_url + model.target
        deadline = time.monotonic() + self._download_wall_seconds
        if not self._may_download(url):
            self._tell(f"model data: the role may not read {url}")
            raise TargetModelMissing(*bucket_and_key(url))
        try:
            found = self._artifacts.directory_of(ModelData(url=url), deadline=deadline)
        except ArtifactError as err:
            self._tell(f"model data: {err}")
            raise TargetModelMissing(*bucket_and_key(url)) from err
        target = self._directory / model.model_id / "model"
        linked_copy(found, target)
        self._note("ModelDownloadingTime", began)
        return target

    # ---- unloading

    def _make_room(self, model: _Model, deadline: float) -> bool:
        """Unload the least recently used model nobody uses; False when there never is one."""
        while time.monotonic() < deadline:
            with self._lock:
                loaded = [
                    each
                    for each in self._models.values()
                    if each is not model and each.state is ModelState.LOADED
                ]
                idle = sorted((m for m in loaded if m.in_use == 0), key=lambda m: m.last_used)
            if not loaded:
                return False
            for candidate in idle:
                if self._unload(candidate):
                    return True
            time.sleep(RETRY_PAUSE_WALL_SECONDS)
        return False

    def _drop(self, model: _Model) -> None:
        """Unload a model that isn't to be cached, and delete its files.

        Source: SageMaker Developer Guide, "Set multi-model endpoint model caching behavior"
        """
        if not self._unload(model):
            return
        with model.work, self._lock:
            if model.state is ModelState.ABSENT and model.directory is not None:
                shutil.rmtree(model.directory, ignore_errors=True)
                model.directory = None

    def _unload(self, model: _Model) -> bool:
        """Unload a model unless somebody uses or works on it; tell whether that was done.

        Its files stay on the instance, so that it can be loaded again without a download.
        """
        if not model.work.acquire(blocking=False):
            return False
        try:
            with self._lock:
                if model.state is not ModelState.LOADED or model.in_use > 0:
                    return False
                model.state = ModelState.ABSENT
            began = time.perf_counter()
            answer = self._api.unload(model.model_id, target=model.target)
            self._note("ModelUnloadingTime", began)
            if answer.status not in (200, 404):
                self._tell(f"unloading {model.target} answered {answer.status}")
            return True
        except ModelNotLoaded as err:
            self._tell(f"unloading {model.target}: {err.body}")
            return True
        finally:
            model.work.release()

    # ---- shared

    def _note(self, metric: str, began: float) -> None:
        self._timings.append(Timing(metric=metric, microseconds=_microseconds_since(began)))


def model_id_of(target_model: str) -> str:
    """Return the opaque id a container knows a target model by."""
    return hashlib.sha256(target_model.encode()).hexdigest()[:32]


def _microseconds_since(began: float) -> float:
    return (time.perf_counter() - began) * 1e6
