"""The kernel's own way to put answers together: what Python writes, or an error, whatever comes."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.features import schema_from_manifest
from server.manifest import Feature, FeatureType
from tests.support.manifests import a_manifest

greenlight_kernel: Any = pytest.importorskip(
    "greenlight_kernel", reason="no compiled kernel; install a C compiler, then run `make setup`"
)

NAMES = ("length", '50 % "of" it', "ä,]")
CLASSES = ("no", "yes")
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
rows_of_numbers = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5)


@given(rows=rows_of_numbers, indent=st.sampled_from([None, 1]), separator=st.sampled_from(",\n"))
def test_answers_are_the_same_with_the_kernel_and_without(
    rows: list[Any], indent: int | None, separator: str
) -> None:
    features = [Feature(name=name, type=FeatureType.NUMBER) for name in NAMES]
    manifest = a_manifest(features, classes=CLASSES)
    text = json.dumps(rows, indent=indent).encode()
    answer = np.linspace(0, 1, 2 * len(rows)).tobytes()

    written = []
    for with_kernel in (True, False):
        writer = schema_from_manifest(manifest, 100, with_kernel=with_kernel).plain_writer
        assert writer is not None
        written.append(writer.written_of_bytes(text, answer, separator.encode()))

    assert written[0] == written[1]
    assert written[0].count(b"input_features") == len(rows)


@given(text=st.binary(max_size=40), heads=st.integers(0, 4), width=st.integers(0, 4))
def test_any_text_is_woven_whole_or_refused(text: bytes, heads: int, width: int) -> None:
    names = (b"n",) * width + (b"}",)

    try:
        woven = greenlight_kernel.weave([b"h"] * heads, names, text, b";")
    except ValueError:
        return

    given = re.findall(rb"[0-9.+eE-]+", text)
    assert len(given) == heads * width
    assert woven == b";".join(
        b"h" + b"".join(b"n" + number for number in given[start : start + width]) + b"}"
        for start in range(0, len(given), width)
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ([], (b"a", b"}"), b"1", b","),
        ([b"h"], (b"}",), b"1", b","),
        ([b"h"], (), b"1", b","),
        ([b"h"], (b"a", b"}"), b"", b","),
        ([b"h"], (b"a", b"}"), b"1,2", b","),
        (["h"], (b"a", b"}"), b"1", b","),
        ([b"h"], ("a", b"}"), b"1", b","),
    ],
)
def test_numbers_that_do_not_fit_the_names_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match="one number for each name of each row"):
        greenlight_kernel.weave(*arguments)


@pytest.mark.parametrize(
    "arguments", [(), ((b"h",), (b"a", b"}"), b"1", b","), ([b"h"], (b"a", b"}"), b"1", ",")]
)
def test_other_types_are_refused(arguments: Any) -> None:
    with pytest.raises(TypeError):
        greenlight_kernel.weave(*arguments)
