"""Turns a fitted estimator into an ONNX graph that answers as the estimator does, or refuses.

The graph is first made for float32 input, which is what serves fastest; where a row then answers
differently it is made for float64 input, and where that differs too the model is refused. Trees
and encoders of categories are written by our own converters, everything else by skl2onnx.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.errors import ConversionError, EqualityError
from automation.gate.answers import (
    Answers,
    answers_from,
    ask_in_parts,
    first_difference,
    has_probabilities,
    sklearn_answers,
)
from automation.gate.equality import Trial, trial_for
from automation.gate.feature_facts import features_of
from automation.gate.features import Feature, FeatureType, GraphInput, Rows, feed
from automation.gate.graph_repair import widen_mixed_inputs
from automation.gate.training import TrainedModel

INPUT_NAME = "X"
GRAPH_TITLE = "greenlight"
FLOAT_TYPES = ("float32", "float64")
# skl2onnx 1.20 is tested up to these; ours write TreeEnsemble, which came with the fifth.
OPSETS = {"": 21, "ai.onnx.ml": 3}
ML_OPSET = 5
# As the server has it: this one rounds float64 factors to float32 (ONNX Runtime 1.31).
UNSAFE_OPTIMIZERS = ["MatMulScaleFusion"]
QUIET = 4  # ONNX Runtime's log level for "fatal only": a failed row is counted, not printed
SUPPORTED = "https://onnx.ai/sklearn-onnx/supported.html"
OTHER_WAY = "serve it with scikit-learn itself (`runtime: sklearn` in the model's spec)"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An ONNX graph that was proven to answer as the estimator it was made from.

    Args:
        content: the serialized graph; the same bytes for the same estimator.
        float_type: what it computes numbers in, float32 or float64.
        inputs: what it is fed.
        probability_outputs: one for each output of the estimator; none where it gives labels only.
        rows: those that were compared and that scikit-learn answers; None until it is proven.
    """

    content: bytes
    float_type: str
    features: tuple[Feature, ...]
    inputs: tuple[GraphInput, ...]
    label_output: str
    probability_outputs: tuple[str, ...]
    rows: Rows | None = None


def convert(trained: TrainedModel) -> Graph:
    """Convert an estimator and prove the graph on the rows of `equality`.

    Rows on which scikit-learn itself raises are left out: there is nothing to be equal to.

    Raises:
        ConversionError: there is no ONNX form for the estimator or a part of it.
        EqualityError: for no input type are all answers the same.
    """
    features = features_of(trained)
    trial = trial_for(trained, features)
    rows, expected = _answered(trained, trial)
    differences: list[str] = []
    refusals: list[ConversionError] = []
    for float_type in FLOAT_TYPES:
        try:
            graph = graph_for(trained, features, float_type)
            difference = _difference(graph, trained, rows, expected)
            if difference is None and float_type == "float32":
                difference = _difference_at_edges(graph, trained, trial)
        except ConversionError as err:
            refusals.append(err)
            continue
        if difference is None:
            return replace(graph, rows=rows)
        differences.append(difference)
    if not differences:
        raise refusals[-1]
    also = f"; there is no float64 form ({refusals[-1]})" if refusals else ""
    raise EqualityError(
        f"the ONNX form of {type(trained.estimator).__name__} does not answer as scikit-learn "
        f"does: {differences[-1]}; use an estimator that converts exactly, or {OTHER_WAY}{also}"
    )


def onnx_answers(graph: Graph, trained: TrainedModel, rows: Rows) -> Answers:
    """Ask the graph in ONNX Runtime; rows it raises on are marked as not answered."""
    session = _session(graph, trained)
    outputs = [graph.label_output, *graph.probability_outputs]

    def ask(part: Rows) -> list[npt.NDArray[Any]]:
        answer = session.run(outputs, feed(part, trained.feature_names, graph.inputs))
        return [np.asarray(entry) for entry in answer]

    return answers_from(trained, *ask_in_parts(ask, rows))


def graph_for(trained: TrainedModel, features: Sequence[Feature], float_type: str) -> Graph:
    """Make a graph, unproven.

    Raises:
        ConversionError: there is no ONNX form for the estimator or a part of it.
    """
    from automation.gate.onnx_outputs import tidy_outputs

    refusals: list[Exception] = []
    for estimator, inputs in _layouts(trained, features, float_type):
        try:
            model = _written(trained, estimator, inputs, float_type)
            _refuse_locales(model)
            _set_versions(model)
            if float_type == "float64":
                widen_mixed_inputs(model)
            labels, probabilities = tidy_outputs(
                model, trained, with_probabilities=has_probabilities(trained)
            )
        except Exception as err:  # noqa: BLE001 - an edge: converters raise anything
            refusals.append(err)
            continue
        return Graph(
            content=model.SerializeToString(deterministic=True),
            float_type=float_type,
            features=tuple(features),
            inputs=_as_named(inputs, model),
            label_output=labels,
            probability_outputs=probabilities,
        )
    told = refusals[0]
    if isinstance(told, ConversionError):
        raise told
    reason = str(told).strip().splitlines()
    raise ConversionError(
        f"{type(trained.estimator).__name__} cannot be converted to ONNX: "
        f"{type(told).__name__}: {reason[0] if reason else ''}; take one of {SUPPORTED}, or "
        f"{OTHER_WAY}"
    ) from told


