"""An estimator file is read only when its types are known, its versions fit and it was fitted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops_io

from automation.errors import EstimatorFileError, SourceError, VersionDriftError
from automation.gate.estimator_file import estimator_from_bytes, estimator_from_files
from tests.support.trained_models import a_trained_model

ROWS = np.array([[1.0], [2.0], [3.0], [4.0]])
LABELS = [0, 0, 1, 1]


def pickled(estimator: object, **options: Any) -> bytes:
    packed = io.BytesIO()
    joblib.dump(estimator, packed, **options)
    return packed.getvalue()


def a_skops_of(version: str) -> bytes:
    """A skops file whose estimator says that another scikit-learn fitted it."""
    written = skops_io.dumps(LogisticRegression().fit(ROWS, LABELS))
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                entry = schema["content"]["content"]["_sklearn_version"]
                entry["content"] = json.dumps(version)
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    return packed.getvalue()


def test_a_skops_file_gives_the_estimator_that_was_saved() -> None:
    forest = a_trained_model().estimator

    read = estimator_from_bytes(skops_io.dumps(forest), "forest.skops", allow_pickle=False)

    rows = a_trained_model().live_rows
    assert np.array_equal(read.predict_proba(rows), forest.predict_proba(rows))


def test_a_pickle_is_refused_unless_it_is_allowed() -> None:
    content = pickled(a_trained_model().estimator)

    with pytest.raises(EstimatorFileError, match="which runs code when it is read"):
        estimator_from_bytes(content, "forest.joblib", allow_pickle=False)

    assert estimator_from_bytes(content, "forest.joblib", allow_pickle=True).n_features_in_ == 2


def test_a_refused_pickle_is_not_read_at_all() -> None:
    class Mine:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return exec, ("raise AssertionError('it ran')",)

    with pytest.raises(EstimatorFileError, match="runs code"):
        estimator_from_bytes(pickled(Mine()), "mine.pkl", allow_pickle=False)
    with pytest.raises(EstimatorFileError, match="cannot be read: AssertionError: it ran"):
        estimator_from_bytes(pickled(Mine()), "mine.pkl", allow_pickle=True)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (a_skops_of("1.2.2"), "old.skops"),
        (pickled(LogisticRegression().fit(ROWS, LABELS)), "old.joblib"),
        (pickled(LogisticRegression().fit(ROWS, LABELS), compress=3), "old.pkl"),
    ],
    ids=["skops", "joblib", "compressed"],
)
def test_an_estimator_of_another_scikit_learn_is_refused_with_both_ways_out(
    content: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name != "old.skops":
        monkeypatch.setattr("sklearn.base.__version__", "1.2.2")
        options = {"compress": 3} if name == "old.pkl" else {}
        content = pickled(LogisticRegression().fit(ROWS, LABELS), **options)
        monkeypatch.undo()

    with pytest.raises(
        VersionDriftError, match=rf"{name} was fitted by another scikit-learn, 1\.2"
    ):
        estimator_from_bytes(content, name, allow_pickle=True)


def test_a_skops_file_with_types_of_another_package_is_refused_by_name() -> None:
    piped = make_pipeline(FunctionTransformer(json.dumps), LogisticRegression())
    piped.steps[1][1].fit(ROWS, LABELS)

    with pytest.raises(EstimatorFileError, match=r"does not know to be safe: json\.dumps"):
        estimator_from_bytes(skops_io.dumps(piped), "piped.skops", allow_pickle=True)


def test_a_search_over_an_estimator_of_dicts_is_refused_with_the_step_that_takes_columns() -> None:
    piped = make_pipeline(DictVectorizer(), LogisticRegression())
    search = GridSearchCV(piped, {"logisticregression__C": [1.0]}, cv=2)
    search.fit([{"a": 1.0}, {"a": 2.0}, {"a": 3.0}, {"a": 4.0}], [0, 1, 0, 1])

    with pytest.raises(EstimatorFileError, match=r"first step, DictVectorizer, .*ColumnTransform"):
        estimator_from_bytes(skops_io.dumps(search), "search.skops", allow_pickle=False)


def test_a_skops_file_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("schema.json", b"{}")
        archive.filelist[0].file_size = 4 << 30

    with pytest.raises(SourceError, match=r"bomb\.skops, unpacked, has 4294967296 bytes; at most"):
        estimator_from_bytes(packed.getvalue(), "bomb.skops", allow_pickle=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.skops", b"no zip", r"broken\.skops cannot be read: BadZipFile.*write it anew"),
        ("broken.pkl", b"no pickle", r"broken\.pkl cannot be read.*another version of"),
        ("model.txt", b"", r"model\.txt ends in '\.txt'; allowed are \.skops"),
        ("words.skops", skops_io.dumps({"a": 1}), "holds a dict, which is no fitted estimator"),
        ("new.skops", skops_io.dumps(LogisticRegression()), "holds a LogisticRegression, which is"),
    ],
)
def test_a_file_that_holds_no_fitted_estimator_is_refused(
    name: str, content: bytes, message: str
) -> None:
    with pytest.raises(EstimatorFileError, match=message):
        estimator_from_bytes(content, name, allow_pickle=True)


def test_the_one_estimator_of_an_archive_is_found_beside_other_files() -> None:
    content = skops_io.dumps(LogisticRegression().fit(ROWS, LABELS))
    files = {"in in/model.skops": content, "._model.skops": b"", "code/x.pkl": b"", "a.txt": b""}

    path, estimator = estimator_from_files(files, "it", allow_pickle=False)

    assert path == "in in/model.skops"
    assert estimator.n_features_in_ == 1


def test_skops_is_taken_where_an_archive_holds_both_forms() -> None:
    content = skops_io.dumps(LogisticRegression().fit(ROWS, LABELS))

    path, _ = estimator_from_files(
        {"model.joblib": b"", "model.skops": content}, "it", allow_pickle=False
    )

    assert path == "model.skops"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.skops", "b.skops"], "it holds a.skops, b.skops"),
        (["x.bst"], "it holds none, but x.bst"),
        (["x.bst", "code/inference.py"], "what only its script can read cannot be proven equal"),
        ([], "it holds none, but no file at all"),
        (list("abcdefg"), "it holds none, but a, b, c, d, e and 2 more"),
    ],
)
def test_an_archive_without_exactly_one_estimator_is_refused_with_what_it_holds(
    names: list[str], message: str
) -> None:
    with pytest.raises(EstimatorFileError, match=message):
        estimator_from_files(dict.fromkeys(names, b""), "it", allow_pickle=True)
