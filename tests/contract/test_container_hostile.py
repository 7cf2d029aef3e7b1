"""Hostile bodies over HTTP: never a 500, never a hang, never more memory than is named here."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.container_process import ServerProcess, started_server
from tests.support.onnx_models import FEATURE_NAMES, an_iris_classifier

LARGEST_BODY_BYTES = 6 * 1024 * 1024
LARGEST_RISE_BYTES = 450 * 1024 * 1024
"""Of the memory of a server that decodes the worst body of the largest size known to us: a list of
objects with one key each, the last of them with two of the same, which is read a second time."""
LONGEST_ANSWER_SECONDS = 30
"""On a machine that does many other things."""
TIMEOUT_SECONDS = 60
STATUSES = {200, 400, 406, 415}

JSON, CSV, JSON_LINES, NPY = (
    "application/json", "text/csv", "application/jsonlines", "application/x-npy",
)  # fmt: skip

Sent = tuple[dict[str, str], bytes]
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, 2**64, -(2**63) - 1, 1e308, 5e-324])
)
SCALARS = st.one_of(
    NUMBERS,
    st.none(),
    st.booleans(),
    st.text(st.characters(exclude_categories=()), max_size=5),
    st.sampled_from(["", "\0", "\ud800", "\U0010ffff", "NaN", "x" * 200]),
)
KEYS = ["instances", "features", "explain", *FEATURE_NAMES]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["instances", "features", "explain", *FEATURE_NAMES]), st.text()
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
ROWS = st.lists(st.lists(SCALARS, min_size=3, max_size=5), max_size=4)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7"])
CELLS = st.one_of(
    NUMBERS.map(str), st.text(max_size=4), st.sampled_from(["", '"', '""', '"\n"', "=1+1", "1_0"])
)


def encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def nested(depth: int, pair: str, inner: str) -> str:
    return pair[0] * depth + inner + pair[1] * depth


def duplicated(keys: list[str], rows: list[list[Any]]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(rows)}" for key in keys) + "}"


def array_of(descr: str, order: bool, shape: tuple[int, ...], content: bytes, cut: int) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content[cut:]


JSON_BODIES = st.one_of(
    VALUES.map(json.dumps),
    ROWS.map(lambda rows: json.dumps({"instances": rows})),
    st.builds(nested, st.integers(0, 100_000), st.sampled_from(["[]", "{}"]), st.just("1")),
    st.builds(duplicated, st.lists(st.sampled_from(["instances", "features"])), ROWS),
)
CSV_BODIES = st.builds(
    lambda rows, separator, end: end.join(separator.join(row) for row in rows),
    st.lists(st.lists(CELLS, max_size=5), max_size=5),
    st.sampled_from([",", ";", "\t", ",\0"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
)
LINES_BODIES = st.lists(VALUES.map(json.dumps), max_size=4).map("\n".join)
NPY_BODIES = st.builds(
    array_of,
    st.sampled_from(["'<f8'", "'|O'", "'<U4'", "'>i2'", "[('a', '<f8')]", "'<f16'", "'<M8[s]'"]),
    st.booleans(),
    st.tuples(st.one_of(st.integers(-1, 5), st.just(2**62)), st.sampled_from([0, 1, 4, 2**40])),
    st.binary(max_size=64).map(lambda content: content.ljust(160, b"\0")),
    st.integers(0, 160),
)
SENT: st.SearchStrategy[Sent] = st.one_of(
    *(
        st.builds(
            lambda text, encoding, name=name: ({"content-type": name}, encoded(text, encoding)),
            texts,
            st.one_of(st.just("utf-8"), ENCODINGS),
        )
        for name, texts in ((JSON, JSON_BODIES), (CSV, CSV_BODIES), (JSON_LINES, LINES_BODIES))
    ),
    NPY_BODIES.map(lambda body: ({"content-type": NPY}, body)),
    st.builds(
        lambda kind, body, encoding: ({"content-type": kind, "content-encoding": encoding}, body),
        st.sampled_from([JSON, CSV, JSON_LINES, NPY, "text/csv; header=present", "a;b=c;;", "/"]),
        st.binary(max_size=200),
        st.sampled_from(["", "identity", "gzip", "br", "deflate, gzip"]),
    ),
)
ACCEPTED = st.sampled_from([None, "*/*", CSV, JSON_LINES, NPY, "text/*;q=x", ",;,", "image/png"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("hostile")
    model = an_iris_classifier(folder / "model").directory
    with started_server(
        model,
        folder / "log",
        SAGEMAKER_MODEL_SERVER_WORKERS="1",
        SAGEMAKER_CONTAINER_LOG_LEVEL="40",
    ) as started:
        assert started.wait_until_pinged().status_code == 200
        yield started


@pytest.fixture(scope="module")
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def answered(
    client: requests.Session, server: ServerProcess, headers: dict[str, Any], body: bytes
) -> requests.Response:
    return client.post(
        server.url("/invocations"), data=body, headers=headers, timeout=TIMEOUT_SECONDS
    )


@hypothesis_settings(max_examples=400, deadline=None)
@given(sent=SENT, accept=ACCEPTED, explain=st.sampled_from([None, None, "true", "maybe"]))
def test_no_body_is_ever_a_failure_of_the_server(
    server: ServerProcess,
    client: requests.Session,
    sent: Sent,
    accept: str | None,
    explain: str | None,
) -> None:
    headers, body = sent

    response = answered(
        client, server, {**headers, "accept": accept, "x-greenlight-explain": explain}, body
    )

    assert response.status_code in STATUSES
    if response.status_code != 200:
        assert set(response.json()["error"]) >= {"code", "message", "request_id"}
        assert len(response.content) < 2000


def filled(unit: bytes, head: bytes = b"", tail: bytes = b"") -> Callable[[], bytes]:
    """Repeat a piece until the body is as large as bodies may be."""
    count = (LARGEST_BODY_BYTES - len(head) - len(tail)) // len(unit)
    return lambda: head + unit * count + tail


def many_keys() -> bytes:
    keys = b",".join(b'"%x":1' % number for number in range(500_000))
    return b'{"instances":[{"0":1,' + keys + b"}]}"


def a_small_array_of_many_rows() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros((10_000, 4), np.int8))
    return content.getvalue().replace(b"(10000, 4)", b"(9**99, 4)")


LARGE = {
    "empty lists": (JSON, filled(b"[],", b'{"instances":[', b"[]]}")),
    "objects": (JSON, filled(b'{"a":1},', b'{"instances":[', b"{}]}")),
    "objects, the last with a key twice": (
        JSON,
        filled(b'{"a":1},', b'{"instances":[', b'{"a":1,"a":2}]}'),
    ),
    "an object of many keys, one twice": (JSON, many_keys),
    "a row of numbers": (JSON, filled(b"0.5,", b'{"instances":[[', b"1]]}")),
    "a row of numbers, one NaN": (JSON, filled(b"0.5,", b'{"instances":[[', b"NaN]]}")),
    "a row of texts": (JSON, filled(b'"",', b'{"instances":[[', b'""]]}')),
    "half surrogates": (JSON, filled(b"\\ud800", b'{"instances":[["', b'"]]}')),
    "wide characters": (JSON, filled("\U0001f600".encode(), b'{"instances":[["', b'"]]}')),
    "open brackets": (JSON, filled(b"[")),
    "open objects": (JSON, filled(b'{"a":')),
    "one number": (JSON, filled(b"9", b'{"instances":[[1,1,1,', b"]]}")),
    "commas": (CSV, filled(b",")),
    "a million columns": (CSV, filled(b"1,")),
    "columns of words": (CSV, filled(b"x,")),
    "line ends": (CSV, filled(b"\n", b"", b"1,2")),
    "rows of one number": (CSV, filled(b"1\n")),
    "quotes": (CSV, filled(b'"')),
    "an open quote": (CSV, filled(b"\n", b'"')),
    "one digit a line": (JSON_LINES, filled(b"1\n")),
    "blank lines": (JSON_LINES, filled(b"\n", b"[1]", b"[1]")),
    "an array larger than it says": (NPY, filled(b"\0", a_small_array_of_many_rows())),
    "an array's header": (NPY, filled(b"(", b"\x93NUMPY\x02\x00\xff\xff\xff\x00")),
}


@pytest.mark.timeout(300)
def test_the_largest_bodies_are_refused_in_bounded_memory_and_time(
    server: ServerProcess, client: requests.Session
) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss

    for name, (media_type, body) in LARGE.items():
        started = time.monotonic()
        response = answered(client, server, {"content-type": media_type}, body())
        assert response.status_code == 400, name
        assert time.monotonic() - started < LONGEST_ANSWER_SECONDS, name

    assert peak_bytes(server) - before < LARGEST_RISE_BYTES
    assert server.get("/ping").status_code == 200


def peak_bytes(server: ServerProcess) -> int:
    """Give the most memory the server ever held."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("Linux tells the peak of a process in /proc/PID/status")


def test_a_compressed_body_is_refused_before_it_grows(
    server: ServerProcess, client: requests.Session
) -> None:
    import gzip

    bomb = gzip.compress(b"[" * LARGEST_BODY_BYTES * 10)

    response = answered(client, server, {"content-type": JSON, "content-encoding": "gzip"}, bomb)

    assert (response.status_code, response.json()["error"]["code"]) == (
        415,
        "unsupported_content_type",
    )
