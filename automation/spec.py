"""A model's spec: `models/<model>.yaml`, typed, with every problem reported at once.

A spec says how the model is trained or where it comes from, how it is served, and which settings
its stacks get on top of the base stack's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from automation.errors import ModelNotFoundError, SpecError, UsageError
from automation.source import Source, SourceKind, problem_with
from components.names import MODEL_NAME_PATTERN
from components.settings import Stage

Cell = float | str | bool | None
MODELS_FOLDER = "models"
KEYS = (
    "model", "training", "source", "rows", "classNames", "runtime", "script",
    "settings", "stages", "samples",
)  # fmt: skip
TRAINING_KEYS = ("script", "estimator")
# The driver sets these itself: a spec that named them would fight with what was just packaged.
DRIVER_SETTINGS = ("stage", "model", "artifact", "artifactDigest", "runtime", "foundationStack")


class Runtime(StrEnum):
    """What answers in the container."""

    ONNX = "onnx"
    SKLEARN = "sklearn"


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model as its spec describes it.

    Args:
        script: the training script, relative to the project; None where the model comes from
            `source`, with rows of its own.
        estimator: what the script trains when nobody says otherwise; None without a script.
        source: where the estimator comes from instead of the training script.
        rows: a CSV file of rows that prove an estimator from `source`, relative to the project.
        class_names: names by class index for those rows; empty takes the estimator's own.
        runtime: what answers in the container.
        inference_script: a Python file or a folder with an inference.py, relative to the project.
        settings: `greenlight:` settings of the model's stacks, over those of the base stack.
        stages: settings of single stages, over `settings`.
        samples: rows to invoke the endpoint with when nobody gives any.
    """

    model: str
    script: Path | None = None
    estimator: str | None = None
    source: Source | None = None
    rows: Path | None = None
    class_names: tuple[str, ...] = ()
    runtime: Runtime = Runtime.ONNX
    inference_script: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    samples: tuple[tuple[Cell, ...], ...] = ()

    def settings_for(self, stage: str) -> dict[str, object]:
        """Return the settings of one stage: its own over the model's."""
        return merge_settings(self.settings, self.stages.get(stage, {}))


def runtime_from_text(text: str) -> Runtime:
    """Read what was given to `--runtime`.

    Raises:
        UsageError: it is no runtime.
    """
    if text not in list(Runtime):
        raise UsageError(f"--runtime is {text!r}; allowed are {', '.join(Runtime)}")
    return Runtime(text)


