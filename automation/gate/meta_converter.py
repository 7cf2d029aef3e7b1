"""Estimators made of estimators: votes, stacks, bags, one per class or output, thresholds.

skl2onnx 1.20 takes those whose parts share one tensor of numbers, votes by the parts' greatest
probabilities where scikit-learn counts their labels, and knows no tuned thresholds. Here the parts
may be pipelines over columns of texts and numbers, and each is asked what scikit-learn asks it.

Source: scikit-learn 1.9, `ensemble/_voting.py`, `_stacking.py` (`_concatenate_predictions`),
`_bagging.py` (`_parallel_predict_proba`), `multiclass.py`, `multioutput.py`,
`model_selection/_classification_threshold.py` (read).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from automation.gate.graph_writer import (
    Converter,
    GraphWriter,
    declare_classes,
    declare_values,
    label_type,
    whole_labels,
)
from automation.gate.nested_estimators import NestedEstimators


def meta_converters() -> dict[type, Converter]:
    """Give converter functions by estimator class."""
    from sklearn import ensemble, model_selection, multiclass, multioutput

    return {
        ensemble.VotingClassifier: _convert_voting,
        ensemble.VotingRegressor: _convert_voting_regressor,
        ensemble.StackingClassifier: _convert_stacking,
        ensemble.StackingRegressor: _convert_stacking_regressor,
        ensemble.BaggingClassifier: _convert_bagging,
        ensemble.BaggingRegressor: _convert_bagging_regressor,
        multiclass.OneVsRestClassifier: _convert_one_vs_rest,
        multiclass.OutputCodeClassifier: _convert_output_code,
        multioutput.MultiOutputClassifier: _convert_outputs,
        multioutput.MultiOutputRegressor: _convert_outputs_of_values,
        model_selection.FixedThresholdClassifier: _convert_threshold,
        model_selection.TunedThresholdClassifierCV: _convert_threshold,
    }


def meta_shapes(*, is_float64: bool) -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by estimator class.

    Args:
        is_float64: whether the graph computes in float64; texts do not say.
    """
    from sklearn import calibration, ensemble, multioutput

    def declare(operator: Any) -> None:
        declare_classes(operator, is_float64=is_float64)

    def declare_outputs(operator: Any) -> None:
        _declare_outputs(operator, is_float64=is_float64)

    regressors = (
        ensemble.VotingRegressor,
        ensemble.StackingRegressor,
        ensemble.BaggingRegressor,
        multioutput.MultiOutputRegressor,
    )
    return {
        **dict.fromkeys(meta_converters(), declare),
        calibration.CalibratedClassifierCV: declare,
        **dict.fromkeys(regressors, declare_values),
        multioutput.MultiOutputClassifier: declare_outputs,
    }


def _declare_outputs(operator: Any, *, is_float64: bool) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, SequenceType

    classes = operator.raw_operator.classes_
    rows = operator.inputs[0].get_first_dimension()
    kind = DoubleTensorType if is_float64 else FloatTensorType
    operator.outputs[0].set_type(label_type(classes[0])([rows, len(classes)]))
    operator.outputs[1].set_type(SequenceType(kind()))


def _convert_voting(scope: Any, operator: Any, container: Any) -> None:
    """Write the weighted mean of the probabilities, or of the votes."""
    nested = NestedEstimators(scope, operator, container)
    model = operator.raw_operator
    parts = model.estimators_
    if model.voting == "soft":
        shares = [nested.probabilities(part) for part in parts]
    else:
        shares = [_votes(nested, part, len(model.classes_)) for part in parts]
    mean = _mean(nested.writer, shares, model._weights_not_none)
    nested.writer.finish_classifier(mean, mean, model.classes_)


def _convert_voting_regressor(scope: Any, operator: Any, container: Any) -> None:
    nested = NestedEstimators(scope, operator, container)
    model = operator.raw_operator
    values = [nested.values(part) for part in model.estimators_]
    mean = _mean(nested.writer, values, model._weights_not_none)
    nested.writer.write(mean, operator.outputs[0])


def _convert_stacking(scope: Any, operator: Any, container: Any) -> None:
    """Write what the parts answer side by side, and the last estimator behind."""
    model = operator.raw_operator
    if isinstance(model.classes_, list):
        raise NotImplementedError("a stack of several labels at once has no form")
    nested = NestedEstimators(scope, operator, container)
    columns = []
    for part, method in zip(model.estimators_, model.stack_method_, strict=True):
        if method == "predict":
            raise NotImplementedError("a stack of labels has no form")
        is_margin = method == "decision_function"
        found = nested.margins(part) if is_margin else nested.probabilities(part)
        if not is_margin and len(model.classes_) == 2:
            found = nested.writer.column(found, 1)
        columns.append(found)
    final = _behind(nested, model, columns)
    label = _own_label(nested, final, model.classes_)
    nested.writer.write(label, operator.outputs[0])
    if hasattr(final, "predict_proba"):
        nested.writer.write(nested.probabilities(final), operator.outputs[1])
    else:
        nested.writer.write(_votes(nested, final, len(model.classes_)), operator.outputs[1])


