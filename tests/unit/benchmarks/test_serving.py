"""The pure parts of the serving benchmark: reading, comparing, and what goals are made of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.checking import difference
from benchmarks.serving.contestant import Answer, Contestant, greenlight_answer
from benchmarks.serving.environment import lock_of, locked_versions
from benchmarks.serving.figures import (
    CELLS,
    COLD_START,
    ONE_CLIENT,
    ONE_ROW,
    Measured,
    Weighed,
    goals_from_rows,
    load_row,
    table_lines,
    weight_row,
)
from benchmarks.serving.ours import ASYNCIO_FLOOR, FLOOR, OURS, OURS_ON_ONNX
from benchmarks.serving.peers import (
    ALL_PEERS,
    CONTAINERS,
    FLASK,
    MLSERVER,
    inference_protocol_answer,
    inference_protocol_body,
    table_answer,
)
from benchmarks.serving.wrk import Load, LoadError, load_from_output

ALL = (OURS, OURS_ON_ONNX, FLOOR, ASYNCIO_FLOOR, *ALL_PEERS)
CLASSES = ("setosa", "versicolor", "virginica")
REPOSITORY = Path(__file__).resolve().parents[3]


def a_load(rate: float = 100.0, *, failed: int = 0, p50_ms: float = 1.0) -> Load:
    """Give a load of one second."""
    return Load(
        requests=round(rate),
        seconds=1.0,
        p50_ms=p50_ms,
        p99_ms=2 * p50_ms,
        longest_ms=9.0,
        refused=failed,
        broken=0,
        timed_out=0,
    )


def rows_of_a_run(rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Give the rows of a run in which contestants had these rates in every cell, others 100/s."""
    rows = [
        load_row(
            cell,
            side,
            [
                Measured(load=a_load(rate), server_seconds=1 / rate)
                for rate in rates.get(side.name, [100.0, 100.0])
            ],
        )
        for cell in CELLS
        for side in ALL
    ]
    return rows + [
        weight_row(
            side,
            Weighed(
                cold_start_seconds=(0.4, 0.2, 0.3) if side is OURS else (0.1, 0.2, 3.0),
                resident_mb=50.0,
                proportional_mb=40.0,
            ),
        )
        for side in ALL
    ]


