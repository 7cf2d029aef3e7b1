"""The conversion matrix: what the gate makes of every classifier and regressor of scikit-learn.

And of its transformers, in front of a classifier. `python -m automation.gate.matrix` fits each on
a small data set, takes it through the gate and writes `docs/conversion-matrix.md`. Nothing is
listed that was not run.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.errors import ConversionError, EqualityError
from automation.gate import conversion, sklearn_form
from automation.gate.forest import forest_bytes
from automation.gate.training import OutputNames, TrainedModel

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conversion-matrix.md"
SEED = 42
ROWS_OF_CLASS = 30
LONGEST_REASON = 160


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One estimator's line.

    Args:
        result: what serves it.
        note: why nothing better does, or on what it was fitted.
    """

    name: str
    kind: str
    result: str
    note: str


def entries() -> Iterator[Entry]:
    """Fit and convert every classifier, regressor and transformer of rows scikit-learn lists."""
    from sklearn.utils import all_estimators
    from threadpoolctl import threadpool_limits

    # On so few rows, more threads only wait for each other.
    with threadpool_limits(limits=1):
        for kind in ("classifier", "regressor"):
            for name, estimator_class in all_estimators(type_filter=kind):
                yield entry_for(name, kind, estimator_class)
        for name, estimator_class in transformers():
            yield entry_for(name, "transformer", estimator_class)


def transformers() -> list[tuple[str, type[Any]]]:
    """List the transformers of rows that need nothing but rows."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes it listed
    from sklearn.utils import all_estimators

    return [
        (name, found)
        for name, found in all_estimators(type_filter="transformer")
        if found.__module__.split(".")[1] in TRANSFORMING and name not in NOT_OF_ROWS
    ]


def entry_for(name: str, kind: str, estimator_class: type[Any]) -> Entry:
    """Fit and convert one estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small data: nothing here is to converge well
        is_step = kind == "transformer"
        trained = (
            fitted_behind(name, estimator_class) if is_step else fitted(name, kind, estimator_class)
        )
        try:
            graph = conversion.convert(trained)
        except (ConversionError, EqualityError) as err:
            result, note = _without_graph(trained, err)
        else:
            result, note = f"onnx ({graph.float_type})", ""
            if graph.float_type == "float32" and _has_kernel(trained.estimator):
                result = "onnx + kernel"
            if trained.is_classifier and not graph.probability_outputs:
                note = "labels without probabilities"
    on = DATA_NOTES.get(name, "")
    return Entry(name=name, kind=kind, result=result, note="; ".join(filter(None, (note, on))))


def fitted(name: str, kind: str, estimator_class: type[Any]) -> TrainedModel:
    """Fit an estimator on data it can take: iris, or what `DATA_NOTES` says."""
    rows, classes = _iris()
    values = rows @ np.array([1.0, -0.5, 2.0, 0.3]) + 1.0
    labels: npt.NDArray[Any] = classes if kind == "classifier" else values
    if name in BINARY:
        labels = (classes > 0).astype(np.int64)
    if name == "CategoricalNB":
        rows = np.round(rows)
    if name == "IsotonicRegression":
        rows = rows[:, :1]
    outputs: tuple[OutputNames, ...] = ()
    if name in SEVERAL_OUTPUTS:
        names: tuple[tuple[str, ...], ...] = ((), ())
        labels = np.column_stack([values, values**2])
        if kind == "classifier":
            names = (("no", "yes"), ("no", "yes"))
            labels = np.column_stack([classes > 0, classes > 1]).astype(np.int64)
        outputs = tuple(
            OutputNames(name=f"output_{index}", class_names=of) for index, of in enumerate(names)
        )
    estimator = _made(estimator_class, kind).fit(rows, labels)
    class_names = tuple(map(str, np.unique(labels))) if kind == "classifier" else ()
    return TrainedModel(
        name=name,
        estimator=estimator,
        feature_names=tuple(f"x{index}" for index in range(rows.shape[1])),
        class_names=() if outputs else class_names,
        training_rows=rows,
        training_labels=labels,
        live_rows=rows[::3],
        live_labels=labels[::3],
        outputs=outputs,
    )