def merge_settings(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Lay settings over others: objects key by key, everything else whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = {**below, **value}
        else:
            merged[key] = value
    return merged


def model_names(root: Path) -> list[str]:
    """Name every model that has a spec."""
    return sorted(path.stem for path in (root / MODELS_FOLDER).glob("*.yaml"))


def load_spec(root: Path, model: str) -> ModelSpec:
    """Read `models/<model>.yaml`.

    Args:
        model: the model's name; `models/<model>` and `models/<model>.yaml` mean the same.

    Raises:
        ModelNotFoundError: there is no such spec.
        SpecError: the spec is wrong; the message lists every problem.
    """
    import yaml

    name = Path(model).name.removesuffix(".yaml")
    path = root / MODELS_FOLDER / f"{name}.yaml"
    if not path.is_file():
        names = model_names(root)
        known = ", ".join(names) if names else "none"
        raise ModelNotFoundError(
            f"model {model!r} has no spec; models with one are {known}: "
            f"give one of them or write {MODELS_FOLDER}/{name}.yaml"
        )
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as err:
        raise SpecError(f"{path.relative_to(root)} is not YAML: {err}") from err
    return spec_from_document(document, name, root)


def spec_from_document(document: object, name: str, root: Path) -> ModelSpec:
    """Check a spec's content.

    Args:
        name: the model the file is named after.
        root: the project, in which the files a spec names have to exist.

    Raises:
        SpecError: listing every problem.
    """
    problems: list[str] = []
    fields = _object(document, "the spec", problems)
    _refuse_unknown(fields, KEYS, "", problems)
    if fields.get("model") != name:
        problems.append(f"model is {fields.get('model')!r}; the file is named after {name!r}")
    elif MODEL_NAME_PATTERN.fullmatch(name) is None:
        problems.append(f"model {name!r} must match {MODEL_NAME_PATTERN.pattern}")
    script, estimator = _training(fields, root, problems)
    source = _source(fields, root, problems)
    rows = _path(fields, "rows", root, problems)
    if "training" not in fields and "source" not in fields:
        problems.append(
            "neither training nor source says where the model comes from; give training.script and "
            f"training.estimator, or a source with one of {', '.join(SourceKind)}"
        )
    spec = ModelSpec(
        model=name,
        script=script,
        estimator=estimator,
        source=source,
        rows=rows,
        class_names=_class_names(fields, problems),
        runtime=_runtime(fields, problems),
        inference_script=_path(fields, "script", root, problems),
        settings=_settings(fields.get("settings", {}), "settings", problems),
        stages=_stages(fields.get("stages", {}), problems),
        samples=_samples(fields.get("samples", []), problems),
    )
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise SpecError(f"{MODELS_FOLDER}/{name}.yaml cannot be used:\n{listed}")
    return spec


def _training(
    fields: Mapping[str, object], root: Path, problems: list[str]
) -> tuple[Path | None, str | None]:
    if "training" not in fields:
        return None, None
    training = _object(fields["training"], "training", problems)
    _refuse_unknown(training, TRAINING_KEYS, "training.", problems)
    script = _text(training, "training.script", problems)
    if script and not (root / script).is_file():
        problems.append(f"training.script is {script!r}; there is no such file in the project")
    return Path(script), _text(training, "training.estimator", problems)


def _source(fields: Mapping[str, object], root: Path, problems: list[str]) -> Source | None:
    if "source" not in fields:
        return None
    kinds = tuple(kind.value for kind in SourceKind)
    if not isinstance(fields["source"], dict):
        problems.append(
            f"source is {fields['source']!r}; give an object with one of {', '.join(kinds)}, such "
            "as {artifact: s3://BUCKET/KEY}"
        )
        return None
    source = _object(fields["source"], "source", problems)
    _refuse_unknown(source, kinds, "source.", problems)
    named = [kind for kind in SourceKind if kind in source]
    if len(named) != 1:
        given = ", ".join(named) if named else "none"
        problems.append(f"source names {given}; give exactly one of {', '.join(kinds)}")
        return None
    value = _text(source, f"source.{named[0]}", problems)
    problem = problem_with(named[0], value) if value else None
    if problem is not None:
        problems.append(f"source.{named[0]} is {value!r}, which {problem}")
    found = Source(kind=named[0], value=value)
    if value and problem is None and found.is_local and not (root / value).is_file():
        problems.append(f"source.{named[0]} is {value!r}; there is no such file in the project")
    return found


def _path(fields: Mapping[str, object], name: str, root: Path, problems: list[str]) -> Path | None:
    if name not in fields:
        return None
    text = _text(fields, name, problems)
    if text and not (root / text).exists():
        problems.append(f"{name} is {text!r}; there is nothing of that name in the project")
    return Path(text)


def _class_names(fields: Mapping[str, object], problems: list[str]) -> tuple[str, ...]:
    names = fields.get("classNames", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        problems.append(f"classNames is {names!r}; give a list of texts, by class index")
        return ()
    if len(set(names)) != len(names):
        problems.append(f"classNames is {names!r}; the names have to be different")
    return tuple(names)


def _runtime(fields: Mapping[str, object], problems: list[str]) -> Runtime:
    value = fields.get("runtime", Runtime.ONNX.value)
    if not isinstance(value, str) or value not in list(Runtime):
        problems.append(f"runtime is {value!r}; allowed are {', '.join(Runtime)}")
        return Runtime.ONNX
    return Runtime(value)


def _object(value: object, what: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        problems.append(f"{what} is {value!r}; give an object of keys and values")
        return {}
    return {str(key): entry for key, entry in value.items()}


def _refuse_unknown(
    fields: Mapping[str, object], known: tuple[str, ...], prefix: str, problems: list[str]
) -> None:
    problems.extend(
        f"{prefix}{key} is not a key of a spec; known here are {', '.join(known)}"
        for key in fields
        if key not in known
    )


def _text(fields: Mapping[str, object], name: str, problems: list[str]) -> str:
    value = fields.get(name.rpartition(".")[2])
    if isinstance(value, str) and value != "":
        return value
    problems.append(f"{name} is {value!r}; give a text")
    return ""


def _settings(value: object, name: str, problems: list[str]) -> dict[str, object]:
    settings: dict[str, object] = _object(value, name, problems)
    problems.extend(
        f"{name}.{key} is set by greenlight itself; leave it out"
        for key in settings
        if key in DRIVER_SETTINGS
    )
    return settings


def _stages(value: object, problems: list[str]) -> dict[str, Mapping[str, object]]:
    stages = _object(value, "stages", problems)
    allowed = [stage.value for stage in Stage]
    problems.extend(
        f"stages.{name} is not a stage; allowed are {', '.join(allowed)}"
        for name in stages
        if name not in allowed
    )
    return {name: _settings(entry, f"stages.{name}", problems) for name, entry in stages.items()}


def _samples(value: object, problems: list[str]) -> tuple[tuple[Cell, ...], ...]:
    rows = value if isinstance(value, list) else [value]
    samples: list[tuple[Cell, ...]] = []
    for index, row in enumerate(rows):
        if not isinstance(row, list) or not all(_is_cell(cell) for cell in row):
            problems.append(
                f"samples[{index}] is {row!r}; give a list of numbers, texts, booleans or nulls"
            )
            continue
        # Not a bool, which counts as an int.
        samples.append(tuple(float(cell) if type(cell) is int else cell for cell in row))
    return tuple(samples)


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float)
