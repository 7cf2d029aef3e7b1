"""Rows for an estimator from elsewhere are its own features, in its order, or they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automation.errors import EstimatorFileError, SourceError
from automation.gate.sample_rows import (
    coverage_notes,
    read_table,
    trained_from_rows,
    with_estimator,
)
from tests.support.trained_models import a_trained_model

ROWS = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "size": [4.0, 3.0, 2.0, 2.5]})
LABELS = ["no", "no", "yes", "yes"]

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        (tmp_path / "rows.csv").write_text(text)
        return tmp_path / "rows.csv"

    return written


def named() -> LogisticRegression:
    """Fitted on a DataFrame: it knows its features by name."""
    return LogisticRegression().fit(ROWS, LABELS)


def unnamed() -> LogisticRegression:
    return LogisticRegression().fit(ROWS.to_numpy(), [0, 0, 1, 1])


def test_the_header_names_the_features_and_the_last_column_the_truth(write: Write) -> None:
    trained = trained_from_rows(unnamed(), "it", write("a,b,label\n1,2,0\n3,4,1\n"), ["lo", "hi"])

    assert trained.feature_names == ("a", "b")
    assert trained.class_names == ("lo", "hi")
    assert trained.has_labels
    assert trained.live_labels.tolist() == [0, 1]
    assert trained.live_rows.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert trained.column_types is None


def test_labels_may_be_given_by_class_name(write: Write) -> None:
    trained = trained_from_rows(unnamed(), "it", write("a,b,label\n1,2,hi\n3,4,lo\n"), ["lo", "hi"])

    assert trained.live_labels.tolist() == [1, 0]


def test_without_a_label_column_the_estimators_own_answers_stand_in(write: Write) -> None:
    estimator = unnamed()

    trained = trained_from_rows(estimator, "it", write("a,b\n1,4\n4,2\n"))

    assert not trained.has_labels
    assert trained.training_labels.tolist() == estimator.predict([[1, 4], [4, 2]]).tolist()
    assert trained.class_names == ("0", "1")


def test_columns_of_a_named_estimator_may_be_in_any_order(write: Write) -> None:
    trained = trained_from_rows(named(), "it", write("label,size,age\nno,9,1\nyes,8,2\n"))

    assert trained.feature_names == ("age", "size")
    assert trained.live_rows.tolist() == [[1.0, 9.0], [2.0, 8.0]]
    assert trained.column_types is not None
    assert trained.class_names == ("no", "yes")


def test_texts_and_empty_cells_are_kept_and_na_is_a_text(write: Write) -> None:
    land = pd.DataFrame({"land": ["NA", "DE", "NA", "DE"]})
    estimator = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    estimator.fit(land, LABELS)

    trained = trained_from_rows(estimator, "it", write('land\nNA\nDE\n""\n'))

    assert trained.live_rows.tolist() == [["NA"], ["DE"], [None]]


def test_a_column_of_true_and_false_is_one_of_booleans(write: Write) -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "member": [True, False, True, True]})
    estimator = LogisticRegression().fit(frame, LABELS)

    trained = trained_from_rows(estimator, "it", write("age,member\n1,true\n2,False\n"))

    assert trained.live_rows.tolist() == [[1.0, True], [2.0, False]]


def test_a_class_without_a_row_is_named(write: Write) -> None:
    missing = trained_from_rows(unnamed(), "it", write("a,b,label\n1,2,0\n"), ["lo", "hi"])
    covered = trained_from_rows(unnamed(), "it", write("a,b,label\n1,2,0\n1,2,1\n"))

    assert coverage_notes(missing) == (
        "no row is of class hi: the golden rows prove nothing of it",
    )
    assert coverage_notes(covered) == ()


def test_a_regressor_takes_numbers_as_truth(write: Write) -> None:
    estimator = LinearRegression().fit(ROWS.to_numpy(), [1.0, 2.0, 3.0, 4.0])

    trained = trained_from_rows(estimator, "it", write("a,b,label\n1,2,0.5\n3,4,1e1\n"))

    assert trained.class_names == ()
    assert trained.live_labels.tolist() == [0.5, 10.0]
    assert coverage_notes(trained) == ()


@pytest.mark.parametrize(
    ("estimator", "text", "message"),
    [
        (unnamed(), "", "the first line has to name every feature"),
        (unnamed(), "a,a\n1,2\n", "the first line has to name every feature, each once"),
        (unnamed(), "a,b\n", "hold no row; without rows nothing can be proven"),
        (unnamed(), "a,b\n1,2\n1\n", "line 3 has 1 cells; the header has 2"),
        (unnamed(), "a,b\n1,2,3\n", "line 2 has 3 cells; the header has 2"),
        (unnamed(), "a,b\n1,nan\n", "the estimator fails on the rows"),
        (unnamed(), 'a,b\n1,"2\n', "are not CSV in UTF-8"),
        (unnamed(), "a\n1\n", "have 1 columns; the estimator takes 2 features"),
        (unnamed(), "a,b,truth\n1,2,0\n", "have 3 columns; the estimator takes 2 features"),
        (unnamed(), "a,b,label\n1,2,0\n3,4,maybe\n", "have the label 'maybe' in row 2; allowed"),
        (unnamed(), "a,b,label\n1,2,low\n", "are 0, 1; other names go into the spec's classNames"),
        (unnamed(), "a,b,label\n1,2,\n", "have the label '' in row 1; allowed"),
        (named(), "age,colour\n1,2\n", "leave out the features size and have the columns colour"),
        (named(), "age,size\n1,x\n", r"the estimator fails on the rows in .*ValueError"),
        (LinearRegression().fit(ROWS.to_numpy(), [1, 2, 3, 4]), "a,b,label\n1,2,x\n", "numbers"),
        (LinearRegression().fit(ROWS.to_numpy(), [1, 2, 3, 4]), "a,b,label\n1,2,inf\n", "'inf'"),
    ],
)  # fmt: skip
def test_rows_that_are_not_the_estimators_are_refused(
    estimator: Any, text: str, message: str, write: Write
) -> None:
    with pytest.raises(SourceError, match=message):
        trained_from_rows(estimator, "it", write(text))


def test_rows_that_are_not_there_or_not_text_are_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"do not exist; give a CSV file with a header"):
        trained_from_rows(unnamed(), "it", tmp_path / "none.csv")
    (tmp_path / "rows.csv").write_bytes(b"\xff\xfea,b\n")
    with pytest.raises(SourceError, match="are not CSV in UTF-8"):
        trained_from_rows(unnamed(), "it", tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(SourceError, match="have more than 67108864 bytes; give a sample"):
        trained_from_rows(unnamed(), "it", tmp_path / "rows.csv")


def test_class_names_have_to_be_as_many_as_the_classes(write: Write) -> None:
    with pytest.raises(SourceError, match=r"classNames are a, b, c; .* has 2 classes: 0, 1"):
        trained_from_rows(unnamed(), "it", write("a,b\n1,2\n"), ["a", "b", "c"])


def test_an_estimator_takes_the_place_of_the_one_that_was_trained() -> None:
    trained = a_trained_model()
    other = LogisticRegression().fit(trained.training_rows, trained.training_labels)

    replaced = with_estimator(trained, other, "other.skops")

    assert (replaced.estimator, replaced.name) == (other, "other.skops")
    assert np.array_equal(replaced.live_rows, trained.live_rows)


def test_an_estimator_that_knows_names_gets_rows_with_names() -> None:
    trained = a_trained_model()
    frame = pd.DataFrame(trained.training_rows, columns=list(trained.feature_names))
    other = LogisticRegression().fit(frame, trained.training_labels)

    assert with_estimator(trained, other, "it").column_types == {
        "height_cm": np.dtype("float64"), "kind": np.dtype("float64"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LogisticRegression().fit([[1.0], [2.0]], [0, 1]), "takes 1 features; the training script"),
        (named(), "takes the features age, size; the training script's rows have height_cm, kind"),
        (
            LogisticRegression().fit([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0]], [0, 1, 2]),
            "2 class_names for an estimator with 3 classes",
        ),
    ],
)
def test_an_estimator_for_other_rows_than_the_scripts_is_refused(
    estimator: Any, message: str
) -> None:
    with pytest.raises(EstimatorFileError, match=message):
        with_estimator(a_trained_model(), estimator, "it")


@given(
    content=st.one_of(
        st.binary(max_size=60), st.text('ab,1."\n\r\0é;', max_size=40).map(str.encode)
    )
)
@settings(max_examples=50)
def test_any_file_of_rows_is_taken_or_refused_with_a_reason(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"a,b\n" + content)

    try:
        table = read_table(path)
    except SourceError:
        return

    assert list(table) == ["a", "b"]
    assert len(table["a"]) == len(table["b"]) > 0
