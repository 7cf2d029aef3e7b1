"""The compiled kernel: the same bits as scikit-learn, and no input that ends the process."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from automation.gate.forest import (
    LEAF,
    MAX_DEPTH,
    MAX_FEATURES,
    child_limit,
    forest_bytes,
    furthest_child,
)
from tests.support.forests import FittedForest, a_fitted_forest, a_forest_of, fitted_forests

greenlight_kernel: Any = pytest.importorskip(
    "greenlight_kernel", reason="no compiled kernel; install a C compiler, then run `make setup`"
)

LARGEST = float(np.finfo(np.float32).max)


def packed(rows: Any) -> bytes:
    """Round rows to float32 as scikit-learn does."""
    return np.asarray(rows, dtype=np.float32).tobytes()


@given(fitted_forests())
@settings(max_examples=200)
def test_answers_are_those_of_scikit_learn_to_the_bit(fitted: FittedForest) -> None:
    forest = greenlight_kernel.Forest(fitted.content)

    together = forest.predict(packed(fitted.rows))
    one_by_one = b"".join(forest.predict(packed(row)) for row in fitted.rows)

    assert together == fitted.answers.tobytes()
    assert one_by_one == together


@pytest.mark.parametrize("trees", [1, 7, 8, 9, 40])
def test_no_row_and_no_tree_is_left_out(trees: int) -> None:
    fitted = a_fitted_forest(RandomForestClassifier, trees=trees)
    forest = greenlight_kernel.Forest(fitted.content)

    for rows in (0, 1, 7, 8, 9, 100):
        assert forest.predict(packed(fitted.rows[:rows])) == fitted.answers[:rows].tobytes()


@pytest.mark.parametrize("features", [2, 256, 257])
@pytest.mark.parametrize("leaves", [2, 31, 32, 33])
def test_trees_are_asked_or_walked_with_the_same_answer(leaves: int, features: int) -> None:
    # Rows of a forest whose trees have up to 32 leaves are answered in another way.
    generator = np.random.default_rng(leaves)
    rows = generator.normal(size=(300, features)).round(1).astype(np.float32)
    estimator = RandomForestClassifier(9, max_leaf_nodes=leaves, max_features=None, random_state=1)
    estimator.fit(rows, generator.integers(4, size=300))
    forest = greenlight_kernel.Forest(forest_bytes(estimator))
    answers = estimator.predict_proba(rows)

    assert max(tree.tree_.n_leaves for tree in estimator.estimators_) == leaves
    for count in (1, 2, 5, 6, 15, 16, 17, 100):
        assert forest.predict(packed(rows[:count])) == answers[:count].tobytes()


def test_a_forest_says_what_it_takes_and_gives() -> None:
    forest = greenlight_kernel.Forest(a_fitted_forest(RandomForestClassifier, classes=5).content)

    assert (forest.feature_count, forest.output_count, forest.is_answer) == (4, 5, True)


def test_many_threads_share_a_forest() -> None:
    fitted = a_fitted_forest(RandomForestRegressor, trees=50)
    forest = greenlight_kernel.Forest(fitted.content)
    rows = packed(fitted.rows)

    with ThreadPoolExecutor(4) as executor:
        answers = set(executor.map(forest.predict, [rows] * 40))

    assert answers == {fitted.answers.tobytes()}


@pytest.mark.parametrize("rows", [b"x", bytes(17), np.zeros((4, 4)).T, "text", None])
def test_rows_that_are_no_rows_are_an_error(rows: Any) -> None:
    forest = greenlight_kernel.Forest(a_fitted_forest(RandomForestClassifier).content)
    given = np.zeros((3, 4), np.float32)[:, :3] if rows is None else rows

    with pytest.raises((ValueError, TypeError, BufferError)):
        forest.predict(given)


@pytest.mark.parametrize(
    ("at", "value", "problem"),
    [
        (0, b"X", "does not begin as a forest does"),
        (8, struct.pack("<I", 2), "another version"),
        (16, struct.pack("<I", 0), "number of features"),
        (16, struct.pack("<I", 2**32 - 1), "number of features"),
        (20, struct.pack("<I", 0), "number of outputs"),
        (24, struct.pack("<I", 0), "numbers of trees and nodes"),
        (28, struct.pack("<I", 2**32 - 1), "numbers of trees and nodes"),
        (32, struct.pack("<I", 2**32 - 1), "more values than"),
        (32, struct.pack("<I", 9), "size is not"),
    ],
)
def test_a_header_that_cannot_be_is_named(at: int, value: bytes, problem: str) -> None:
    content = bytearray(a_fitted_forest(RandomForestClassifier).content)
    content[at : at + len(value)] = value

    with pytest.raises(ValueError, match=problem):
        greenlight_kernel.Forest(bytes(content))


def test_a_forest_made_by_hand_is_walked() -> None:
    forest = greenlight_kernel.Forest(a_forest_of([0, LEAF, LEAF, LEAF], [3, 1]))

    assert np.frombuffer(forest.predict(packed([[1.0], [-1.0]]))).tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("splits", "sizes", "problem"),
    [
        ([0, LEAF], [2], "numbers of trees and nodes"),
        ([0, 0, LEAF], [3], "children outside its tree"),
        ([LEAF, 0, LEAF], [3], "children outside its tree"),
        ([LEAF, LEAF, LEAF], [3], "nodes that no split leads to"),
        ([0, LEAF, LEAF, LEAF], [3, 0], "sizes of its trees"),
        ([LEAF, LEAF, LEAF, LEAF], [1, 1], "sizes of its trees"),
        ([LEAF], [2], "sizes of its trees"),
        ([1, LEAF, LEAF], [3], "a feature that does not exist"),
        ([0, LEAF, LEAF + 1], [3], "a value that does not exist"),
        ([0, LEAF] * MAX_DEPTH + [0, LEAF, LEAF], [2 * MAX_DEPTH + 3], "deeper than"),
    ],
)
def test_a_tree_that_leads_nowhere_is_refused(
    splits: list[int], sizes: list[int], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        greenlight_kernel.Forest(a_forest_of(splits, sizes))


@pytest.mark.parametrize(("depth", "is_taken"), [(15, True), (16, False)])
def test_a_tree_too_wide_to_be_packed_is_refused(depth: int, is_taken: bool) -> None:
    splits = [0] * (2**depth - 1) + [LEAF] * 2**depth
    content = a_forest_of(splits, [len(splits)], features=MAX_FEATURES)

    fits = furthest_child(np.array(splits) == LEAF) < child_limit(MAX_FEATURES)

    assert fits == is_taken
    if is_taken:
        forest = greenlight_kernel.Forest(content)
        assert np.frombuffer(forest.predict(bytes(4 * MAX_FEATURES))).tolist() == [1.0]
    else:
        with pytest.raises(ValueError, match="a tree is wider than this kernel walks"):
            greenlight_kernel.Forest(content)


def test_the_deepest_tree_is_walked_and_explained() -> None:
    forest = greenlight_kernel.Forest(
        a_forest_of([0, LEAF] * MAX_DEPTH + [LEAF], [2 * MAX_DEPTH + 1])
    )

    assert np.frombuffer(forest.predict(packed([1.0]))).tolist() == [1.0]
    assert np.isfinite(np.frombuffer(forest.explain(packed([1.0])))).all()


FUZZ = """
import sys
import greenlight_kernel

