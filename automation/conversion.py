"""Turns a fitted estimator into an ONNX graph that answers as the estimator does, or refuses.

scikit-learn compares float64 thresholds, ONNX Runtime by default float32 ones. The graph is first
made for float32 input, which is what serves fastest; where a row then answers differently it is
made for float64 input, and where that differs too the model is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.errors import ConversionError, EqualityError
from automation.training import Rows, TrainedModel

PROBABILITY_TOLERANCE = 1e-5
INPUT_NAME = "X"
GRAPH_NAME = "greenlight"
RANDOM_ROWS = 256
RANDOM_SEED = 42
QUIET = 4  # ONNX Runtime's log level for "fatal only": a failed row is counted, not printed


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of rows, and which rows it could not answer.

    Args:
        is_answered: (rows,) bool.
        labels: class index, or the value for a regressor, of each answered row.
        probabilities: (answered rows, classes); None where the model gives none.
        refusal: the first error of a row that was not answered.
    """

    is_answered: npt.NDArray[np.bool_]
    labels: npt.NDArray[Any]
    probabilities: npt.NDArray[np.float64] | None
    refusal: str | None


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An ONNX graph that was proven to answer as the estimator it was made from.

    Args:
        content: the serialized graph; the same bytes for the same estimator.
        float_type: what the graph's input takes, float32 or float64.
        checked_rows: how many rows were compared.
    """

    content: bytes
    float_type: str
    label_output: str
    probability_output: str | None
    checked_rows: int


def convert(trained: TrainedModel) -> Graph:
    """Convert an estimator and prove the graph on training, live and random rows.

    Rows on which scikit-learn itself raises are left out: there is nothing to be equal to.

    Raises:
        ConversionError: there is no ONNX form for the estimator or a part of it.
        EqualityError: for no input type are all answers the same.
    """
    rows = np.concatenate([trained.training_rows, trained.live_rows, random_rows(trained)])
    expected = sklearn_answers(trained, rows)
    answered = rows[expected.is_answered]
    if not len(answered):
        raise EqualityError(
            f"scikit-learn answers none of {len(rows)} rows ({expected.refusal}); nothing can be "
            "compared: is the estimator fitted on the rows the training script returns?"
        )
    graph = _convert_for(trained, "float32", len(answered))
    difference = first_difference(expected, onnx_answers(graph, trained, answered), answered)
    if difference is None:
        return graph
    exact = _exact_graph(trained, expected, answered)
    if exact is not None:
        return exact
    raise EqualityError(
        f"the ONNX form of {type(trained.estimator).__name__} does not answer as scikit-learn "
        f"does: {difference}; use an estimator that converts exactly, or scale features so that "
        "no value lies on a threshold"
    )


def random_rows(trained: TrainedModel) -> Rows:
    """Draw rows between the least and the greatest training value of each feature."""
    low, high = trained.training_rows.min(axis=0), trained.training_rows.max(axis=0)
    draw = np.random.default_rng(RANDOM_SEED).random((RANDOM_ROWS, len(low)))
    rows: Rows = low + draw * (high - low)
    return rows


def sklearn_answers(trained: TrainedModel, rows: Rows) -> Answers:
    """Ask the estimator itself; rows it raises on are marked as not answered."""
    try:
        return _ask_sklearn(trained, rows, np.ones(len(rows), dtype=bool), None)
    except Exception as err:  # noqa: BLE001 - an edge: estimators raise anything on a row
        refusal = f"{type(err).__name__}: {err}"
    is_answered = np.array([_is_answerable(trained.estimator, row) for row in rows], dtype=bool)
    return _ask_sklearn(trained, rows[is_answered], is_answered, refusal.splitlines()[0])


def onnx_answers(graph: Graph, trained: TrainedModel, rows: Rows) -> Answers:
    """Ask the graph in ONNX Runtime; rows it raises on are marked as not answered."""
    # Official builds report to Microsoft unless told not to before the library is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    try:
        session = onnxruntime.InferenceSession(
            graph.content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as err:
        raise ConversionError(
            f"ONNX Runtime cannot load the {graph.float_type} graph of "
            f"{type(trained.estimator).__name__}: {str(err).splitlines()[0]}"
        ) from err
    outputs = [graph.label_output]
    if graph.probability_output is not None:
        outputs.append(graph.probability_output)
    is_answered, parts, refusal = _run_rows(session, outputs, rows.astype(graph.float_type))
    labels = np.concatenate([part[0] for part in parts]) if parts else np.array([])
    probabilities = None
    if graph.probability_output is not None and parts:
        probabilities = np.concatenate([part[1] for part in parts]).astype(np.float64)
    return Answers(
        is_answered=is_answered,
        labels=_indexes(trained, labels),
        probabilities=probabilities,
        refusal=refusal,
    )


def first_difference(expected: Answers, given: Answers, rows: Rows) -> str | None:
    """Name the first row on which two models differ, with both answers; None where they agree."""
    if not given.is_answered.all():
        row = int(np.argmin(given.is_answered))
        return f"row {rows[row].tolist()} fails in ONNX Runtime: {given.refusal}"
    if expected.probabilities is None:
        same = np.isclose(
            given.labels, expected.labels, rtol=PROBABILITY_TOLERANCE, atol=PROBABILITY_TOLERANCE
        )
        kind, left, right = "value", expected.labels, given.labels
    else:
        assert given.probabilities is not None
        same = given.labels == expected.labels
        kind, left, right = "label", expected.labels, given.labels
        if same.all():
            gap = np.abs(given.probabilities - expected.probabilities).max(axis=1)
            same = gap <= PROBABILITY_TOLERANCE
            kind, left, right = "probabilities", expected.probabilities, given.probabilities
    if same.all():
        return None
    row = int(np.argmin(same))
    return (
        f"row {rows[row].tolist()} has {kind} {left[row].tolist()} in scikit-learn "
        f"and {right[row].tolist()} in ONNX Runtime"
    )


def _exact_graph(trained: TrainedModel, expected: Answers, answered: Rows) -> Graph | None:
    """Try the float64 graph; not every operator has one."""
    try:
        graph = _convert_for(trained, "float64", len(answered))
        given = onnx_answers(graph, trained, answered)
    except ConversionError:
        return None
    return graph if first_difference(expected, given, answered) is None else None


def _convert_for(trained: TrainedModel, float_type: str, checked_rows: int) -> Graph:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    tensor = FloatTensorType if float_type == "float32" else DoubleTensorType
    is_classifier = bool(trained.class_names)
    try:
        model = to_onnx(
            trained.estimator,
            initial_types=[(INPUT_NAME, tensor([None, len(trained.feature_names)]))],
            options={id(trained.estimator): {"zipmap": False}} if is_classifier else None,
            name=GRAPH_NAME,
        )
    except Exception as err:
        raise ConversionError(
            f"{type(trained.estimator).__name__} cannot be converted to ONNX: "
            f"{type(err).__name__}: {str(err).strip().splitlines()[0]}; see "
            "https://onnx.ai/sklearn-onnx/supported.html for estimators that can"
        ) from err
    outputs = [output.name for output in model.graph.output]
    if len(outputs) != (2 if is_classifier else 1):
        raise ConversionError(
            f"the ONNX form of {type(trained.estimator).__name__} has the outputs {outputs}; "
            "greenlight serves classifiers with probabilities and regressors"
        )
    return Graph(
        content=_stable_bytes(model),
        float_type=float_type,
        label_output=outputs[0],
        probability_output=outputs[1] if is_classifier else None,
        checked_rows=checked_rows,
    )


def _stable_bytes(model: Any) -> bytes:
    # skl2onnx fills the list of operator sets from a Python set, whose order changes per process.
    versions = sorted((entry.domain, entry.version) for entry in model.opset_import)
    del model.opset_import[:]
    for domain, version in versions:
        model.opset_import.add(domain=domain, version=version)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _ask_sklearn(
    trained: TrainedModel, rows: Rows, is_answered: npt.NDArray[np.bool_], refusal: str | None
) -> Answers:
    if not len(rows):
        return Answers(
            is_answered=is_answered, labels=np.array([]), probabilities=None, refusal=refusal
        )
    probabilities = None
    if trained.class_names:
        probabilities = np.asarray(trained.estimator.predict_proba(rows), dtype=np.float64)
    return Answers(
        is_answered=is_answered,
        labels=_indexes(trained, np.asarray(trained.estimator.predict(rows))),
        probabilities=probabilities,
        refusal=refusal,
    )


def _is_answerable(estimator: Any, row: npt.NDArray[np.float64]) -> bool:
    try:
        estimator.predict(row.reshape(1, -1))
    except Exception:  # noqa: BLE001 - an edge: whether it raises is the question
        return False
    return True


def _run_rows(
    session: Any, outputs: list[str], rows: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.bool_], list[Any], str | None]:
    """Run all rows at once, and one by one only where that fails."""
    try:
        return np.ones(len(rows), dtype=bool), [session.run(outputs, {INPUT_NAME: rows})], None
    except Exception as err:  # noqa: BLE001 - an edge: onnxruntime's errors derive from Exception
        refusal = str(err).splitlines()[0]
    is_answered, parts = np.ones(len(rows), dtype=bool), []
    for index in range(len(rows)):
        try:
            parts.append(session.run(outputs, {INPUT_NAME: rows[index : index + 1]}))
        except Exception:  # noqa: BLE001 - an edge, as above
            is_answered[index] = False
    return is_answered, parts, refusal


def _indexes(trained: TrainedModel, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn an estimator's own labels into class indexes; a regressor's values stay as they are."""
    if not trained.class_names:
        return labels.reshape(len(labels), -1)[:, 0] if labels.ndim == 2 else labels
    index_of = {label: index for index, label in enumerate(trained.estimator.classes_.tolist())}
    return np.array([index_of[label] for label in labels.tolist()], dtype=np.int64)
