"""Gets a fitted estimator, with the rows that prove it, from a model's training script.

A training script is any Python file with `train(estimator: str) -> dict`; it needs nothing of
greenlight. `RETURNED_KEYS` lists the keys, `TrainedModel` says what they mean. Rows may be a
DataFrame (for an estimator that was fitted on one, with the same column names as
`feature_names`), an array, or lists; cells are numbers, texts, booleans, and None or NaN for what
is missing. Labels of several outputs are (rows, outputs), `class_names` then a list for each output
and, if wanted, `output_names`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.errors import TrainingError, UsageError
from automation.gate.estimator_file import first_step_of_no_rows, is_fitted, told_of_no_rows
from automation.gate.features import Rows, rows_from_returned
from automation.spec import ModelSpec

RETURNED_KEYS = (
    "estimator", "feature_names", "class_names",
    "training_rows", "training_labels", "live_rows", "live_labels",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OutputNames:
    """One of several outputs of an estimator; `class_names` is empty for a regressor's."""

    name: str
    class_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A fitted estimator with the rows that prove it.

    Args:
        class_names: names by class index, in the order of the estimator's `classes_`; empty for a
            regressor and for several outputs.
        training_rows: what it was fitted on, as `automation.gate.features` holds rows: float64, or
            objects where there are texts or booleans.
        live_rows: rows it has never seen, as clients will send them, held likewise.
        column_types: pandas's type by column for an estimator that takes DataFrames; None for one
            that takes arrays.
        outputs: the outputs of an estimator that has several; empty for all others.
        has_labels: whether the labels are the truth; else they are the estimator's own answers.
    """

    name: str
    estimator: Any
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    training_rows: Rows
    training_labels: npt.NDArray[Any]
    live_rows: Rows
    live_labels: npt.NDArray[Any]
    column_types: Mapping[str, Any] | None = None
    outputs: tuple[OutputNames, ...] = ()
    has_labels: bool = True

    @property
    def is_classifier(self) -> bool:
        """Whether it answers with classes; else it answers with values."""
        return bool(self.class_names) or any(output.class_names for output in self.outputs)


def train(spec: ModelSpec, root: Path, estimator: str | None = None) -> TrainedModel:
    """Run a model's training script.

    Args:
        estimator: what to train; left out, the spec's own.

    Raises:
        UsageError: the script trains no such estimator.
        TrainingError: the script cannot be loaded, fails, or returns something else.
    """
    if spec.script is None or spec.estimator is None:
        raise TrainingError(
            f"model {spec.model} has no training script; name one as training.script in "
            f"models/{spec.model}.yaml, or say where the model comes from with --from"
        )
    name = spec.estimator if estimator is None else estimator
    script = _load_script(root / spec.script)
    known = getattr(script, "ESTIMATORS", None)
    if known is not None and name not in known:
        # Of the spec it is the spec's fault, and not that of who gave the command.
        refusal = TrainingError if estimator is None else UsageError
        raise refusal(
            f"estimator {name!r} is not one {spec.script} trains; "
            f"allowed are {', '.join(map(str, known))}"
        )
    try:
        returned = script.train(name)
    # A script's end by sys.exit is no end of ours.
    except (Exception, SystemExit) as err:
        raise TrainingError(
            f"{spec.script} failed to train {name!r}: {type(err).__name__}: {err}; "
            f"run `python {spec.script} {name}` to see where"
        ) from err
    return trained_from_returned(returned, name, spec.script)


def trained_from_returned(returned: object, name: str, script: Path) -> TrainedModel:
    """Check what a training script returned.

    Raises:
        TrainingError: a key is missing, or shapes and names do not fit each other.
    """
    if not isinstance(returned, Mapping):
        raise TrainingError(
            f"train() in {script} returned a {type(returned).__name__}; "
            f"it has to return a dict with {', '.join(RETURNED_KEYS)}"
        )
    missing = [key for key in RETURNED_KEYS if key not in returned]
    if missing:
        raise TrainingError(
            f"train() in {script} returned no {', '.join(missing)}; "
            f"it has to return {', '.join(RETURNED_KEYS)}"
        )
    try:
        trained = _trained(returned, name)
    except (TypeError, ValueError) as err:
        raise TrainingError(
            f"train() in {script} returned names, rows or labels that are no lists or tables: "
            f"{err}; every row has to have as many cells as there are feature_names"
        ) from err
    problems = misfits(trained)
    if problems:
        raise TrainingError(f"train() in {script} returned {'; '.join(problems)}")
    return trained


def _trained(returned: Mapping[str, Any], name: str) -> TrainedModel:
    training_rows, column_types = rows_from_returned(returned["training_rows"], "training_rows")
    outputs = _outputs(returned)
    return TrainedModel(
        name=name,
        estimator=returned["estimator"],
        feature_names=tuple(map(str, returned["feature_names"])),
        class_names=() if outputs else tuple(map(str, returned["class_names"])),
        training_rows=training_rows,
        training_labels=np.asarray(returned["training_labels"]),
        live_rows=rows_from_returned(returned["live_rows"], "live_rows")[0],
        live_labels=np.asarray(returned["live_labels"]),
        column_types=column_types,
        outputs=outputs,
    )


def misfits(trained: TrainedModel) -> list[str]:
    """Say what of a model's names, rows and labels does not fit each other."""
    from sklearn.base import BaseEstimator

    problems = []
    features = len(trained.feature_names)
    # Whether one that is not of scikit-learn's kind is fitted shows when it answers.
    if isinstance(trained.estimator, BaseEstimator) and not is_fitted(trained.estimator):
        problems.append("an estimator that is not fitted; give what `fit` returned")
    step = first_step_of_no_rows(trained.estimator)
    if step is not None:
        problems.append(told_of_no_rows(step))
    if trained.column_types is not None and tuple(trained.column_types) != trained.feature_names:
        problems.append(
            f"a DataFrame with the columns {', '.join(trained.column_types)} for the feature_names "
            f"{', '.join(trained.feature_names)}; give the same names in the same order"
        )
    for what, rows, labels in (
        ("training", trained.training_rows, trained.training_labels),
        ("live", trained.live_rows, trained.live_labels),
    ):
        if rows.ndim != 2 or rows.shape[1] != features or not len(rows):
            problems.append(
                f"{what}_rows of shape {rows.shape} for {features} feature_names; "
                f"give (rows, {features}) with at least one row"
            )
        if len(labels) != len(rows):
            problems.append(f"{len(labels)} {what}_labels for {len(rows)} {what}_rows")
    if len(set(trained.feature_names)) != features or not features:
        problems.append("feature_names that are empty or not all different")
    classes = getattr(trained.estimator, "classes_", None)
    if classes is not None and not trained.outputs and len(classes) != len(trained.class_names):
        problems.append(
            f"{len(trained.class_names)} class_names for an estimator with {len(classes)} classes"
        )
    problems.extend(_misfits_of_outputs(trained.outputs, classes))
    return problems