def fitted_behind(name: str, transformer_class: type[Any]) -> TrainedModel:
    """Fit a classifier behind a transformer, on rows it can take."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows, classes = _iris()
    if name in IMPUTERS:
        rows[::7, 0] = np.nan
    cells: npt.NDArray[Any] = rows
    if name in ENCODERS:
        cells = np.array([[f"{cell:.0f} cm" for cell in row] for row in rows], dtype=object)
    step = _made(transformer_class, "transformer")
    pipeline = make_pipeline(step, LogisticRegression(max_iter=500)).fit(cells, classes)
    return TrainedModel(
        name=name,
        estimator=pipeline,
        feature_names=tuple(f"x{index}" for index in range(rows.shape[1])),
        class_names=("0", "1", "2"),
        training_rows=cells,
        training_labels=classes,
        live_rows=cells[::3],
        live_labels=classes[::3],
    )


TRANSFORMING = ("preprocessing", "impute", "feature_selection", "decomposition")
NOT_OF_ROWS = (
    "KernelCenterer", "LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer", "SparseCoder",
)  # fmt: skip
IMPUTERS = ("IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer")
ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
BINARY = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")
SEVERAL_OUTPUTS = (
    "MultiOutputClassifier", "ClassifierChain", "MultiOutputRegressor", "RegressorChain", "CCA",
    "PLSCanonical", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso",
    "MultiTaskLassoCV",
)  # fmt: skip
DATA_NOTES = {
    **dict.fromkeys(BINARY, "fitted on two classes"),
    **dict.fromkeys(SEVERAL_OUTPUTS, "fitted on two outputs"),
    "CategoricalNB": "fitted on whole numbers",
    "IsotonicRegression": "fitted on one feature",
    **dict.fromkeys(IMPUTERS, "fitted on rows with gaps"),
    **dict.fromkeys(ENCODERS, "fitted on texts"),
}


def page(found: list[Entry]) -> str:
    """Write the page."""
    lines = [
        "# Conversion matrix",
        "",
        "What the packaging gate makes of every classifier and regressor of scikit-learn "
        f"{_version('scikit-learn')} with skl2onnx {_version('skl2onnx')} and ONNX Runtime "
        f"{_version('onnxruntime')}, each fitted with its defaults on a small data set (iris, or "
        "what the note says) and taken through the gate. Generated by "
        "`python -m automation.gate.matrix`; a test runs it again and compares. Transformers of "
        "rows stand in front of a LogisticRegression.",
        "",
        "- `onnx + kernel`: a float32 graph, and a compiled forest that answers to the bit.",
        "- `onnx (float32)`: a graph that takes float32, also at every threshold that was found.",
        "- `onnx (float64)`: the float32 graph answered some row differently or does not exist.",
        "- `sklearn runtime`: no graph answers alike; scikit-learn itself serves it where the "
        "spec says `runtime: sklearn`.",
        "- `refused`: not served.",
        "",
    ]
    for kind in ("classifier", "regressor", "transformer"):
        of_kind = [entry for entry in found if entry.kind == kind]
        lines += [f"## {kind.capitalize()}s", "", _counts(of_kind), ""]
        lines += ["| estimator | result | note |", "|---|---|---|"]
        lines += [f"| {entry.name} | {entry.result} | {entry.note} |" for entry in of_kind]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def main() -> None:
    """Write the page."""
    logging.disable(logging.WARNING)
    PAGE.write_text(page(list(entries())))


def _iris() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    from sklearn.datasets import load_iris

    rows, classes = load_iris(return_X_y=True)
    chosen = np.concatenate([np.flatnonzero(classes == c)[:ROWS_OF_CLASS] for c in range(3)])
    return rows[chosen], classes[chosen]


def _made(estimator_class: type[Any], kind: str) -> Any:
    """Construct with defaults, a fixed seed, and the simplest of what has to be given."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    linear, tree = LogisticRegression(), DecisionTreeClassifier(random_state=SEED)
    if kind == "regressor":
        linear, tree = Ridge(), DecisionTreeRegressor(random_state=SEED)
    given = {"estimator": linear, "estimators": [("linear", linear), ("tree", tree)]}
    parameters = inspect.signature(estimator_class).parameters
    needed = {
        name: given[name]
        for name, parameter in parameters.items()
        if name in given
        and (parameter.default is inspect.Parameter.empty or estimator_class.__name__ in NO_DEFAULT)
    }
    estimator = estimator_class(**needed)
    if "random_state" in parameters:
        estimator.set_params(random_state=SEED)
    return estimator


NO_DEFAULT = ("SelfTrainingClassifier",)


def _without_graph(trained: TrainedModel, reason: Exception) -> tuple[str, str]:
    short = _short(reason)
    try:
        written = sklearn_form.sklearn_file(trained.estimator, allow_pickle=False)
        sklearn_form.prove_equal(trained, written)
    except (ConversionError, EqualityError) as err:
        return "refused", f"{short}; {_short(err)}"
    return "sklearn runtime", short


def _has_kernel(estimator: Any) -> bool:
    from automation.gate.forest import HEADER, IS_ANSWER

    content = forest_bytes(estimator)
    return content is not None and bool(HEADER.unpack_from(content)[2] & IS_ANSWER)


def _short(error: Exception) -> str:
    """Cut a message down to its cause."""
    cause = str(error).split("; ")[0].replace("|", "/")
    if "MissingShapeCalculator" in cause or "MissingConverter" in cause:
        return "skl2onnx has no converter for it"
    if isinstance(error, EqualityError):
        return "its graph answers a row differently"
    return cause if len(cause) <= LONGEST_REASON else cause[: LONGEST_REASON - 3] + "..."


def _counts(found: list[Entry]) -> str:
    results = [entry.result for entry in found]
    counts = ", ".join(f"{results.count(result)} {result}" for result in sorted(set(results)))
    return f"{len(found)} in all: {counts}."


def _version(name: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(name)


if __name__ == "__main__":
    main()
