"""The models of a multi-model endpoint: loaded and unloaded on request, within a memory budget.

SageMaker decides what is loaded: a load that does not fit is answered 507, whereupon it unloads
models and asks again. Elsewhere the server may make room itself, see ADR 0022.

Everything here runs on the event loop, so that states change in one place; what takes time is
awaited. One model's failure is raised to who asked for that model, and to nobody else.

Source: SageMaker Developer Guide, "Custom Containers Contract for Multi-Model Endpoints", read 2026
"""

from __future__ import annotations

import asyncio
import bisect
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Protocol

from .errors import (
    ModelAlreadyLoadedError,
    ModelMemoryError,
    ModelNotLoadedError,
    ModelUnavailableError,
    RequestError,
    shown,
)
from .logs import log
from .multi_model_memory import give_memory_back, is_want_of_memory
from .multi_model_trial import manifest_digest, trial_bytes
from .predictor import Answer, Invocation, Predictor, load_predictor
from .settings import Settings

CONCURRENT_LOADS = 8
"""So many slow loads still leave the others their turn; each needs memory for its trial."""

LONGEST_UNLOAD_SECONDS = 300
"""SageMaker waits 360 s for an unload."""

REMEMBERED_SIZES = 10_000
PAGE_MODELS = 100
LONGEST_NAME = 1024
CANDIDATES_NAMED = 5


class ModelLoader(Protocol):
    """Gets models into memory; the one part of this that is slow."""

    async def measure(self, directory: Path) -> int:
        """Prove a model apart from the others and give the bytes it takes; raises ServerError."""

    async def load(self, directory: Path) -> Predictor:
        """Load a model; raises ServerError."""

    async def reclaim(self) -> None:
        """Give back the memory of models nothing refers to any more."""