def _convert_stacking_regressor(scope: Any, operator: Any, container: Any) -> None:
    nested = NestedEstimators(scope, operator, container)
    model = operator.raw_operator
    final = _behind(nested, model, [nested.values(part) for part in model.estimators_])
    nested.writer.write(nested.values(final), operator.outputs[0])


def _behind(nested: NestedEstimators, model: Any, columns: Sequence[str]) -> Any:
    """Feed a stack's last estimator what the parts answered, and the rows if it wants them."""
    columns = list(columns)
    if model.passthrough:
        columns.append(nested.writer.doubles())
    table = nested.writer.node("Concat", columns, axis=1)
    return nested.fed(model.final_estimator_, table, int(model.final_estimator_.n_features_in_))


def _convert_bagging(scope: Any, operator: Any, container: Any) -> None:
    """Write the mean probabilities, or the shares of the votes."""
    nested = NestedEstimators(scope, operator, container)
    model = operator.raw_operator
    shares = []
    for part in _bagged(nested, model):
        if list(part.classes_) != list(range(len(model.classes_))):
            raise NotImplementedError("a bag with a part that lacks a class has no form")
        has_shares = hasattr(part, "predict_proba")
        shares.append(
            nested.probabilities(part) if has_shares else _votes(nested, part, len(model.classes_))
        )
    mean = _mean(nested.writer, shares, None)
    nested.writer.finish_classifier(mean, mean, model.classes_)


def _convert_bagging_regressor(scope: Any, operator: Any, container: Any) -> None:
    nested = NestedEstimators(scope, operator, container)
    values = [nested.values(part) for part in _bagged(nested, operator.raw_operator)]
    nested.writer.write(_mean(nested.writer, values, None), operator.outputs[0])


def _bagged(nested: NestedEstimators, model: Any) -> list[Any]:
    """Feed each part of a bag the columns it was fitted on."""
    for part, chosen in zip(model.estimators_, model.estimators_features_, strict=True):
        if list(chosen) != list(range(model.n_features_in_)):
            columns = nested.writer.constant(np.asarray(chosen, dtype=np.int64))
            table = nested.writer.node("Gather", [nested.writer.doubles(), columns], axis=1)
            nested.fed(part, table, len(chosen))
    return list(model.estimators_)


def _convert_one_vs_rest(scope: Any, operator: Any, container: Any) -> None:
    """Write the class whose own estimator is the surest."""
    nested = NestedEstimators(scope, operator, container)
    writer, model = nested.writer, operator.raw_operator
    if model.multilabel_:
        raise NotImplementedError("several labels at once have no form")
    scores, is_margin = _scores_of_each(nested, model.estimators_)
    if len(model.estimators_) == 1:
        middle = writer.constant(np.array(0.0 if is_margin else 0.5))
        scores = writer.node("Sub", [scores, middle])
        scores = writer.node("Concat", [writer.node("Neg", [scores]), scores], axis=1)
    if not hasattr(model, "predict_proba"):
        writer.finish_classifier(scores, scores, model.classes_)
        return
    parts = [writer.column(nested.probabilities(part), 1) for part in model.estimators_]
    shares = writer.node("Concat", parts, axis=1)
    if len(parts) == 1:
        rest = writer.node("Sub", [writer.constant(np.array(1.0)), shares])
        shares = writer.node("Concat", [rest, shares], axis=1)
    total = writer.node("ReduceSum", [shares, writer.constant(np.array([1]))], keepdims=1)
    is_nothing = writer.node("Equal", [total, writer.constant(np.array(0.0))])
    shares = writer.node("Where", [is_nothing, shares, writer.node("Div", [shares, total])])
    writer.finish_classifier(scores, shares, model.classes_)


def _convert_output_code(scope: Any, operator: Any, container: Any) -> None:
    """Write the class whose code is the nearest."""
    nested = NestedEstimators(scope, operator, container)
    writer, model = nested.writer, operator.raw_operator
    scores, _ = _scores_of_each(nested, model.estimators_)
    codes = np.asarray(model.code_book_, dtype=np.float64)
    product = writer.node("MatMul", [scores, writer.constant(2.0 * codes.T)])
    nearness = writer.node("Sub", [product, writer.constant((codes**2).sum(axis=1))])
    writer.finish_classifier(nearness, nearness, model.classes_)


