"""Rules about the repository: who imports whom, how large things are, what must not be left."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAXIMUM_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 60
MAXIMUM_ENGINE_LINES = 4000
# What a folder may import of the repository; "own" is always allowed.
ALLOWED_IMPORTS = {
    "__main__": {"components"},
    "components": set(),
    "automation": {
        "components.artifact",
        "components.build_context",
        "components.names",
        "components.rollout",
        "components.settings",
        "components.swap_plan",
    },
    "automation.gate": {
        "automation.archive",
        "automation.artifact",
        "automation.errors",
        "automation.source",
        "automation.spec",
    },
    "container": set(),
    "models": set(),
    "rehearsal.engine": set(),
    "rehearsal.provider": set(),
    "rehearsal.cloud": set(),
    "rehearsal.report": set(),
    "rehearsal.errors": set(),
    "rehearsal.dialogue": {"rehearsal.errors"},
    "rehearsal.processes": {"rehearsal.errors"},
    "rehearsal.session": {"rehearsal.dialogue", "rehearsal.errors", "rehearsal.processes"},
}
# The one command that starts a rehearsal, and the demo it offers.
STARTERS = {"automation/rehearsal.py": {"rehearsal"}, "automation/demo.py": {"rehearsal"}}
OURS = (
    "automation",
    "benchmarks",
    "components",
    "container",
    "models",
    "rehearsal",
    "server",
    "tests",
)
BANNED_MODULES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))|not implemented yet")
MACHINE_PATH = re.compile(r"/work/(main|scratch|shared|\.library)|/root/")


@cache
def tracked(suffix: str = "") -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    paths = (ROOT / name for name in listed)
    return tuple(path for path in paths if path.name.endswith(suffix) and path.is_file())


def sources() -> list[Path]:
    return [path for path in tracked(".py") if "tests" not in path.relative_to(ROOT).parts]


def owner(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_split = parts[0] == "rehearsal" or parts[:2] == ("automation", "gate")
    return ".".join(parts[:2]) if is_split and len(parts) > 1 else parts[0]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def forbidden_imports(path: Path) -> list[str]:
    own = owner(path)
    if own not in ALLOWED_IMPORTS:
        return []
    allowed = ALLOWED_IMPORTS[own] | STARTERS.get(str(path.relative_to(ROOT)), set()) | {own}
    if own == "container":
        allowed |= {"server"}
    return [
        module
        for module in imported(path)
        if module.split(".")[0] in OURS and not any(within(module, name) for name in allowed)
    ]


def test_folders_import_only_what_the_architecture_allows() -> None:
    found = {str(path.relative_to(ROOT)): forbidden_imports(path) for path in sources()}

    assert {name: modules for name, modules in found.items() if modules} == {}


def test_import_rule_sees_a_forbidden_import(tmp_path: Path) -> None:
    planted = ROOT / "components" / "planted.py"

    assert "rehearsal.cloud" in {
        module
        for module in imported(_written(tmp_path / "planted.py", "import rehearsal.cloud\n"))
        if not any(
            within(module, name) for name in ALLOWED_IMPORTS[owner(planted)] | {"components"}
        )
    }


def code_lines(text: str) -> int:
    """Count lines that hold code: no blanks, no comments, no docstrings."""
    numbers: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NOT_CODE:
            numbers.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            numbers -= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return len(numbers)


def test_files_are_short_enough_to_read() -> None:
    lines = {path.relative_to(ROOT): path.read_text().count("\n") for path in tracked(".py")}

    assert {str(p): n for p, n in lines.items() if n > MAXIMUM_FILE_LINES} == {}


def test_functions_are_short_enough_to_read() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in tracked(".py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > MAXIMUM_FUNCTION_LINES
    ]

    assert long == []


def test_engine_stays_small() -> None:
    lines = sum(code_lines(p.read_text()) for p in sources() if owner(p) == "rehearsal.engine")

    assert 0 < lines <= MAXIMUM_ENGINE_LINES


def test_code_lines_leave_out_blanks_comments_and_docstrings() -> None:
    text = '"""A module.\n\nMore of it.\n"""\n\n# Why.\nTEXT = """one\ntwo"""  # what\n'

    assert code_lines(text) == 2


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(p) for p in tracked(".py") if p.name in BANNED_MODULES] == []


def test_every_file_with_tests_is_collected() -> None:
    lost = [
        str(path.relative_to(ROOT))
        for path in tracked(".py")
        if path.relative_to(ROOT).parts[0] == "tests"
        and not path.name.startswith("test_")
        and any(
            isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            for node in ast.parse(path.read_text()).body
        )
    ]

    assert lost == []


def test_nothing_unfinished_is_left_without_an_issue_number() -> None:
    left = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]

    assert left == []


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    texts = [path for path in tracked() if path.suffix not in (".png", ".onnx")]

    assert [
        str(path.relative_to(ROOT))
        for path in texts
        if path != Path(__file__) and MACHINE_PATH.search(path.read_text(errors="ignore"))
    ] == []


@pytest.mark.parametrize("lock", sorted(str(path.relative_to(ROOT)) for path in tracked(".lock")))
def test_lock_files_pin_with_hashes_and_name_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "--hash=sha256:" in text
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text


def test_every_public_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert silent == []


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
