"""Trees as ONNX nodes that answer bit for bit as scikit-learn does.

skl2onnx writes trees with float32 thresholds and float32 sums: two classes that scikit-learn finds
equal, or apart by one rounding, can then change places; it drops where a tree sends missing values;
and for float64 input it has no form at all. Here values are compared and summed as scikit-learn
does it: cast to float32 where it casts, then in float64, tree after tree.

Source: sklearn-onnx issue 1253 (missing values); skl2onnx 1.20, `common/tree_ensemble.py` and
`operator_converters/decision_tree.py` (`populate_tree_attributes` rounds the thresholds of trees
with several outputs); observed: an extra trees classifier on iris, one label of 406 changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from automation.gate.categorical_splits import categorical_trees
from automation.gate.graph_writer import (
    Converter,
    GraphWriter,
    declare_classes,
    declare_float64,
    declare_values,
    whole_labels,
)
from automation.gate.tree_ensemble import (
    Doubles,
    EnsembleNode,
    Tree,
    fitted_trees,
    histogram_trees,
    stage_trees,
    start_of,
)


def tree_converters() -> dict[type, Converter]:
    """Give converter functions by estimator class."""
    from sklearn import ensemble

    voting, averaging = _tree_classes()
    return {
        **dict.fromkeys(voting, _convert_classifier),
        **dict.fromkeys(averaging, _convert_regressor),
        ensemble.GradientBoostingClassifier: _convert_boosted_classifier,
        ensemble.HistGradientBoostingClassifier: _convert_boosted_classifier,
        ensemble.GradientBoostingRegressor: _convert_boosted_regressor,
        ensemble.HistGradientBoostingRegressor: _convert_boosted_regressor,
    }


def tree_shapes(*, is_float64: bool) -> dict[type, Callable[[Any], None]]:
    """Give the functions that declare the types of the outputs, by estimator class.

    Args:
        is_float64: whether the graph computes in float64; texts do not say.
    """
    from skl2onnx.shape_calculators import ensemble_shapes
    from sklearn import ensemble

    def declare(operator: Any) -> None:
        declare_classes(operator, is_float64=is_float64)

    voting, _ = _tree_classes()
    declared = declare_float64(ensemble_shapes.calculate_tree_classifier_output_shapes, 1)
    return dict.fromkeys(voting, declared) | {
        ensemble.HistGradientBoostingClassifier: declare,
        ensemble.HistGradientBoostingRegressor: declare_values,
    }


def _tree_classes() -> tuple[tuple[type, ...], tuple[type, ...]]:
    from sklearn import ensemble, tree

    return (
        (
            tree.DecisionTreeClassifier,
            tree.ExtraTreeClassifier,
            ensemble.RandomForestClassifier,
            ensemble.ExtraTreesClassifier,
        ),
        (
            tree.DecisionTreeRegressor,
            tree.ExtraTreeRegressor,
            ensemble.RandomForestRegressor,
            ensemble.ExtraTreesRegressor,
        ),
    )


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write a tree's or forest's mean probabilities, and the first class of the greatest."""
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    rows = writer.doubles(through_float32=True)
    if model.n_outputs_ == 1:
        mean = _mean_of(writer, rows, model, 0, int(model.n_classes_))
        writer.finish_classifier(mean, mean, model.classes_)
        return
    widest = int(max(model.n_classes_))
    labels, probabilities = [], []
    for output, classes in enumerate(model.classes_):
        mean = _mean_of(writer, rows, model, output, len(classes))
        label = writer.chosen(mean, whole_labels(classes))
        labels.append(writer.node("Unsqueeze", [label, writer.constant(np.array([1]))]))
        pads = writer.constant(np.array([0, 0, 0, widest - len(classes)]))
        padded = writer.node("Pad", [mean, pads])
        probabilities.append(writer.node("Unsqueeze", [padded, writer.constant(np.array([0]))]))
    writer.write(writer.node("Concat", labels, axis=1), operator.outputs[0])
    writer.write(writer.node("Concat", probabilities, axis=0), operator.outputs[1])


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write the mean of the trees' values."""
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    rows = writer.doubles(through_float32=True)
    writer.write(_mean_of(writer, rows, model, None, int(model.n_outputs_)), operator.outputs[0])


def _convert_boosted_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write the sums of the stages, and what the loss makes of them."""
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    sums = boosted_sum(writer, model)
    loss = type(model._loss).__name__
    if loss == "HalfMultinomialLoss":
        writer.finish_classifier(sums, writer.node("Softmax", [sums], axis=1), model.classes_)
        return
    if loss not in ("HalfBinomialLoss", "ExponentialLoss"):
        raise NotImplementedError(f"no exact form is known for the loss {loss}")
    logits = sums
    if loss == "ExponentialLoss":
        logits = writer.node("Mul", [sums, writer.constant(np.array(2.0))])
    second = writer.node("Sigmoid", [logits])
    first = writer.node("Sub", [writer.constant(np.array(1.0)), second])
    zeros = writer.node("Sub", [sums, sums])
    # scikit-learn takes the second class from a sum of exactly zero on.
    writer.finish_classifier(
        writer.node("Concat", [zeros, sums], axis=1),
        writer.node("Concat", [first, second], axis=1),
        model.classes_,
        takes_last=True,
    )


def _convert_boosted_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write the sum of the stages, through the exponential for losses on a log scale."""
    writer = GraphWriter(scope, operator, container)
    model = operator.raw_operator
    sums = boosted_sum(writer, model)
    link = type(getattr(model._loss, "link", None)).__name__
    if link == "LogLink":
        sums = writer.node("Exp", [sums])
    elif link != "IdentityLink":
        raise NotImplementedError(f"no exact form is known for the link {link}")
    writer.write(sums, operator.outputs[0])


def _mean_of(writer: GraphWriter, rows: str, model: Any, output: int | None, targets: int) -> str:
    members = getattr(model, "estimators_", None)
    if members is None:
        return _sum_of(writer, rows, fitted_trees([model], output), targets)
    sums = _sum_of(writer, rows, fitted_trees(members, output), targets)
    return writer.node("Div", [sums, writer.constant(np.array(float(len(members))))])


def boosted_sum(writer: GraphWriter, model: Any) -> str:
    """Write what every stage adds to what boosting starts from."""
    if hasattr(model, "_predictors"):
        start = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
        if model._preprocessor is not None:
            rows, trees = categorical_trees(writer, model)
            return _sum_of(writer, rows, trees, len(start), start)
        return _sum_of(writer, writer.doubles(), histogram_trees(model), len(start), start)
    start = start_of(model)
    rows = writer.doubles(through_float32=True)
    return _sum_of(writer, rows, stage_trees(model), len(start), start)


def _sum_of(
    writer: GraphWriter,
    rows: str,
    trees: Iterable[Tree],
    targets: int,
    start: Doubles | None = None,
) -> str:
    ensemble = EnsembleNode(targets=targets)
    if start is not None:
        ensemble.add_constant(start)
    for tree in trees:
        ensemble.add(tree)
    return writer.ml_node("TreeEnsemble", [rows], **ensemble.attributes())