def _answered(trained: TrainedModel, trial: Trial) -> tuple[Rows, Answers]:
    expected = sklearn_answers(trained, trial.rows)
    rows = trial.rows[expected.is_answered]
    if not len(rows):
        raise EqualityError(
            f"scikit-learn answers none of {len(trial.rows)} rows ({expected.refusal}); nothing "
            "can be compared: is the estimator fitted on the rows the training script returns?"
        )
    return rows, expected


def _difference(graph: Graph, trained: TrainedModel, rows: Rows, expected: Answers) -> str | None:
    return first_difference(expected, onnx_answers(graph, trained, rows), rows)


def _difference_at_edges(graph: Graph, trained: TrainedModel, trial: Trial) -> str | None:
    if not len(trial.edges):
        return None
    expected = sklearn_answers(trained, trial.edges)
    rows = trial.edges[expected.is_answered]
    return _difference(graph, trained, rows, expected)


def _layouts(
    trained: TrainedModel, features: Sequence[Feature], float_type: str
) -> list[tuple[Any, tuple[GraphInput, ...]]]:
    """List the ways to feed the estimator: one tensor where all columns are of a kind, or many."""
    from automation.gate.column_numbers import by_number
    from automation.gate.nested_estimators import unwrapped

    kinds = ["string" if feature.type is FeatureType.STRING else float_type for feature in features]
    estimator, names = unwrapped(trained.estimator), trained.feature_names
    each = tuple(
        GraphInput(name=name, type=kind, features=(name,))
        for name, kind in zip(names, kinds, strict=True)
    )
    layouts: list[tuple[Any, tuple[GraphInput, ...]]] = []
    if len(set(kinds)) == 1:
        whole = (GraphInput(name=INPUT_NAME, type=kinds[0], features=names),)
        layouts.append((by_number(estimator, names), whole))
    if len(names) > 1:
        layouts.append((estimator, each))
    return layouts


def _written(
    trained: TrainedModel, estimator: Any, inputs: Sequence[GraphInput], float_type: str
) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    from automation.gate.calibration_converter import calibration_converters, calibration_shapes
    from automation.gate.category_converter import category_converters, category_shapes
    from automation.gate.function_converter import function_converters, function_shapes
    from automation.gate.margin_converter import margin_converters, margin_shapes
    from automation.gate.meta_converter import meta_converters, meta_shapes
    from automation.gate.transformer_converter import transformer_converters, transformer_shapes
    from automation.gate.tree_converter import tree_converters, tree_shapes

    types = {"float32": FloatTensorType, "float64": DoubleTensorType, "string": StringTensorType}
    converters = category_converters() | tree_converters()
    converters |= margin_converters() | function_converters() | calibration_converters()
    converters |= meta_converters() | transformer_converters()
    is_float64 = float_type == "float64"
    shapes = category_shapes(is_float64=is_float64) | meta_shapes(is_float64=is_float64)
    shapes |= tree_shapes(is_float64=is_float64) | transformer_shapes()
    shapes |= margin_shapes() | function_shapes() | calibration_shapes()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions it was not tested with; the rows decide
        return convert_sklearn(
            estimator,
            GRAPH_TITLE,
            [(given.name, types[given.type]([None, len(given.features)])) for given in inputs],
            target_opset=OPSETS,
            custom_conversion_functions=converters,
            custom_shape_calculators=shapes,
            options=_options(estimator) if trained.is_classifier else None,
        )


def _refuse_locales(model: Any) -> None:
    # Where en_US.UTF-8 is installed the graph would pass every proof, and then fail in the image.
    if any(node.op_type == "StringNormalizer" for node in model.graph.node):
        raise ConversionError(
            "texts are put in lower case, or stop words taken out, by an ONNX operator that needs "
            "the locale en_US.UTF-8, which the image has not; give the vectorizer lowercase=False "
            f"and no stop words, or {OTHER_WAY}"
        )


def _as_named(inputs: Sequence[GraphInput], model: Any) -> tuple[GraphInput, ...]:
    """Call the inputs as the graph does: skl2onnx keeps their order, but not `width (cm)`."""
    names = (given.name for given in model.graph.input)
    return tuple(replace(given, name=name) for given, name in zip(inputs, names, strict=True))


def _options(estimator: Any) -> dict[int, dict[str, bool]]:
    """Ask for plain probabilities, not for a list of dictionaries, where that has to be asked."""
    from skl2onnx._supported_operators import sklearn_operator_name_map

    found, final = [estimator], estimator
    while hasattr(final, "steps"):
        final = final.steps[-1][1]
        found.append(final)
    # LinearSVC has neither, and what skl2onnx does not know knows no options.
    is_asked = type(final) in sklearn_operator_name_map and type(final).__name__ != "LinearSVC"
    return {id(part): {"zipmap": False} if is_asked else {} for part in found}


def _session(graph: Graph, trained: TrainedModel) -> Any:
    # Official builds report to Microsoft unless told not to before the library is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    # As the server has it; sums in parts, one per thread, would be rounded differently.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            graph.content,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=UNSAFE_OPTIMIZERS,
        )
    except Exception as err:
        raise ConversionError(
            f"ONNX Runtime cannot load the {graph.float_type} graph of "
            f"{type(trained.estimator).__name__}: {str(err).splitlines()[0]}; {OTHER_WAY}"
        ) from err


def _set_versions(model: Any) -> None:
    # skl2onnx fills the list of operator sets from a Python set, whose order changes per process.
    versions = sorted((entry.domain, entry.version) for entry in model.opset_import)
    del model.opset_import[:]
    for domain, version in versions:
        own = ML_OPSET if domain == "ai.onnx.ml" else version
        model.opset_import.add(domain=domain, version=own)
