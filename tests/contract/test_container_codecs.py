"""Every content type over HTTP, for a model of numbers and one of values of every type.

Source: SageMaker Developer Guide, page "Common data formats for inference"; RFC 4180 section 3,
RFC 9110 section 12.5.1; NumPy's "npy format" 1.0.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import requests

from tests.support.container_process import Serve, Server
from tests.support.mixed_models import MixedModel, a_fruit_classifier
from tests.support.onnx_models import FEATURE_NAMES, FittedModel, an_iris_classifier

pytestmark = pytest.mark.timeout(600)

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
JSON_LINES = ("application/jsonlines", "application/x-jsonlines")
SHUFFLED = (2, 0, 3, 1)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> MixedModel:
    return a_fruit_classifier(tmp_path_factory.mktemp("fruit"))


@pytest.fixture(scope="module")
def iris_server(serve: Serve, iris: FittedModel) -> Server:
    server = serve(iris.directory)
    assert server.wait_until_pinged().status_code == 200
    return server


@pytest.fixture(scope="module")
def fruit_server(serve: Serve, fruit: MixedModel) -> Server:
    server = serve(fruit.directory)
    assert server.wait_until_pinged().status_code == 200
    return server


def saved(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def csv_of(rows: Any, *header: str) -> bytes:
    lines = [",".join(header)] if header else []
    lines += [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def lines_of(rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def records_of(rows: Any, names: Any) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def shuffled(rows: Any) -> list[list[Any]]:
    return [[row[column] for column in SHUFFLED] for row in rows]


def bodies_of_iris(rows: Any) -> dict[str, tuple[str, bytes]]:
    """Write the same rows in every way there is."""
    array = np.array(rows)
    header = [FEATURE_NAMES[column] for column in SHUFFLED]
    described = [(name, "<f8") for name in header]
    records = records_of(rows, FEATURE_NAMES)
    return {
        "json": (JSON, json.dumps({"instances": rows}).encode()),
        "json records": (JSON, json.dumps({"instances": records}).encode()),
        "csv": (CSV, csv_of(rows)),
        "csv absent": ("text/csv; header=absent", csv_of(rows)),
        "csv header": (CSV, csv_of(shuffled(rows), *header)),
        "csv present": ('text/csv;charset=utf-8;header="present"', csv_of(rows, *FEATURE_NAMES)),
        "lines": (JSON_LINES[0], lines_of(rows)),
        "line records": (JSON_LINES[1], lines_of(records)),
        "line instances": (JSON_LINES[1], lines_of({"instances": [row]} for row in rows)),
        "npy": (NPY, saved(array)),
        "npy fortran": (NPY, saved(np.asfortranarray(array))),
        "npy records": (NPY, saved(np.array(list(map(tuple, shuffled(rows))), dtype=described))),
    }


WAYS = tuple(bodies_of_iris([[1.0, 2.0, 3.0, 4.0]]))


def invoked(server: Server, media_type: str, body: bytes, **headers: str) -> requests.Response:
    return server.invoke(body, content_type=media_type, **headers)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_rows_are_answered_alike_however_they_are_sent(
    iris_server: Server, iris: FittedModel, way: str
) -> None:
    rows = iris.rows[::10].tolist()
    media_type, body = bodies_of_iris(rows)[way]

    response = invoked(iris_server, media_type, body, accept=JSON)

    answers = response.json()["predictions"]
    expected = iris.estimator.predict_proba(iris.rows[::10].astype(np.float32))
    assert [list(answer["input_features"].values()) for answer in answers] == rows
    assert [list(answer["probabilities"].values()) for answer in answers] == [
        pytest.approx(each, abs=1e-5) for each in expected
    ]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_has_every_way_out(iris_server: Server, iris: FittedModel, way: str) -> None:
    rows = iris.rows[::50].tolist()
    media_type, body = bodies_of_iris(rows)[way]

    answers = {
        accept: invoked(iris_server, media_type, body, accept=accept)
        for accept in (CSV, NPY, *JSON_LINES)
    }

    assert {each.headers["content-type"] for each in answers.values()} == set(answers)
    assert [line.split(",")[0] for line in answers[CSV].text.splitlines()] == [
        "setosa", "versicolor", "virginica",
    ]  # fmt: skip
    assert np.load(io.BytesIO(answers[NPY].content), allow_pickle=False).tolist() == [0, 1, 2]
    for media_type in JSON_LINES:
        lines = list(map(json.loads, answers[media_type].text.splitlines()))
        assert [line["predicted_class_index"] for line in lines] == [0, 1, 2]
        assert [list(line["input_features"].values()) for line in lines] == rows


@pytest.mark.parametrize(
    ("accept", "sent", "answered"),
    [
        (None, JSON, JSON),
        (None, CSV, JSON),
        ("*/*", NPY, JSON),
        (None, JSON_LINES[0], JSON_LINES[0]),
        ("*/*", JSON_LINES[1], JSON_LINES[1]),
        (JSON, JSON_LINES[0], JSON),
        ("application/*", CSV, JSON),
        ("application/x-npy;q=0.4, text/*;q=0.5", JSON, CSV),
        ("application/json;q=0, */*;q=0.1", JSON, CSV),
        ("image/png, application/jsonlines;q=0.2", CSV, JSON_LINES[0]),
    ],
)
def test_the_answers_type_is_the_best_the_client_accepts(
    iris_server: Server, accept: str | None, sent: str, answered: str
) -> None:
    bodies = dict(bodies_of_iris([[5.1, 3.5, 1.4, 0.2]]).values())
    # `requests` itself says that it accepts anything, unless it is told to say nothing.
    headers = {"content-type": sent, "accept": accept}

    response = requests.post(
        iris_server.url("/invocations"), data=bodies[sent], headers=headers, timeout=10
    )

    assert response.status_code == 200
    assert response.headers["content-type"] == answered


def test_the_form_of_features_is_answered_in_lines_too(iris_server: Server) -> None:
    body = lines_of({"features": row} for row in ([5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]))

    response = invoked(iris_server, JSON_LINES[0], body)

    lines = list(map(json.loads, response.text.splitlines()))
    assert [line["predictions"] for line in lines] == [[0], [2]]
    assert [len(line["probabilities"][0]) for line in lines] == [3, 3]


@pytest.mark.parametrize("sent", ["json", "records", "csv", "csv header", "lines", "npy"])
def test_values_of_every_type_are_answered_alike_however_they_are_sent(
    fruit_server: Server, fruit: MixedModel, sent: str
) -> None:
    rows, names = fruit.rows, list(fruit.frame.columns)
    described = [("length", "<f8"), ("colour", "<U5"), ("ripe", "?")]
    records = [tuple(np.nan if cell is None else cell for cell in row) for row in rows]
    media_type, body = {
        "json": (JSON, json.dumps({"instances": rows}).encode()),
        "records": (JSON, json.dumps({"instances": records_of(rows, names)}).encode()),
        "csv": (CSV, csv_of(rows)),
        "csv header": (CSV, csv_of(rows, *names)),
        "lines": (JSON_LINES[0], lines_of(rows)),
        "npy": (NPY, saved(np.array(records, dtype=described))),
    }[sent]

    response = invoked(fruit_server, media_type, body, accept=JSON)

    answers = response.json()["predictions"]
    expected = fruit.estimator.predict(fruit.frame).tolist()
    assert [answer["predicted_class"] for answer in answers] == expected
    assert [list(answer["input_features"].values()) for answer in answers] == rows


@pytest.mark.parametrize(
    ("media_type", "body", "code", "instance", "feature", "message"),
    [
        (
            JSON,
            b'{"instances": [{"length": 1, "colour": "red"}]}',
            "invalid_instance",
            0,
            "ripe",
            "instance 0 has no feature 'ripe'; give it true or false",
        ),
        (
            JSON,
            b'{"instances": [{"colour": "pink", "ripe": true}]}',
            "invalid_instance",
            0,
            "colour",
            "the string 'pink' is given; it must be one of 'blue', 'green', 'red'",
        ),
        (
            JSON,
            b'{"instances": [[1, "red", true], [1, "red", "true"]]}',
            "invalid_instance",
            1,
            "ripe",
            "instance 1, feature 'ripe': the string 'true' is given; it must be true or false",
        ),
        (
            JSON,
            b'{"instances": [{"colour": "red", "ripe": true, "ripe": false}]}',
            "malformed_body",
            None,
            None,
            "the body has the key 'ripe' twice",
        ),
        (
            CSV,
            b"1,red,true\nx,red,true",
            "invalid_instance",
            1,
            "length",
            "the string 'x' is given; it must be a number, or missing",
        ),
        (
            "text/csv; header=present",
            b"length,color,ripe\n1,red,true",
            "malformed_body",
            None,
            None,
            "the header line has no 'colour'; it must name each feature once",
        ),
        (
            JSON_LINES[0],
            b'[1, "red", true]\n[1e999, "red", true]',
            "invalid_instance",
            1,
            "length",
            "Infinity is given; it must be a finite number, or missing",
        ),
        (JSON_LINES[0], b"[1,\n2]", "malformed_body", None, None, "line 1 is not JSON"),
        (
            NPY,
            saved(np.array([[1, 2, 3], [1, 2, 3]])),
            "invalid_instance",
            0,
            "colour",
            "the number 2 is given; it must be one of",
        ),
        (NPY, b"PK\x03\x04", "malformed_body", None, None, "the body is no .npy array"),
    ],
)
def test_what_the_model_cannot_take_is_named(
    fruit_server: Server,
    media_type: str,
    body: bytes,
    code: str,
    instance: int | None,
    feature: str | None,
    message: str,
) -> None:
    response = invoked(fruit_server, media_type, body)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, code)
    assert (error.get("instance"), error.get("feature")) == (instance, feature)
    assert message in error["message"]


def test_an_array_of_objects_is_never_unpickled(iris_server: Server) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return (exec, ("raise SystemExit",))

    content = io.BytesIO()
    np.save(content, np.array([[Harmful(), 1, 2, 3]], dtype=object), allow_pickle=True)

    response = invoked(iris_server, NPY, content.getvalue())

    assert (response.status_code, response.json()["error"]["code"]) == (400, "malformed_body")
    assert iris_server.get("/ping").status_code == 200
