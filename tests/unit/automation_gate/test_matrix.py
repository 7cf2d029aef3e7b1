"""The conversion matrix says what the gate really makes of each estimator, and lists them all."""

from __future__ import annotations

import re

from sklearn.linear_model import LinearRegression
from sklearn.utils import all_estimators

from automation.gate.matrix import PAGE, entries, entry_for, page, transformers


def test_the_page_is_what_the_gate_makes_of_every_estimator_today() -> None:
    assert PAGE.read_text() == page(list(entries())), "run `python -m automation.gate.matrix`"


def test_every_classifier_regressor_and_transformer_is_listed_once() -> None:
    listed = re.findall(r"^\| (\w+) \| ", PAGE.read_text(), flags=re.MULTILINE)

    known = {
        name for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)
    } | {name for name, _ in transformers()}
    assert sorted(listed) == sorted([*known, *["estimator"] * 3])


def test_an_entry_says_what_serves_an_estimator() -> None:
    entry = entry_for("LinearRegression", "regressor", LinearRegression)

    assert (entry.result, entry.note) == ("onnx (float32)", "")
