"""The inference script of an artifact: `code/inference.py`, loaded once and called by name.

It may have any of `model_fn(model_dir)`, `input_fn(body, content_type)`, `predict_fn(data, model)`
and `output_fn(prediction, accept)`, as SageMaker's scikit-learn container calls them. Whatever goes
wrong in them is named by file, function and line.

Source: aws/sagemaker-scikit-learn-container, `serving.py`; aws/sagemaker-inference-toolkit,
    `transformer.py` (read 2026)
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import (
    BodyTooLargeError,
    InvalidScriptError,
    NotAcceptableError,
    RequestError,
    ScriptError,
    ScriptRefusalError,
    UnsupportedContentTypeError,
)

CODE_FOLDER = "code"

HOOKS: dict[str, tuple[str, ...]] = {
    "model_fn": ("model_dir",),
    "input_fn": ("body", "content_type"),
    "predict_fn": ("data", "model"),
    "output_fn": ("prediction", "accept"),
}
"""Every function a script may have, and what it is called with."""

OTHER_HOOKS = {
    "transform_fn": "split it into input_fn, predict_fn and output_fn",
    "pre_model_fn": "do it in model_fn",
    "model_warmup_fn": "do it in model_fn; the golden rows warm the model",
    "execution_parameters_fn": "the server answers /execution-parameters itself",
}
"""What other containers of SageMaker call and this one does not, and what to do instead."""

REFUSALS: dict[int, type[RequestError]] = {
    406: NotAcceptableError,
    413: BodyTooLargeError,
    415: UnsupportedContentTypeError,
}
"""What a `status_code` of a script's exception means; any other from 400 to 499 is a 400."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script that was loaded.

    Args:
        folder: where it and what it imports beside itself lie
        name: its file in there
        functions: those of HOOKS that it has
    """

    folder: Path
    name: str
    functions: Mapping[str, Callable[..., Any]]

    def has(self, hook: str) -> bool:
        """Tell whether the script has one of the functions itself."""
        return hook in self.functions

    def call(self, hook: str, *arguments: Any) -> Any:
        """Call one of its functions.

        Raises:
            ScriptError: it raised; named by function and line, with the exception as its cause
            RequestError: it raised an exception with a `status_code` from 400 to 499
        """
        try:
            return self.functions[hook](*arguments)
        except (Exception, SystemExit) as error:
            raise self.told(error, hook) from error

    def told(self, error: BaseException, hook: str) -> ScriptError | RequestError:
        """Give what a client hears of an exception: where it was raised, but not what it says."""
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 400 <= status <= 499:
            return REFUSALS.get(status, ScriptRefusalError)(str(error))
        where = place_of(error, self.folder, self.name, hook)
        return ScriptError(
            f"{where}: {type(error).__name__}; the log has the rest under this request id"
        )


def load_script(folder: Path, name: str) -> Script:
    """Run a script's module, so that its functions can be called.

    Raises:
        InvalidScriptError: it cannot be imported, or its functions cannot be called as they will be
    """
    path = folder / name
    module_name = path.stem
    if module_name in sys.modules or module_name in sys.stdlib_module_names:
        raise InvalidScriptError(
            f"script {name} is called like the module {module_name!r}, which is already here; "
            "give it another name"
        )
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InvalidScriptError(f"script {name} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    # As the toolkit has it: the script's neighbours are modules, and so is the script.
    sys.path.insert(0, str(folder))
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        sys.path.remove(str(folder))
        raise InvalidScriptError(
            f"{place_of(error, folder, name)}: {type(error).__name__}: {error}"
        ) from error
    return Script(folder=folder, name=name, functions=functions_of(vars(module), name))


def functions_of(members: Mapping[str, Any], name: str) -> dict[str, Callable[..., Any]]:
    """Pick the functions a script has, and check that they can be called.

    Raises:
        InvalidScriptError: with every problem there is
    """
    problems = [
        f"{hook} is not called here; {instead}"
        for hook, instead in OTHER_HOOKS.items()
        if hook in members
    ]
    found = {hook: members[hook] for hook in HOOKS if members.get(hook) is not None}
    problems.extend(
        problem for hook, function in found.items() if (problem := _misfit(hook, function))
    )
    if not found and not problems:
        problems.append(f"it has none of {', '.join(HOOKS)}; give at least one, or leave it out")
    if problems:
        raise InvalidScriptError(f"script {name} cannot be served: {'; '.join(problems)}")
    return found


def place_of(error: BaseException, folder: Path, name: str, hook: str = "") -> str:
    """Say where in a script an exception was raised: `inference.py: predict_fn, line 12`.

    Args:
        hook: the function that was called; empty while the script is loaded
    """
    function = f": {hook}" if hook else ""
    if isinstance(error, SyntaxError) and error.filename is not None and error.lineno is not None:
        broken = Path(error.filename)
        if broken.is_relative_to(folder):
            return f"{broken.relative_to(folder)}, line {error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(folder)
    ]
    if not frames:
        return f"{name}{function}"
    innermost = frames[-1]
    file = Path(innermost.filename).relative_to(folder)
    inside = "" if innermost.name in (hook, "<module>") else f" in {innermost.name}"
    return f"{file}{function}, line {innermost.lineno}{inside}"


def _misfit(hook: str, function: Any) -> str:
    if not callable(function):
        return f"{hook} is a {type(function).__name__}, which is no function"
    if inspect.iscoroutinefunction(function):
        return f"{hook} is async; it is called as it is, in a thread"
    named = HOOKS[hook]
    try:
        inspect.signature(function).bind(*named)
    except TypeError as error:
        return f"{hook} cannot be called with ({', '.join(named)}): {error}"
    except ValueError:
        pass  # a function of C that does not tell
    return ""
