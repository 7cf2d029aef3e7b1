"""An estimator's file has the same bytes every time, and gives back the estimator that it was."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from automation.driver import ROOT
from automation.errors import ConversionError, EqualityError
from automation.gate.equality import RANDOM_ROWS
from automation.gate.sklearn_form import SklearnFile, prove_equal, sklearn_file, stable_skops
from tests.support.trained_models import a_trained_model

ELSEWHERE = """
import hashlib
from automation.gate.sklearn_form import stable_skops
from tests.support.trained_models import a_trained_model
print(hashlib.sha256(stable_skops(a_trained_model().estimator)).hexdigest())
"""


def twice(rows: Any) -> Any:
    return np.asarray(rows) * 2


def test_the_same_estimator_has_the_same_bytes_here_and_in_another_process() -> None:
    here = hashlib.sha256(stable_skops(a_trained_model().estimator)).hexdigest()

    there = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()

    assert here == there


@pytest.mark.parametrize("kind", [KNeighborsClassifier, LogisticRegression])
def test_what_is_read_back_answers_as_what_was_written(kind: type[Any]) -> None:
    trained = a_trained_model()
    fitted = kind().fit(trained.training_rows, trained.training_labels)

    written = sklearn_file(fitted, allow_pickle=False)

    assert written.name == "model.skops"
    assert written.warnings == ()
    assert len(prove_equal(a_trained_model(estimator=fitted), written)) == 30 + RANDOM_ROWS


def test_what_skops_cannot_vouch_for_is_refused_with_its_name() -> None:
    piped = make_pipeline(FunctionTransformer(twice), a_trained_model().estimator)

    with pytest.raises(ConversionError, match=r"it holds .*test_sklearn_form\.twice.*allow-pickle"):
        sklearn_file(piped, allow_pickle=False)


def test_a_pickle_is_written_only_when_it_is_allowed_and_says_what_it_is() -> None:
    piped = make_pipeline(FunctionTransformer(np.array2string), a_trained_model().estimator)

    written = sklearn_file(piped, allow_pickle=True)

    assert written.name == "model.joblib"
    assert "reading it runs whatever code is in it" in written.warnings[0]


def test_what_no_file_can_keep_is_refused() -> None:
    piped = make_pipeline(FunctionTransformer(lambda rows: rows), a_trained_model().estimator)

    with pytest.raises(ConversionError, match="cannot be pickled"):
        sklearn_file(piped, allow_pickle=True)


def test_an_estimator_that_comes_back_different_is_refused() -> None:
    trained = a_trained_model()
    other = type(trained.estimator)(n_estimators=1, random_state=1)
    other.fit(trained.training_rows, 1 - trained.training_labels)

    with pytest.raises(EqualityError, match="answers differently once it is read back"):
        prove_equal(trained, SklearnFile(name="model.skops", content=b"", estimator=other))


def test_an_estimator_that_answers_no_row_proves_nothing() -> None:
    trained = a_trained_model()
    written = sklearn_file(trained.estimator, allow_pickle=False)
    trained.estimator.predict = None

    with pytest.raises(EqualityError, match="scikit-learn answers none of 286 rows"):
        prove_equal(trained, written)
