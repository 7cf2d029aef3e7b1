"""The fidelity tables of rehearsal/README.md against the markers of the cloud's tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "rehearsal" / "README.md"
CLOUD = ROOT / "rehearsal" / "cloud"
EVIDENCE = ("documented", "observed", "assumed")
TESTS = [
    *(ROOT / "tests" / "unit" / "rehearsal_cloud").glob("test_*.py"),
    *(ROOT / "tests" / "contract").glob("test_cloud_*.py"),
]


def marks_by_test() -> dict[str, set[str]]:
    """Return the fidelity markers of every test of the cloud."""
    found: dict[str, set[str]] = {}
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                calls = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
                names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
                found[node.name] = names & {"source", "assumed"}
    return found


def rows() -> list[list[str]]:
    """Return the cells of each row of the fidelity tables."""
    tables = README.read_text(encoding="utf-8").partition("## Fidelity")[2]
    lines = [line for line in tables.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "Behaviour"]


def test_every_row_says_how_sure_it_is_and_has_a_test_or_a_reason() -> None:
    wrong = [
        row
        for row in rows()
        if len(row) != 5 or not row[2].startswith(EVIDENCE) or not (row[3] or row[4])
    ]

    assert wrong == []


def test_what_stands_where_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    table = text.partition("## Where what stands")[2].partition("\n#")[0]
    named = []
    for line in table.splitlines():
        folder = CLOUD
        for name in re.findall(r"`([\w./]+)`", line.partition("|")[2].partition("|")[0]):
            # A file stands in the folder of the one before it.
            path = CLOUD / name if "/" in name.rstrip("/") else folder / name
            folder = path.parent if path.suffix else folder
            named.append(path)

    assert CLOUD / "hosting" / "state.py" in named
    assert [path for path in named if not path.exists()] == []


def test_every_marked_test_stands_in_the_table_and_every_named_test_is_marked() -> None:
    named = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[3])}
    marked = {name for name, marks in marks_by_test().items() if marks}

    assert named == marked


def test_what_the_table_calls_assumed_is_marked_so() -> None:
    marks = marks_by_test()

    for behaviour, _, evidence, tests, _ in rows():
        wanted = "assumed" if evidence.startswith("assumed") else "source"
        for name in re.findall(r"`(test_\w+)`", tests):
            assert wanted in marks[name], (behaviour, name)
