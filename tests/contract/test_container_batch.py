"""What batch transform asks of the container, over HTTP.

Source: SageMaker Developer Guide, "Use your own inference code with batch transform".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from tests.support.container_process import ServerProcess, started_server
from tests.support.onnx_models import CLASSES, FittedModel, an_iris_classifier

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def job(iris: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server as a job starts it whose user has set payloads of 1 MB."""
    log_path = tmp_path_factory.mktemp("log") / "server.log"
    with started_server(
        iris.directory, log_path, SAGEMAKER_BATCH="true", SAGEMAKER_MAX_PAYLOAD_IN_MB="1"
    ) as started:
        assert started.wait_until_pinged().status_code == 200
        yield started


def test_a_job_is_told_as_many_requests_as_there_are_workers(
    iris: FittedModel, tmp_path: Path
) -> None:
    with started_server(
        iris.directory, tmp_path / "server.log", SAGEMAKER_MODEL_SERVER_WORKERS="2"
    ) as server:
        server.wait_until_pinged()
        told = server.get("/execution-parameters")
        posted = requests.post(server.url("/execution-parameters"), data=b"", timeout=10)

    assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
    assert told.json() == {
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }
    assert posted.status_code == 405


def test_what_is_told_is_what_is_taken(job: ServerProcess) -> None:
    told = job.get("/execution-parameters").json()

    largest = told["MaxPayloadInMB"] * MEGABYTE
    row = b"5.1,3.5,1.4,0.2\n"
    taken = job.invoke(row * (largest // len(row)), content_type="text/csv", accept="text/csv")
    refused = job.invoke(row * (largest // len(row) + 1), content_type="text/csv")

    assert told["MaxPayloadInMB"] == 1
    assert largest % len(row) == 0
    assert taken.status_code == 200
    assert taken.content.count(b"\n") == largest // len(row) == 65_536
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("last_line_end", ["", "\n"])
def test_a_mini_batch_of_lines_is_answered_line_by_line(
    job: ServerProcess, iris: FittedModel, last_line_end: str
) -> None:
    rows = np.asarray(iris.rows, dtype=np.float32)[::5]
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    csv_body = ("\n".join(lines) + last_line_end).encode()
    json_lines_body = ("\n".join(f"[{line}]" for line in lines) + last_line_end).encode()

    by_csv = job.invoke(csv_body, content_type="text/csv", accept="text/csv")
    by_json_lines = job.invoke(
        json_lines_body, content_type="application/jsonlines", accept="application/jsonlines"
    )

    wanted = [CLASSES[index] for index in iris.estimator.predict(rows)]
    assert [line.split(",")[0] for line in by_csv.text.splitlines()] == wanted
    answers = [json.loads(line) for line in by_json_lines.text.splitlines()]
    assert [answer["predicted_class"] for answer in answers] == wanted