def test_what_wrk_counted_is_read_from_the_line_its_script_ends_with() -> None:
    output = (
        "Running 2s test\n  16 connections\n"
        'figures {"requests": 500, "microseconds": 2000000, "p50": 1500, "p99": 9000, '
        '"longest": 12000, "refused": 1, "broken": 2, "timed_out": 3}\n'
    )

    load = load_from_output(output)

    assert load.requests_per_second == 250
    assert (load.p50_ms, load.p99_ms, load.longest_ms) == (1.5, 9.0, 12.0)
    assert load.failures == 6


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("unable to connect", "wrk wrote no figures: 'unable to connect'"),
        ('figures {"requests": 0}', "not one answer came back"),
    ],
)
def test_a_load_without_answers_is_an_error(output: str, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        load_from_output(output)


def test_an_answer_is_compared_label_by_label_and_number_by_number() -> None:
    expected = np.array([[0.9, 0.1], [0.25, 0.75]])
    close = [[0.9, 0.1], [0.250001, 0.749999]]

    def compared(labels: list[int], probabilities: list[list[float]]) -> str | None:
        return difference(Answer(labels=labels, probabilities=probabilities), expected)

    assert compared([0, 1], close) is None
    assert compared([1, 1], close) == "labels [1, 1] instead of [0, 1]"
    assert compared([0, 1], [[0.9, 0.1], [0.26, 0.74]]) == "a probability is 0.01 away"
    assert compared([0], close[:1]) == "probabilities of shape (1, 2) instead of (2, 2)"


def test_every_form_of_answer_is_read() -> None:
    ours = {
        "predictions": [
            {
                "predicted_class_index": 1,
                "probabilities": {"virginica": 0.2, "setosa": 0.1, "versicolor": 0.7},
            }
        ]
    }
    protocol = {
        "outputs": [
            {"name": "predict_proba", "data": [0.1, 0.7, 0.2]},
            {"name": "predict", "data": [1]},
        ]
    }
    expected = Answer(labels=[1], probabilities=[[0.1, 0.7, 0.2]])

    assert greenlight_answer(ours, CLASSES) == expected
    assert inference_protocol_answer(protocol, CLASSES) == expected
    assert table_answer([[1.0, 0.1, 0.7, 0.2]], CLASSES) == expected


def test_a_request_in_the_inference_protocol_asks_for_labels_and_probabilities() -> None:
    document = json.loads(inference_protocol_body([[1.0, 2.0], [3.0, 4.0]]))

    assert document["inputs"][0]["shape"] == [2, 2]
    assert [output["name"] for output in document["outputs"]] == ["predict", "predict_proba"]


def test_goals_compare_with_flask_the_best_peer_and_the_floor() -> None:
    rates = {
        "ours": [1000.0, 2000.0, 900.0],
        "floor": [2000.0, 2000.0, 1000.0],
        FLASK.name: [10.0, 30.0],
        MLSERVER.name: [250.0],
    }

    goals = {goal.name: goal for goal in goals_from_rows(rows_of_a_run(rates))}

    one = ONE_ROW.name
    assert goals[f"{one}: times Flask + gunicorn"].value == 50
    assert goals[f"{one}: times the best peer"].value == 4
    assert goals[f"{one}: of the floor"].value == 0.9
    assert goals[f"{ONE_CLIENT.name}: p99 over the floor's p50"].value == 2
    assert goals["cold start over the floor's, s"].value == pytest.approx(0.1)
    assert goals["cold start over the shortest of all peers'"].value == 1.5
    assert goals["memory, resident, MB"].met
    assert len(goals) == 9


def test_a_run_without_a_contestant_of_the_goals_has_no_goals() -> None:
    rows = [row for row in rows_of_a_run({}) if row["side"] != FLASK.name]

    with pytest.raises(KeyError):
        goals_from_rows(rows)


def test_a_row_holds_medians_each_run_and_what_failed() -> None:
    measured = [
        Measured(load=a_load(100, p50_ms=1.0), server_seconds=0.01),
        Measured(load=a_load(300, p50_ms=3.0, failed=2), server_seconds=0.03),
        Measured(load=a_load(200, p50_ms=2.0), server_seconds=0.02),
    ]

    row = load_row(ONE_ROW, FLASK, measured)

    assert row["requests_per_second"] == 200
    assert row["runs"] == [100, 300, 200]
    assert (row["p50_ms"], row["p99_ms"], row["server_us_per_request"]) == (2.0, 4.0, 20_000.0)
    assert (row["requests"], row["failed"]) == (600, 2)


def test_tables_say_how_often_a_rate_goes_into_ours_and_what_failed() -> None:
    rows = rows_of_a_run({"ours": [1000.0]})
    rows[-1 - len(ALL)]["failed"] = 7

    lines = table_lines(rows)

    assert any(line.startswith("  Flask + gunicorn") and "10.00 x" in line for line in lines)
    assert sum("7 failed" in line for line in lines) == 1
    assert lines[-len(ALL) - 1] == COLD_START


def test_names_are_unlike_and_commands_can_be_filled_in() -> None:
    values = {
        name: "given"
        for name in (
            *("python", "bin", "port", "second_port", "third_port"),
            *("artifact", "pickle", "answer", "scratch"),
        )
    }

    assert len({side.name for side in ALL}) == len(ALL)
    for side in ALL:
        command, variables = side.filled(values)
        assert not re.search(r"[{}]", " ".join([*command, *variables.values()]))
        assert side.directory.is_dir()


@pytest.mark.parametrize("environment", sorted({side.environment for side in ALL}))
def test_every_environment_is_locked_with_hashes_on_one_scikit_learn(environment: str) -> None:
    text = lock_of(environment).read_text()
    ours = re.search(r"^scikit-learn==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.M)
    assert ours is not None

    assert "--hash=sha256:" in text
    assert "http://" not in text
    assert "https://" not in text
    assert locked_versions(environment).get("scikit-learn", ours.group(1)) == ours.group(1)


def test_every_folder_of_a_container_belongs_to_a_contestant() -> None:
    folders = {path.name for path in CONTAINERS.iterdir() if path.is_dir()}

    assert folders == {side.environment for side in ALL_PEERS}


def test_a_contestant_is_told_by_its_role() -> None:
    def named(role: str, sides: tuple[Contestant, ...] = ALL) -> list[str]:
        return [side.name for side in sides if side.role == role]

    assert named("ours") == ["ours"]
    assert named("besides") == ["ours, ONNX Runtime"]
    assert len(named("peer")) == len(ALL_PEERS)
