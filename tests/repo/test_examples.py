"""What Hypothesis tries is the same on every machine, and whatever ran before."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st


def examples() -> list[list[int]]:
    """Give what a test of lists of numbers is given."""
    seen: list[list[int]] = []

    @given(st.lists(st.integers(0, 5_000)))
    def look(numbers: list[int]) -> None:
        seen.append(numbers)

    look()
    return seen


def test_the_examples_are_the_same_whatever_modules_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = examples()
    numbers = ", ".join(map(str, range(4_000, 4_200)))
    (tmp_path / "a_module_of_numbers.py").write_text(f"NUMBERS = [{numbers}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("a_module_of_numbers")

    assert examples() == before
