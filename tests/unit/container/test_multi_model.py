"""Models loaded and unloaded by requests, with loads that end when the test says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from server.errors import (
    ArtifactError,
    ModelAlreadyLoadedError,
    ModelMemoryError,
    ModelNotLoadedError,
    ModelUnavailableError,
    PredictionError,
    RequestError,
    ServerError,
)
from server.multi_model import ListedModel, MultiModel
from server.predictor import Answer, Invocation, Predictor
from tests.support.rsgi import RequestHeaders

INVOCATION = Invocation(b"{}", RequestHeaders({}), "1")


class NamedPredictor:
    """Answers with the name of its folder; `gate` holds answers back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate: asyncio.Event | None = None
        self.failure: ServerError | None = None

    async def answer(self, invocation: Invocation) -> Answer:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Answer("text/plain", self.name.encode())


class SizedLoader:
    """Loads folders named after their size in bytes, such as `a-40`; `bad` ones are refused."""

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.reclaimed = 0
        self.failure: Exception | None = None
        self.gates: dict[str, asyncio.Event] = {}
        self.predictors: dict[str, NamedPredictor] = {}

    async def measure(self, directory: Path) -> int:
        self.measured.append(directory.name)
        self.begun.put_nowait(directory.name)
        if directory.name in self.gates:
            await self.gates[directory.name].wait()
        if directory.name.startswith("bad"):
            raise ArtifactError(f"{directory.name} is damaged")
        return int(directory.name.rpartition("-")[2])

    async def load(self, directory: Path) -> Predictor:
        self.predictors[directory.name] = NamedPredictor(directory.name)
        return self.predictors[directory.name]

    async def reclaim(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.reclaimed += 1


class World:
    """A server of models of 100 bytes together, and folders to load."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.root = root
        self.loader = SizedLoader()
        ticks = itertools.count()
        self.models = MultiModel(
            self.loader,
            budget_bytes=100,
            clock=lambda: float(next(ticks)),
            **{"makes_room": False, **options},
        )

    def url(self, folder: str) -> str:
        (self.root / folder).mkdir(exist_ok=True)
        return str(self.root / folder)

    async def load(self, *folders: str) -> None:
        for folder in folders:
            await self.models.load(folder, self.url(folder))

    async def ask(self, name: str) -> bytes:
        return (await self.models.answer(name, INVOCATION)).body

    def names(self) -> list[str]:
        return [model.name for model in self.models.page(None)[0]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(story: Awaitable[None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(10):
            await story

    asyncio.run(within())


def test_a_loaded_model_is_listed_and_answers_until_it_is_unloaded(world: World) -> None:
    async def story() -> None:
        await world.load("a-40", "b-30")

        assert await world.ask("a-40") == b"a-40"
        assert world.models.get("b-30") == ListedModel(name="b-30", url=world.url("b-30"))
        assert world.models.reserved_bytes == 70
        await world.models.unload("a-40")
        assert world.names() == ["b-30"]
        assert world.models.reserved_bytes == 30
        assert world.loader.reclaimed == 1
        with pytest.raises(ModelNotLoadedError, match="'a-40' is not loaded; load it by POST"):
            await world.ask("a-40")

    run(story())


def test_a_model_that_does_not_fit_is_refused_and_the_least_recently_used_is_named(
    world: World,
) -> None:
    async def story() -> None:
        await world.load("a-40", "b-50")
        await world.ask("a-40")

        with pytest.raises(ModelMemoryError) as caught:
            await world.load("c-20")

        assert str(caught.value) == (
            "model 'c-20' takes 20 bytes and 10 of 100 are free; unload models (least recently "
            "used first: b-50, a-40) or raise GREENLIGHT_MODEL_MEMORY_BYTES"
        )
        assert world.names() == ["a-40", "b-50"]
        await world.models.unload("b-50")
        await world.load("c-20")
        assert world.names() == ["a-40", "c-20"]

    run(story())


def test_told_to_make_room_the_server_unloads_the_least_recently_used(tmp_path: Path) -> None:
    world = World(tmp_path, makes_room=True)

    async def story() -> None:
        await world.load("a-40", "b-50")
        await world.ask("a-40")

        await world.load("c-20")
        assert world.names() == ["a-40", "c-20"]

        with pytest.raises(ModelMemoryError, match="'d-101' takes 101 bytes and 40 of 100"):
            await world.load("d-101")
        assert world.names() == ["a-40", "c-20"]

    run(story())


def test_a_model_in_use_makes_no_room(tmp_path: Path) -> None:
    world = World(tmp_path, makes_room=True)

    async def story() -> None:
        await world.load("a-90")
        gate = world.loader.predictors["a-90"].gate = asyncio.Event()
        asking = asyncio.create_task(world.ask("a-90"))
        await asyncio.sleep(0)

        with pytest.raises(ModelMemoryError):
            await world.load("b-50")
        gate.set()

        assert await asking == b"a-90"

    run(story())


def test_loads_of_one_model_at_once_are_one_load(world: World) -> None:
    async def story() -> None:
        gate = world.loader.gates["a-40"] = asyncio.Event()
        loads = [asyncio.create_task(world.load("a-40")) for _ in range(3)]
        await world.loader.begun.get()
        with pytest.raises(ModelNotLoadedError, match="'a-40' is still loading, since"):
            await world.ask("a-40")
        with pytest.raises(ModelNotLoadedError, match="is still loading"):
            world.models.get("a-40")
        assert world.names() == []
        gate.set()
        await asyncio.gather(*loads)

        assert world.loader.measured == ["a-40"]
        assert world.names() == ["a-40"]

    run(story())


def test_a_loaded_name_is_refused_whatever_folder_is_given(world: World) -> None:
    async def story() -> None:
        await world.load("a-40")

        with pytest.raises(ModelAlreadyLoadedError, match="'a-40' is loaded already, from "):
            await world.load("a-40")
        with pytest.raises(ModelAlreadyLoadedError, match="unload it first"):
            await world.models.load("a-40", world.url("b-30"))
        assert world.loader.measured == ["a-40"]

    run(story())


def test_a_slow_load_holds_up_no_other_model(world: World) -> None:
    async def story() -> None:
        gate = world.loader.gates["slow-40"] = asyncio.Event()
        slow = asyncio.create_task(world.load("slow-40"))
        await world.loader.begun.get()

        await world.load("a-40")

        assert await world.ask("a-40") == b"a-40"
        gate.set()
        await slow
        assert world.names() == ["a-40", "slow-40"]

    run(story())


def test_a_bad_model_is_refused_to_everyone_who_loads_it_and_may_be_tried_again(
    world: World,
) -> None:
    async def story() -> None:
        await world.load("a-40")
        loads = [world.load("bad-10"), world.load("bad-10")]

        ends = await asyncio.gather(*loads, return_exceptions=True)

        assert [str(end) for end in ends] == ["bad-10 is damaged"] * 2
        assert world.loader.measured == ["a-40", "bad-10"]
        assert await world.ask("a-40") == b"a-40"
        with pytest.raises(ArtifactError):
            await world.load("bad-10")
        assert world.models.reserved_bytes == 40

    run(story())


def test_a_model_that_fails_on_a_request_stays_and_leaves_the_others_alone(world: World) -> None:
    async def story() -> None:
        await world.load("a-40", "b-30")
        world.loader.predictors["a-40"].failure = PredictionError("it raised")

        with pytest.raises(PredictionError):
            await world.ask("a-40")

        assert await world.ask("b-30") == b"b-30"
        await world.models.unload("a-40")

    run(story())


def test_an_unload_waits_for_requests_in_flight_and_lets_no_new_one_in(world: World) -> None:
    async def story() -> None:
        await world.load("a-40")
        gate = world.loader.predictors["a-40"].gate = asyncio.Event()
        asking = asyncio.create_task(world.ask("a-40"))
        await asyncio.sleep(0)
        unloads = [asyncio.create_task(world.models.unload("a-40")) for _ in range(2)]
        again = asyncio.create_task(world.load("a-40"))
        await asyncio.sleep(0)

        with pytest.raises(ModelNotLoadedError, match="'a-40' is being unloaded"):
            await world.ask("a-40")
        assert not any(task.done() for task in (*unloads, again))
        gate.set()

        assert await asking == b"a-40"
        await asyncio.gather(*unloads)
        await again
        assert await world.ask("a-40") == b"a-40"

    run(story())


def test_a_request_that_never_ends_keeps_its_model(tmp_path: Path) -> None:
    world = World(tmp_path, longest_unload_seconds=0.01)

    async def story() -> None:
        await world.load("a-40")
        predictor = world.loader.predictors["a-40"]
        predictor.gate = asyncio.Event()
        asking = asyncio.create_task(world.ask("a-40"))
        await asyncio.sleep(0)

        ends = await asyncio.gather(
            world.models.unload("a-40"),
            world.models.unload("a-40"),
            world.load("a-40"),
            return_exceptions=True,
        )

        kinds = [type(end) for end in ends]
        assert kinds == [ModelUnavailableError, ModelUnavailableError, ModelAlreadyLoadedError]
        assert "still answers 1 requests" in str(ends[0])
        predictor.gate.set()
        assert await asking == b"a-40"
        await world.models.unload("a-40")
        assert world.names() == []

    run(story())


def test_an_unload_that_does_not_end_well_leaves_a_model_that_serves_or_none(world: World) -> None:
    async def story() -> None:
        await world.load("a-40")
        gate = world.loader.predictors["a-40"].gate = asyncio.Event()
        asking = asyncio.create_task(world.ask("a-40"))
        await asyncio.sleep(0)
        given_up = asyncio.create_task(world.models.unload("a-40"))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.set()
        assert await asking == await world.ask("a-40") == b"a-40"
        world.loader.failure = MemoryError()
        with pytest.raises(MemoryError):
            await world.models.unload("a-40")
        assert world.names() == []

    run(story())


def test_a_model_that_loads_is_unloaded_when_it_has_loaded(world: World) -> None:
    async def story() -> None:
        gate = world.loader.gates["a-40"] = asyncio.Event()
        world.loader.gates["bad-10"] = gate
        loads = [asyncio.create_task(world.load(name)) for name in ("a-40", "bad-10")]
        assert {await world.loader.begun.get() for _ in loads} == {"a-40", "bad-10"}
        unloads = [asyncio.create_task(world.models.unload(name)) for name in ("a-40", "bad-10")]
        await asyncio.sleep(0)
        gate.set()

        ends = await asyncio.gather(*loads, *unloads, return_exceptions=True)

        assert ends[0] is None
        assert isinstance(ends[1], ArtifactError)
        assert ends[2] is None
        assert isinstance(ends[3], ModelNotLoadedError)
        assert world.names() == []

    run(story())


def test_the_list_comes_in_pages_that_survive_changes(world: World) -> None:
    async def story() -> None:
        await world.load("a-1", "b-1", "c-1", "d-1", "e-1")

        first, token = world.models.page(None, 2)
        await world.models.unload("b-1")
        second, next_token = world.models.page(token, 2)
        third, last_token = world.models.page(next_token, 2)

        pages = [[model.name for model in page] for page in (first, second, third)]
        assert pages == [["a-1", "b-1"], ["c-1", "d-1"], ["e-1"]]
        assert (token, next_token, last_token) == ("b-1", "d-1", None)

    run(story())


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("", ".", "model_name has 0 characters; give 1 to 1024"),
        ("x" * 1025, ".", "model_name has 1025 characters"),
        ("a", "relative/folder", "url 'relative/folder' is no folder of this container"),
        ("a", "/nowhere/at/all", "url '/nowhere/at/all' is no folder"),
        ("a", "/a\0b", "is no folder of this container; give the absolute path"),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_name(
    world: World, name: str, url: str, message: str
) -> None:
    async def story() -> None:
        with pytest.raises(RequestError) as caught:
            await world.models.load(name, url)

        assert message in str(caught.value)
        assert world.loader.measured == []

    run(story())
