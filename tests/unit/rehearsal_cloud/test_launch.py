"""How an instance ends and what it says when it can't start; containers are told, not run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.fleets.instance import Container, Instance, InstanceSpec, InstanceState
from rehearsal.cloud.fleets.launch import Launcher, stream_of
from rehearsal.cloud.fleets.prepare import Preparer, download_failed
from rehearsal.cloud.fleets.start import ping_failed
from rehearsal.cloud.record import Record
from rehearsal.cloud.runtime.connection import ConnectionPool


class Stubborn:
    """A container that ends only when it is given little time; keeps the times it was given."""

    pid = None
    port = 0

    def __init__(self) -> None:
        self.graces: list[float] = []
        self.ended = threading.Event()
        self.told = threading.Event()

    def exit_code(self) -> int | None:
        return 0 if self.ended.is_set() else None

    def stop(self, grace_seconds: float) -> None:
        self.graces.append(grace_seconds)
        if grace_seconds <= 10:
            self.ended.set()
        self.told.set()
        self.ended.wait(10)

    def lines(self) -> Iterator[str]:
        return iter(())

    def path_of(self, path: Path) -> str:
        return str(path)


def an_instance(model: dict[str, Any] | None, *containers: Container, **more: Any) -> Instance:
    spec = InstanceSpec(
        instance_id="i-1",
        endpoint_name="e",
        config_name="c",
        variant_name="main",
        fleet_id="f",
        model=model,
        definition={},
        **more,
    )
    return Instance(spec=spec, state=InstanceState.HEALTHY, containers=containers)


def a_launcher(directory: Path) -> Launcher:
    nothing: Any = None
    preparer = Preparer(images=nothing, artifacts=nothing, access=nothing, directory=directory)
    clock = ManualClock()
    return Launcher(
        clock=clock,
        preparer=preparer,
        runtime=nothing,
        log=lambda *_: None,
        record=Record(clock),
    )


def a_container(hostname: str, running: Stubborn) -> Container:
    return Container(hostname=hostname, running=running, pool=ConnectionPool(0))


def test_every_container_of_an_instance_is_told_to_end_at_once(tmp_path: Path) -> None:
    first, second = Stubborn(), Stubborn()
    instance = an_instance(None, a_container("a", first), a_container("b", second))
    launcher = a_launcher(tmp_path)
    thread = threading.Thread(target=launcher.stop, args=(instance,))

    thread.start()
    assert first.told.wait(5)
    assert second.told.wait(5)
    launcher.ending.set()
    thread.join(5)

    assert instance.state is InstanceState.GONE


def test_the_end_of_the_cloud_cuts_the_grace_short(tmp_path: Path) -> None:
    running = Stubborn()
    instance = an_instance(None, a_container("primary", running))
    launcher = a_launcher(tmp_path)
    thread = threading.Thread(target=launcher.stop, args=(instance,))
    thread.start()
    assert running.told.wait(5)

    launcher.ending.set()
    thread.join(5)

    assert running.graces == [30.0, 10.0]
    assert not thread.is_alive()


def test_the_end_of_the_cloud_does_not_wait_a_minute_for_a_request(tmp_path: Path) -> None:
    running = Stubborn()
    instance = an_instance(None, a_container("primary", running))
    assert instance.acquire()
    launcher = a_launcher(tmp_path)
    launcher.ending.set()
    thread = threading.Thread(target=launcher.stop, args=(instance,))

    thread.start()
    instance.release()
    thread.join(5)

    assert running.graces == [10.0]


def test_the_directory_of_an_instance_goes_with_it(tmp_path: Path) -> None:
    running = Stubborn()
    own = tmp_path / "i-1" / "primary" / "models"
    own.mkdir(parents=True)
    running.ended.set()

    a_launcher(tmp_path).stop(an_instance(None, a_container("primary", running)), hurried=True)

    assert not own.exists()


@pytest.mark.parametrize(
    ("hostname", "start"),
    [("primary", "The primary container for"), ("container-2", "The container-2 for")],
)
def test_a_failed_health_check_names_the_container(hostname: str, start: str) -> None:
    reason = ping_failed(an_instance(None), hostname)

    assert reason.startswith(f"{start} production variant main did not pass the ping")


def test_only_a_pipeline_has_its_containers_in_the_log_stream() -> None:
    image = {"Image": "x"}
    single = an_instance({"PrimaryContainer": image})
    pipeline = an_instance({"Containers": [image, image]})

    assert stream_of(single, "primary") == "main/i-1"
    assert stream_of(pipeline, "container-2") == "main/i-1/container-2"


def test_output_goes_to_the_endpoints_group_unless_another_is_named() -> None:
    assert an_instance(None).spec.log_group == "/aws/sagemaker/Endpoints/e"
    assert an_instance(None, log_group="/other").spec.log_group == "/other"


def test_missing_model_data_names_the_container_it_is_for() -> None:
    reason = download_failed("container_2", "s3://b/k")

    assert reason.startswith(
        'Failed to download model data for container "container_2" from URL: "s3://b/k".'
    )
