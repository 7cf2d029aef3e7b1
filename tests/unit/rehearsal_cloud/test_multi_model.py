"""The models of one container, against a container that answers as it is told."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.fleets.artifacts import ArtifactCache
from rehearsal.cloud.fleets.model_api import ModelApi, ModelNotLoaded
from rehearsal.cloud.fleets.multi_model import ModelNotReady, MultiModel, TargetModelMissing
from rehearsal.cloud.runtime.connection import Answer, ConnectionPool
from tests.support.cloud import gzip_tar


class Shelf:
    """Objects of bucket `b` in a dictionary; counts what was read."""

    def __init__(self, *names: str) -> None:
        self.objects = {f"m/{name}": gzip_tar({"name": name.encode()}) for name in names}
        self.reads: list[str] = []

    def read(self, bucket: str, key: str) -> bytes | None:
        self.reads.append(key)
        return self.objects.get(key)

    def keys(self, bucket: str, prefix: str) -> list[str] | None:
        return list(self.objects)


class Container(ModelApi):
    """Holds so many models; each load is answered by the next status told, then 200."""

    def __init__(self, memory: int = 10) -> None:
        super().__init__(ConnectionPool(0))
        self.memory = memory
        self.statuses: list[int] = []
        self.held: list[str] = []
        self.open = threading.Event()
        self.open.set()

    def load(self, model_id: str, url: str, *, target: str, timeout_seconds: float) -> Answer:
        self.open.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200 and len(self.held) >= self.memory:
            status = 507
        if status == 200:
            self.held.append(target)
        return Answer(status=status, headers={}, body=b"told")

    def unload(self, model_id: str, *, target: str) -> Answer:
        self.held.remove(target)
        return Answer(status=200, headers={}, body=b"")

    def is_loaded(self, model_id: str) -> bool:
        return False


def models(container: Container, shelf: Shelf, directory: Path, **more: Any) -> MultiModel:
    return MultiModel(
        api=container,
        prefix_url="s3://b/m/",
        artifacts=ArtifactCache(directory / "cache", shelf),
        directory=directory / "instance",
        path_of=str,
        note=lambda text: None,
        **more,
    )


def use(found: MultiModel, target: str) -> bool:
    """Invoke a model for a moment; tell whether it was loaded already."""
    with found.invoke_path(target, timeout_seconds=10) as loaded:
        return loaded.cache_hit


def metrics(found: MultiModel) -> list[str]:
    return [timing.metric for timing in found.take_timings()]


@pytest.mark.source("DG monitoring-cloudwatch: multi-model model loading metrics")
def test_loading_is_timed_once_and_a_later_request_is_a_hit(tmp_path: Path) -> None:
    found = models(Container(), Shelf("a"), tmp_path)

    first, second = use(found, "a"), use(found, "a")

    assert (first, second) == (False, True)
    assert metrics(found) == ["ModelDownloadingTime", "ModelLoadingTime"]
    assert metrics(found) == []
    assert found.loaded_count == 1


@pytest.mark.source("DG how multi-model endpoints work: unloaded models stay on the disk")
def test_a_model_that_had_to_go_comes_back_without_a_download(tmp_path: Path) -> None:
    shelf = Shelf("a", "b")
    found = models(Container(memory=1), shelf, tmp_path)

    use(found, "a")
    use(found, "b")
    metrics(found)
    use(found, "a")

    assert metrics(found) == ["ModelUnloadingTime", "ModelLoadingTime"]
    assert shelf.reads == ["m/a", "m/b"]


def test_a_model_in_use_is_not_unloaded_for_another(tmp_path: Path) -> None:
    container = Container(memory=1)
    found = models(container, Shelf("a", "b"), tmp_path)

    with found.invoke_path("a", timeout_seconds=10):
        with pytest.raises(ModelNotReady):
            found.invoke_path("b", timeout_seconds=0.1)
        assert container.held == ["a"]

    use(found, "b")
    assert container.held == ["b"]


def test_without_anything_to_unload_the_containers_507_is_the_answer(tmp_path: Path) -> None:
    found = models(Container(memory=0), Shelf("a"), tmp_path)

    with pytest.raises(ModelNotLoaded, match="answered 507") as caught:
        found.invoke_path("a", timeout_seconds=10)

    assert (caught.value.status, caught.value.body) == (507, "told")
    assert not found.holds("a")


@pytest.mark.source("DG mms-container-apis: 409, the model is loaded already")
def test_a_model_the_container_has_already_counts_as_loaded(tmp_path: Path) -> None:
    container = Container()
    container.statuses = [409]
    found = models(container, Shelf("a"), tmp_path)

    use(found, "a")

    assert found.holds("a")


def test_a_request_that_waits_too_long_is_not_ready_and_the_load_goes_on(tmp_path: Path) -> None:
    container = Container()
    container.open.clear()
    found = models(container, Shelf("a"), tmp_path)

    with pytest.raises(ModelNotReady, match="a is not ready"):
        found.invoke_path("a", timeout_seconds=0.01)
    container.open.set()

    use(found, "a")
    assert container.held == ["a"]


def test_a_missing_model_names_bucket_and_key_and_may_come_later(tmp_path: Path) -> None:
    shelf = Shelf()
    found = models(Container(), shelf, tmp_path)

    with pytest.raises(TargetModelMissing, match=r"\(bucket: b, key: m/a\)"):
        found.invoke_path("a", timeout_seconds=10)
    shelf.objects["m/a"] = gzip_tar({"name": b"a"})

    assert not use(found, "a")


def test_a_model_the_role_may_not_read_is_as_good_as_missing(tmp_path: Path) -> None:
    shelf = Shelf("a")
    found = models(Container(), shelf, tmp_path, may_download=lambda url: url != "s3://b/m/a")

    with pytest.raises(TargetModelMissing, match="has permissions to download the object"):
        found.invoke_path("a", timeout_seconds=10)

    assert shelf.reads == []


def test_a_model_the_container_lost_is_loaded_again(tmp_path: Path) -> None:
    container = Container()
    found = models(container, Shelf("a"), tmp_path)
    with found.invoke_path("a", timeout_seconds=10) as loaded:
        container.held.clear()
        assert loaded.is_lost()

    assert not use(found, "a")
    assert container.held == ["a"]
