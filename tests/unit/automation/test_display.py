"""What a person reads after a command says what was checked, and where it went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from automation.artifact import Artifact
from automation.display import show_answers, show_package
from automation.gate.packaging import Package
from automation.invocation import Answer


def a_package(**changes: Any) -> Package:
    artifact = Artifact(
        directory=Path("/project/build/models/fraud/0123"),
        digest="0123456789abcdef" * 4,
        manifest={"runtime": "sklearn"},
    )
    wanted: dict[str, Any] = {
        "model": "fraud", "estimator": "forest", "artifact": artifact, "accuracy": 0.98765,
        "checked_rows": 406, "warnings": (),
    }  # fmt: skip
    return Package(**(wanted | changes))


def shown(show: Any, *values: Any) -> str:
    console = Console(record=True, width=200, file=None, quiet=False)
    with console.capture() as captured:
        show(console, *values)
    return " ".join(captured.get().split())


def test_a_package_is_told_with_rows_runtime_digest_and_folder() -> None:
    told = shown(show_package, a_package())

    assert told == (
        "packaged fraud forest: accuracy 0.9877, 406 rows answered as by scikit-learn, runtime "
        "sklearn, artifact 0123456789abcdef /project/build/models/fraud/0123"
    )


def test_where_a_model_came_from_and_what_to_know_of_it_are_told() -> None:
    told = shown(
        show_package,
        a_package(accuracy=None, source="model-package/fraud/3", warnings=("take [care]",)),
    )

    assert "accuracy unknown, no labels, 406 rows" in told
    assert "from model-package/fraud/3 " in told
    assert told.endswith("warning: take [care]")


@pytest.mark.parametrize(
    ("cell", "text"), [(5.10, "5.1"), ("red", "red"), (True, "True"), (None, "-")]
)
def test_every_kind_of_cell_is_shown(cell: Any, text: str) -> None:
    answer = Answer(row=(cell, 1.0), label="yes", confidence=None, variant="main")

    assert f"{text}, 1" in shown(show_answers, "fraud-dev", [answer])
