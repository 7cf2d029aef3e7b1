"""Checks an inference script without running it: the functions SageMaker's containers know.

`model_fn(model_dir)`, `input_fn(body, content_type)`, `predict_fn(data, model)` and
`output_fn(prediction, accept)`, any subset. A script is text until the container runs it: what can
be said of it here is said from its syntax tree.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from automation.errors import ScriptError

# Source: sagemaker-inference toolkit and sagemaker-scikit-learn container documentation.
FUNCTIONS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2}
# What other containers of SageMaker call and this server does not.
OTHER_FUNCTIONS = {
    "transform_fn": "split it into input_fn, predict_fn and output_fn",
    "pre_model_fn": "do it in model_fn",
    "model_warmup_fn": "do it in model_fn; the golden rows warm the model",
    "execution_parameters_fn": "the server answers /execution-parameters itself",
}
CODE_FOLDER = "code"
SCRIPT_NAME = "inference.py"
SCRIPT_PATH = f"{CODE_FOLDER}/{SCRIPT_NAME}"
REQUIREMENTS_NAME = "requirements.txt"
MAXIMUM_BYTES = 16 << 20
MAXIMUM_FILES = 1000
_LEFT_OUT = "__pycache__"


@dataclass(frozen=True, kw_only=True)
class InferenceScript:
    """A script that was checked, as the archive holds it.

    Args:
        files: contents by path in the archive, all below `code/`.
        functions: those of `FUNCTIONS` it has, in their order.
        imports: top-level names of what it imports when it is loaded and does not bring itself.
    """

    files: Mapping[str, bytes]
    functions: tuple[str, ...]
    imports: tuple[str, ...]


def script_from_project(root: Path, path: Path) -> InferenceScript:
    """Read a script of the project.

    Args:
        path: a Python file, or a folder with an `inference.py` and what it needs beside it.

    Raises:
        ScriptError: it is not there, is not Python, or has none of the functions.
    """
    place = root / path
    if place.is_symlink() or not (place.is_file() or place.is_dir()):
        raise ScriptError(
            f"inference script {path} is no file or folder of the project; give a Python file, or "
            f"a folder with an {SCRIPT_NAME}"
        )
    if place.is_file():
        return script_from_files({SCRIPT_PATH: place.read_bytes()}, str(path))
    files = {f"{CODE_FOLDER}/{name}": content for name, content in _folder(place, str(path))}
    return script_from_files(files, str(path))


def script_from_files(files: Mapping[str, bytes], name: str) -> InferenceScript:
    """Check a script and its neighbours, as an archive holds them below `code/`.

    Args:
        name: what the script is called in errors.

    Raises:
        ScriptError: a module is not Python, the script has none of the functions, or one of them
            cannot be called as the container calls it, or packages are to be installed.
    """
    if f"{CODE_FOLDER}/{REQUIREMENTS_NAME}" in files:
        raise ScriptError(
            f"{name} brings a {REQUIREMENTS_NAME}: nothing is installed when the container starts, "
            "so that what serves is what was proven; leave it out and serve with an image that "
            "holds those packages (setting imageUri)"
        )
    if SCRIPT_PATH not in files:
        raise ScriptError(f"{name} holds no {SCRIPT_NAME}; the container looks for no other name")
    trees = {
        path: _parsed(content, f"{name} ({path})")
        for path, content in sorted(files.items())
        if path.endswith(".py")
    }
    defined = _functions(trees[SCRIPT_PATH])
    functions = {known: defined[known] for known in FUNCTIONS if known in defined}
    problems = [
        f"{other} is not called here; {instead}"
        for other, instead in OTHER_FUNCTIONS.items()
        if other in defined
    ]
    if not functions and not problems:
        raise ScriptError(
            f"{name} has none of the functions {', '.join(FUNCTIONS)}; give at least one of them, "
            "or leave the script out"
        )
    problems.extend(
        problem
        for function, definition in functions.items()
        if (problem := _misfit(function, definition)) is not None
    )
    if problems:
        raise ScriptError(f"{name} cannot be served: {'; '.join(problems)}")
    return InferenceScript(
        files=dict(sorted(files.items())),
        functions=tuple(functions),
        imports=tuple(sorted(_foreign_imports(trees))),
    )


def _folder(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Read a folder's files; hidden ones and compiled ones stay out."""
    left_bytes, count = MAXIMUM_BYTES, 0
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") or part == _LEFT_OUT for part in inside.parts):
            continue
        if path.is_symlink():
            raise ScriptError(f"{name} holds the symbolic link {inside}; put the file itself there")
        if path.is_dir():
            continue
        count, left_bytes = count + 1, left_bytes - path.stat().st_size
        if count > MAXIMUM_FILES or left_bytes < 0:
            raise ScriptError(
                f"{name} holds more than {MAXIMUM_FILES} files or {MAXIMUM_BYTES} bytes; give a "
                "folder of the script's own"
            )
        yield inside.as_posix(), path.read_bytes()


def _parsed(content: bytes, name: str) -> ast.Module:
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError) as err:
        line = getattr(err, "lineno", None)
        where = "" if line is None else f" line {line}"
        raise ScriptError(
            f"{name}{where} is not Python: {getattr(err, 'msg', err)}; "
            f"`python -m py_compile {SCRIPT_NAME}` shows where"
        ) from err


def _functions(tree: ast.Module) -> dict[str, ast.AST]:
    """Find what a script gives a name to when it is loaded, however it does so."""
    found: dict[str, ast.AST] = {}
    for node in _run_at_load(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.asname if alias.asname is not None else alias.name
                     for alias in node.names]  # fmt: skip
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        else:
            continue
        found.update(dict.fromkeys(names, node))
    return found


def _misfit(function: str, node: ast.AST) -> str | None:
    """Say why a definition cannot be called with the arguments the container gives."""
    given = FUNCTIONS[function]
    if isinstance(node, ast.AsyncFunctionDef):
        return f"{function} in line {node.lineno} is async; the container calls it as it is"
    if not isinstance(node, ast.FunctionDef):
        return None
    arguments = node.args
    taken = len(arguments.posonlyargs) + len(arguments.args)
    needed = taken - len(arguments.defaults)
    named = [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    if needed > given or named or (taken < given and arguments.vararg is None):
        return (
            f"{function} in line {node.lineno} cannot be called with {given} "
            f"argument{'' if given == 1 else 's'}"
        )
    return None


def _foreign_imports(trees: Mapping[str, ast.Module]) -> set[str]:
    """Name what is imported at load time and is neither Python's own nor in the folder."""
    own = {PurePosixPath(path).relative_to(CODE_FOLDER).parts[0].removesuffix(".py")
           for path in trees}  # fmt: skip
    found: set[str] = set()
    for tree in trees.values():
        for node in _run_at_load(tree.body, guarded=False):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module).partition(".")[0])
    return found - own - set(sys.stdlib_module_names)


def _run_at_load(body: list[ast.stmt], *, guarded: bool = True) -> Iterator[ast.stmt]:
    """Walk the statements that run when a module is loaded, not those inside of functions.

    Args:
        guarded: whether also those that may fail or be skipped, below `try` and `if`.
    """
    for node in body:
        yield node
        if not guarded:
            continue
        for name in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _run_at_load(getattr(node, name, []))
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _run_at_load(handler.body)