def _scores_of_each(nested: NestedEstimators, parts: Sequence[Any]) -> tuple[str, bool]:
    """Ask estimators of two classes how sure they are of the second; (rows, estimators)."""
    from sklearn.base import is_classifier

    known = [part for part in parts if hasattr(part, "classes_")]
    if not known or not all(map(is_classifier, known)):
        raise NotImplementedError("regressors in place of classifiers have no form")
    writer, first = nested.writer, nested.scores(known[0])
    always = writer.node("Equal", [first, first])
    columns = []
    for part in parts:
        if hasattr(part, "classes_"):
            columns.append(nested.scores(part))
        else:  # it saw one class alone, and always answers that
            columns.append(writer.node("Where", [always, *[writer.constant(part.y_ * 1.0)] * 2]))
    return writer.node("Concat", columns, axis=1), hasattr(known[0], "decision_function")


def _convert_outputs(scope: Any, operator: Any, container: Any) -> None:
    """Write each output's label and probabilities."""
    nested = NestedEstimators(scope, operator, container)
    writer, model = nested.writer, operator.raw_operator
    column = writer.constant(np.array([-1, 1]))
    labels = [writer.node("Reshape", [nested.label(part), column]) for part in model.estimators_]
    writer.write(writer.node("Concat", labels, axis=1), operator.outputs[0])
    if not hasattr(model, "predict_proba"):
        raise NotImplementedError("several outputs of labels alone have no form")
    shares = [nested.probabilities(part) for part in model.estimators_]
    container.add_node(
        "SequenceConstruct",
        shares,
        operator.outputs[1].full_name,
        name=scope.get_unique_operator_name("SequenceConstruct"),
        op_version=11,
    )


def _convert_outputs_of_values(scope: Any, operator: Any, container: Any) -> None:
    nested = NestedEstimators(scope, operator, container)
    values = [nested.values(part) for part in operator.raw_operator.estimators_]
    nested.writer.write(nested.writer.node("Concat", values, axis=1), operator.outputs[0])


def _convert_threshold(scope: Any, operator: Any, container: Any) -> None:
    """Write the class from a threshold on, and the probabilities as they are."""
    nested = NestedEstimators(scope, operator, container)
    writer, model = nested.writer, operator.raw_operator
    inner = getattr(model, "estimator_", model.estimator)
    method = model.response_method
    if method == "auto":
        method = "predict_proba" if hasattr(inner, "predict_proba") else "decision_function"
    is_margin = method == "decision_function"
    limit = getattr(model, "best_threshold_", getattr(model, "threshold", "auto"))
    if limit == "auto":
        limit = 0.0 if is_margin else 0.5
    first, second = 0, 1
    if (positive := _positive_label(model)) is not None and positive == model.classes_[0]:
        first, second = 1, 0
    if is_margin:
        score = nested.margins(inner)
        score = score if second == 1 else writer.node("Neg", [score])
    else:
        score = writer.column(nested.probabilities(inner), second)
    reached = writer.node("GreaterOrEqual", [score, writer.constant(np.array(float(limit)))])
    labels = whole_labels(model.classes_)
    label = writer.node(
        "Where", [reached, writer.constant(labels[[second]]), writer.constant(labels[[first]])]
    )
    label = writer.node("Reshape", [label, writer.constant(np.array([-1]))])
    writer.write(label, operator.outputs[0])
    has_shares = hasattr(inner, "predict_proba")
    writer.write(nested.probabilities(inner) if has_shares else score, operator.outputs[1])


def _positive_label(model: Any) -> Any:
    scorer = getattr(model, "_curve_scorer", None)
    return model.pos_label if scorer is None else scorer._get_pos_label()


def _votes(nested: NestedEstimators, classifier: Any, classes: int) -> str:
    """Give 1 for a classifier's label and 0 for the others, (rows, classes).

    The classifier was fitted on the numbers of the classes, as those inside other ones are.
    """
    from onnx import TensorProto

    known = np.arange(classes).reshape(1, -1)
    if not set(np.asarray(classifier.classes_).tolist()) <= set(range(classes)):
        raise NotImplementedError("a part that was fitted on other labels has no form")
    column = nested.writer.node(
        "Reshape", [nested.label(classifier), nested.writer.constant(np.array([-1, 1]))]
    )
    equal = nested.writer.node("Equal", [column, nested.writer.constant(known)])
    return nested.writer.node("Cast", [equal], to=TensorProto.DOUBLE)


def _own_label(nested: NestedEstimators, classifier: Any, classes: Any) -> str:
    """Give the label behind the number a classifier inside answers, (rows,)."""
    labels = nested.writer.constant(whole_labels(classes))
    return nested.writer.node("Gather", [labels, nested.label(classifier)], axis=0)


def _mean(writer: GraphWriter, parts: Sequence[str], weights: Sequence[float] | None) -> str:
    """Write the mean as NumPy's `average` adds it up, one part after the other."""
    total = float(len(parts))
    if weights is not None:
        total = float(np.sum(weights))
        parts = [
            writer.node("Mul", [part, writer.constant(np.array(float(weight)))])
            for part, weight in zip(parts, weights, strict=True)
        ]
    summed = reduce(lambda sum_, part: writer.node("Add", [sum_, part]), parts)
    return writer.node("Div", [summed, writer.constant(np.array(total))])