class TrialLoader:
    """Measures in a process of its own, loads in threads.

    What was measured once is remembered by the digest of the manifest, and with it that the model
    is good: a model that comes back after an unload has no trial again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(CONCURRENT_LOADS, thread_name_prefix="model-load")
        self._trials = asyncio.Semaphore(CONCURRENT_LOADS)
        self._bytes_by_digest: dict[str, int] = {}

    async def measure(self, directory: Path) -> int:
        """Give a model's size, by a trial unless it is known."""
        loop = asyncio.get_running_loop()
        digest = await loop.run_in_executor(self._threads, manifest_digest, directory)
        known = None if digest is None else self._bytes_by_digest.get(digest)
        if known is not None:
            return known
        async with self._trials:
            measured = await trial_bytes(directory)
        if digest is not None and len(self._bytes_by_digest) < REMEMBERED_SIZES:
            self._bytes_by_digest[digest] = measured
        return measured

    async def load(self, directory: Path) -> Predictor:
        """Load in a thread."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, load_predictor, directory, self._settings
            )
        except Exception as error:
            if not is_want_of_memory(error):
                raise
            raise ModelMemoryError(
                f"there was no memory to load the model in {directory}; unload models"
            ) from error

    async def reclaim(self) -> None:
        """Give memory back, in a thread."""
        await asyncio.get_running_loop().run_in_executor(self._threads, give_memory_back)


class ModelState(StrEnum):
    """Where a model is between its load and the end of its unload."""

    LOADING = "loading"
    LOADED = "loaded"
    UNLOADING = "unloading"


@dataclass(eq=False, kw_only=True)
class _Entry:
    name: str
    url: str
    began: float
    last_used: float
    state: ModelState = ModelState.LOADING
    loading: asyncio.Task[None] | None = None
    predictor: Predictor | None = None
    reserved_bytes: int = 0
    in_use: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """A loaded model, by the names SageMaker knows it by."""

    name: str
    url: str


class MultiModel:
    """The models this server holds.

    Args:
        loader: gets them into memory
        budget_bytes: what they may take together
        makes_room: whether the least recently used model nobody uses is unloaded for a new one,
            instead of refusing the new one for SageMaker to do that
        clock: seconds that only go forward
        longest_unload_seconds: how long an unload waits for requests in flight
    """

    def __init__(
        self,
        loader: ModelLoader,
        *,
        budget_bytes: int,
        makes_room: bool,
        clock: Callable[[], float] = monotonic,
        longest_unload_seconds: float = LONGEST_UNLOAD_SECONDS,
    ) -> None:
        self._loader = loader
        self.budget_bytes = budget_bytes
        self._makes_room = makes_room
        self._clock = clock
        self._longest_unload_seconds = longest_unload_seconds
        self._entries: dict[str, _Entry] = {}

    @property
    def loaded_count(self) -> int:
        """How many models can be invoked."""
        return len(self._by_last_use())

    @property
    def reserved_bytes(self) -> int:
        """What the models that are loaded, or about to be, take together."""
        return sum(entry.reserved_bytes for entry in self._entries.values())

    async def load(self, name: str, url: str) -> None:
        """Load a model and return when it can be invoked; several loads of one model are one.

        Args:
            name: opaque; how it is invoked
            url: the folder it is in

        Raises:
            ModelAlreadyLoadedError: it is loaded, or the name is another folder's
            ModelMemoryError: it does not fit
            ArtifactError: it cannot be served
        """
        while (entry := self._entries.get(name)) is not None:
            if entry.state is ModelState.UNLOADING:
                await entry.settled.wait()
                continue
            if entry.state is ModelState.LOADED or entry.url != url:
                raise ModelAlreadyLoadedError(
                    f"model {shown(name)} is {entry.state} already, from {entry.url}; unload it "
                    "first to load it anew"
                )
            break
        else:
            check_model(name, url)
            now = self._clock()
            entry = _Entry(name=name, url=url, began=now, last_used=now)
            self._entries[name] = entry
            entry.loading = asyncio.create_task(self._load(entry))
            # Whoever asked may be gone by then, and nobody else asks how it ended.
            entry.loading.add_done_callback(lambda task: task.exception())
        assert entry.loading is not None
        await asyncio.shield(entry.loading)

    async def _load(self, entry: _Entry) -> None:
        directory = Path(entry.url)
        try:
            measured_bytes = await self._loader.measure(directory)
            await self._reserve(entry, measured_bytes)
            entry.predictor = await self._loader.load(directory)
        except BaseException:
            del self._entries[entry.name]
            raise
        entry.state = ModelState.LOADED
        entry.last_used = self._clock()
        entry.idle.set()
        log(
            logging.INFO,
            "model_loaded",
            model=entry.name,
            model_bytes=entry.reserved_bytes,
            reserved_bytes=self.reserved_bytes,
            budget_bytes=self.budget_bytes,
            load_ms=round((self._clock() - entry.began) * 1000),
        )

    async def _reserve(self, entry: _Entry, wanted_bytes: int) -> None:
        if self._makes_room and wanted_bytes <= self.budget_bytes:
            while self.reserved_bytes + wanted_bytes > self.budget_bytes:
                unused = [each for each in self._by_last_use() if each.in_use == 0]
                if not unused:
                    break
                log(logging.INFO, "making_room", model=unused[0].name, for_model=entry.name)
                await self._unload(unused[0])
        free_bytes = self.budget_bytes - self.reserved_bytes
        if wanted_bytes > free_bytes:
            candidates = ", ".join(each.name for each in self._by_last_use()[:CANDIDATES_NAMED])
            raise ModelMemoryError(
                f"model {shown(entry.name)} takes {wanted_bytes} bytes and {max(0, free_bytes)} of "
                f"{self.budget_bytes} are free; unload models (least recently used first: "
                f"{candidates or 'none is loaded'}) or raise GREENLIGHT_MODEL_MEMORY_BYTES"
            )
        entry.reserved_bytes = wanted_bytes

    def _by_last_use(self) -> list[_Entry]:
        loaded = [each for each in self._entries.values() if each.state is ModelState.LOADED]
        return sorted(loaded, key=lambda each: each.last_used)

    async def unload(self, name: str) -> None:
        """Unload a model: no new request gets it, those in flight are answered, then it is gone.

        Raises:
            ModelNotLoadedError: it is not there, or its load failed meanwhile
            ModelUnavailableError: a request did not end in time; the model stays
        """
        entry = self._entries.get(name)
        if entry is not None and entry.loading is not None and not entry.loading.done():
            await asyncio.wait({entry.loading})
            entry = self._entries.get(name)
        if entry is None:
            raise self._not_loaded(name)
        await self._unload(entry)

    async def _unload(self, entry: _Entry) -> None:
        if entry.state is ModelState.UNLOADING:
            await entry.settled.wait()
            if self._entries.get(entry.name) is entry:
                raise self._still_used(entry)
            return
        entry.state = ModelState.UNLOADING
        try:
            async with asyncio.timeout(self._longest_unload_seconds):
                await entry.idle.wait()
        except TimeoutError as error:
            raise self._still_used(entry) from error
        else:
            entry.predictor = None
            await self._loader.reclaim()
        finally:
            # However it ended, the model serves or is gone, and whoever waits for that goes on.
            if entry.predictor is None:
                del self._entries[entry.name]
            else:
                entry.state = ModelState.LOADED
            entry.settled.set()
            entry.settled = asyncio.Event()
        log(logging.INFO, "model_unloaded", model=entry.name, reserved_bytes=self.reserved_bytes)

    async def answer(self, name: str, invocation: Invocation) -> Answer:
        """Answer an invocation of a model.

        Raises:
            ModelNotLoadedError: it is not loaded, not yet, or not any more
            RequestError, PredictionError: as the model's predictor
        """
        entry = self._entries.get(name)
        if entry is None or entry.state is not ModelState.LOADED or entry.predictor is None:
            raise self._not_loaded(name)
        entry.in_use += 1
        entry.idle.clear()
        try:
            return await entry.predictor.answer(invocation)
        finally:
            entry.in_use -= 1
            entry.last_used = self._clock()
            if entry.in_use == 0:
                entry.idle.set()

    def get(self, name: str) -> ListedModel:
        """Give a loaded model.

        Raises:
            ModelNotLoadedError: it is not loaded
        """
        entry = self._entries.get(name)
        if entry is None or entry.state is not ModelState.LOADED:
            raise self._not_loaded(name)
        return ListedModel(name=entry.name, url=entry.url)

    def page(
        self, after: str | None, count: int = PAGE_MODELS
    ) -> tuple[list[ListedModel], str | None]:
        """Give loaded models in the order of their names, and the last name if there are more.

        Args:
            after: the last name of the page before; it need not be loaded any more
            count: most models of a page
        """
        names = sorted(each.name for each in self._by_last_use())
        first = 0 if after is None else bisect.bisect_right(names, after)
        chosen = names[first : first + count]
        models = [self.get(name) for name in chosen]
        return models, chosen[-1] if first + count < len(names) else None

    def _still_used(self, entry: _Entry) -> ModelUnavailableError:
        return ModelUnavailableError(
            f"model {shown(entry.name)} still answers {entry.in_use} requests after "
            f"{self._longest_unload_seconds:g} s; it stays loaded: ask again"
        )

    def _not_loaded(self, name: str) -> ModelNotLoadedError:
        entry = self._entries.get(name)
        if entry is None:
            return ModelNotLoadedError(
                f"model {shown(name)} is not loaded; load it by POST /models"
            )
        since = self._clock() - entry.began
        if entry.state is ModelState.LOADING:
            return ModelNotLoadedError(
                f"model {shown(name)} is still loading, since {since:.1f} s; ask again"
            )
        return ModelNotLoadedError(f"model {shown(name)} is being unloaded; load it anew")


def check_model(name: str, url: str) -> None:
    """Refuse what cannot be a model's name or folder.

    Raises:
        RequestError: says what it must be
    """
    if not 0 < len(name) <= LONGEST_NAME:
        raise RequestError(f"model_name has {len(name)} characters; give 1 to {LONGEST_NAME}")
    path = Path(url)
    try:
        is_folder = path.is_absolute() and path.is_dir()
    except ValueError:  # a NUL character
        is_folder = False
    if not is_folder:
        raise RequestError(
            f"url {shown(url)} is no folder of this container; give the absolute path of an "
            "unpacked artifact, such as /opt/ml/models/NAME/model"
        )