def _misfits_of_outputs(outputs: tuple[OutputNames, ...], classes: object) -> list[str]:
    # A classifier without class names would be taken for a regressor whose values are its classes.
    if not outputs or not isinstance(classes, list | tuple):
        return []
    return [
        f"{len(output.class_names)} class_names for output {output.name!r} of an estimator with "
        f"{len(known)} classes there; give a list of class names for each output"
        for output, known in zip(outputs, classes, strict=False)
        if len(output.class_names) != len(known)
    ]


def _load_script(path: Path) -> ModuleType:
    module_spec = importlib.util.spec_from_file_location(
        f"greenlight_training_{path.parent.name}", path
    )
    if module_spec is None or module_spec.loader is None:
        raise TrainingError(f"training script {path} is not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as err:
        raise TrainingError(
            f"training script {path} cannot be loaded: {type(err).__name__}: {err}; run "
            f"`python {path}` to see where, and let what trains at import stand in "
            "train(estimator)"
        ) from err
    if not callable(getattr(module, "train", None)):
        raise TrainingError(
            f"training script {path} has no function train(estimator); add one that returns "
            f"a dict with {', '.join(RETURNED_KEYS)}"
        )
    return module


def _outputs(returned: Mapping[str, Any]) -> tuple[OutputNames, ...]:
    """Name several outputs: labels of two dimensions, or class names that are lists."""
    labels = np.asarray(returned["training_labels"])
    if labels.ndim != 2 or labels.shape[1] == 1:
        return ()
    count = labels.shape[1]
    given = returned.get("output_names") or [f"output_{index}" for index in range(count)]
    classes = list(returned["class_names"]) or [()] * count
    if len(classes) != count or len(given) != count or any(isinstance(c, str) for c in classes):
        raise TrainingError(
            f"train() returned training_labels of {count} outputs, {len(given)} output_names and "
            f"class_names of {len(classes)}; give a name and a list of class names for each output "
            "(no class names at all for values)"
        )
    return tuple(
        OutputNames(name=str(name), class_names=tuple(map(str, of)))
        for name, of in zip(given, classes, strict=True)
    )