content = sys.stdin.buffer.read()
rows = bytes(4 * 65_535 * 9)
loaded = refused = 0


def load(content):
    global loaded, refused
    try:
        forest = greenlight_kernel.Forest(content)
    except ValueError:
        refused += 1
        return
    loaded += 1
    size = 4 * forest.feature_count
    for count in (1, 3, 9):
        forest.predict(rows[: count * size])
    forest.explain(rows[:size])


for end in range(len(content)):
    load(content[:end])
for position in range(len(content)):
    for flip in (0x01, 0x40, 0x80, 0xFF):
        changed = bytearray(content)
        changed[position] ^= flip
        load(bytes(changed))
print(loaded, refused)
"""


def test_no_flipped_byte_and_no_cut_end_the_process(tmp_path: Path) -> None:
    # In a process of its own: what is feared here would end this one.
    content = a_fitted_forest(RandomForestClassifier, trees=3, max_depth=3).content

    done = subprocess.run(
        [sys.executable, "-c", FUZZ], input=content, capture_output=True, cwd=tmp_path, check=False
    )

    assert done.returncode == 0, done.stderr.decode()
    loaded, refused = map(int, done.stdout.split())
    assert loaded + refused == 5 * len(content)
    assert loaded > len(content)
    assert refused > len(content)


@given(
    st.lists(
        st.lists(
            st.one_of(
                st.floats(-LARGEST, LARGEST), st.integers(-(2**70), 2**70), st.integers(-9, 9)
            ),
            min_size=3,
            max_size=3,
        ),
        max_size=9,
    )
)
def test_rows_are_packed_as_numpy_rounds_them(rows: list[list[float]]) -> None:
    packed_rows = greenlight_kernel.pack_rows(rows, 3)

    assert packed_rows == np.array(rows, dtype=np.float32).tobytes()


@pytest.mark.parametrize(
    "rows",
    [
        "rows",
        ([1.0, 2.0],),
        [(1.0, 2.0)],
        [[1.0]],
        [[1.0, 2.0], [1.0, 2.0, 3.0]],
        [[1.0, True]],
        [[1.0, None]],
        [[1.0, "2"]],
        [[1.0, [2.0]]],
        [[1.0, math.nan]],
        [[1.0, -math.inf]],
        [[1.0, 3.5e38]],
        [[1.0, 10**40]],
        [[1.0, 10**400]],
    ],
)
def test_rows_that_are_not_plainly_fine_are_left_to_the_exact_path(rows: Any) -> None:
    assert greenlight_kernel.pack_rows(rows, 2) is None


@pytest.mark.parametrize("count", [0, -1, 65_536])
def test_a_number_of_features_no_forest_has_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match=f"feature_count is {count}; give 1 to 65535"):
        greenlight_kernel.pack_rows([], count)
