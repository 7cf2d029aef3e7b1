"""What a multi-model server does about models that harm whoever loads them, or take too much.

These need a process of their own; what a container shows as well is in test_container_multi_model.
"""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests

from server.multi_model_trial import trial_bytes
from tests.support.cloud import wait_for
from tests.support.container_process import ServerProcess
from tests.support.many_models import Platform, a_process, code_of
from tests.support.onnx_models import an_iris_classifier
from tests.support.sklearn_models import a_neighbors_classifier, list_files


class Trap:
    """Pickled, it is a call that whoever reads it makes."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def test_a_model_that_kills_who_loads_it_kills_nobody_else(tmp_path: Path) -> None:
    traps = {
        "crash": Trap(os.abort),
        "exit": Trap(os._exit, 3),
        "hog": Trap(bytearray, 1 << 50),
    }
    for name, trap in traps.items():
        a_neighbors_classifier(tmp_path / name, pickled=True)
        (tmp_path / name / "model.joblib").write_bytes(pickle.dumps(trap))
        list_files(tmp_path / name)
    an_iris_classifier(tmp_path / "iris", trees=2)

    with a_process(tmp_path, tmp_path, GREENLIGHT_ALLOW_PICKLE="true") as platform:
        platform.load("i", "iris")
        with ThreadPoolExecutor(3) as pool:
            ends = dict(zip(traps, pool.map(lambda n: platform.load(n, n), traps), strict=True))
        answers = platform.names(), platform.invoke("i").status_code

    assert {name: (end.status_code, code_of(end)) for name, end in ends.items()} == {
        "crash": (500, "model_crashed"),
        "exit": (500, "model_crashed"),
        "hog": (507, "insufficient_memory"),
    }
    assert "crashed its process (SIGABRT)" in ends["crash"].text
    assert "ended its process with exit code 3" in ends["exit"].text
    assert answers == (["i"], 200)


def test_told_to_make_room_the_server_unloads_what_was_used_longest_ago(
    tmp_path: Path,
) -> None:
    one = asyncio.run(trial_bytes(an_iris_classifier(tmp_path / "iris").directory))
    settings = {
        "GREENLIGHT_MODEL_MEMORY_BYTES": str(one * 5 // 2),
        "GREENLIGHT_MODEL_EVICTION": "server",
    }
    with a_process(tmp_path, tmp_path, **settings) as platform:
        loads = [platform.load(name, "iris") for name in ("a", "b")]
        platform.invoke("a")
        loads.append(platform.load("c", "iris"))

        assert [load.status_code for load in loads] == [200, 200, 200]
        assert platform.names() == ["a", "c"]
        assert [line["model"] for line in platform.server.log_lines("model_unloaded")] == ["b"]


def test_what_models_take_is_what_was_measured_and_comes_back_when_they_go(
    tmp_path: Path,
) -> None:
    an_iris_classifier(tmp_path / "forest", trees=300)
    names = [f"copy-{number}" for number in range(12)]
    with a_process(tmp_path, tmp_path) as platform:
        # The libraries come with the first model and stay.
        platform.load("first", "forest")
        before = resident_bytes_of(platform)
        peaks, lows = [], []
        for _ in range(2):
            loads = [platform.load(name, "forest").status_code for name in names]
            assert loads == [200] * len(names)
            peaks.append(resident_bytes_of(platform) - before)
            unloads = [platform.unload(name).status_code for name in names]
            assert unloads == [200] * len(names)
            lows.append(resident_bytes_of(platform) - before)
        measured = platform.server.log_lines("model_loaded")[-1]["model_bytes"]

    taken = peaks[0] / len(names)
    assert measured == pytest.approx(taken, rel=0.5)
    assert max(peaks) < 1.3 * peaks[0]
    assert max(lows) < 0.3 * peaks[0]


def resident_bytes_of(platform: Platform) -> int:
    """Give the memory of the server's process."""
    assert isinstance(platform.server, ServerProcess)
    return int(psutil.Process(platform.server.process.pid).memory_info().rss)


def test_a_load_that_takes_its_time_holds_up_nobody_and_ends_with_the_server(
    tmp_path: Path,
) -> None:
    an_iris_classifier(tmp_path / "iris", trees=2)
    for name in ("slow", "hung"):
        golden = an_iris_classifier(tmp_path / name, trees=2).directory / "golden.json"
        golden.unlink()
        os.mkfifo(golden)

    with (
        a_process(tmp_path, tmp_path, GREENLIGHT_DRAIN_SECONDS="1") as platform,
        ThreadPoolExecutor(2) as pool,
    ):
        loading = [pool.submit(platform.load, name, name) for name in ("slow", "hung")]
        for name in ("slow", "hung"):
            wait_for(partial(is_loading, platform, name), "the load to begin")
        beside = platform.load("i", "iris")
        answers = [platform.invoke("i"), platform.server.get("/ping"), platform.invoke("slow")]
        still = not loading[0].done()
        # Whoever opens the pipe to write waits for the trial that reads it.
        (tmp_path / "slow" / "golden.json").write_bytes(b"no golden rows")
        ended = loading[0].result()
        assert isinstance(platform.server, ServerProcess)
        process = platform.server.process
        trial = wait_for(lambda: children_of(process.pid), "the other trial")
        process.terminate()
        code = process.wait(10)
        wait_for(lambda: not any(map(is_running, trial)), "the trial to end")

    assert beside.status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert "'slow' is still loading, since" in answers[2].text
    assert still
    assert (ended.status_code, code_of(ended)) == (500, "invalid_artifact")
    assert code == 1  # a load was still open at the deadline
    assert isinstance(loading[1].exception(), requests.ConnectionError)


def is_loading(platform: Platform, name: str) -> bool:
    """Tell whether a model is being loaded."""
    return "still loading" in platform.get(name).text


def children_of(pid: int) -> list[int]:
    """Give the processes a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not only waits to be asked how it ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
