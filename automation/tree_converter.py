"""Trees as ONNX nodes that answer bit for bit as scikit-learn does.

skl2onnx writes trees with float32 thresholds and float32 sums: two classes that scikit-learn finds
equal, or apart by one rounding, can then change places; it drops where a tree sends missing values;
and for float64 input it has no form at all. Here values are compared and summed as scikit-learn
does it: cast to float32 where it casts, then in float64, tree after tree.

Source: sklearn-onnx issue 1253 (missing values); skl2onnx 1.20 (`common/tree_ensemble.py`,
`decision_tree.populate_tree_attributes`, which rounds thresholds of multi-output trees); ONNX
operator TreeEnsemble, ai.onnx.ml version 5 (float64 in, float64 out, one target per leaf).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
ML_DOMAIN = "ai.onnx.ml"
ML_OPSET = 5
LESS_OR_EQUAL = 0  # nodes_modes: BRANCH_LEQ
SUM = 1  # aggregate_function


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One fitted tree as arrays.

    Args:
        values: what each node adds to each target, (nodes, targets); only those of leaves count.
        left: index of the child for values up to the threshold, -1 in a leaf.
        missing_left: whether a missing value goes left.
    """

    values: Doubles
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Doubles
    missing_left: npt.NDArray[np.bool_]


@dataclass(kw_only=True)
class EnsembleNode:
    """The attributes of one TreeEnsemble node, filled tree by tree."""

    targets: int
    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    children: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    are_leaves: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    leaf_targets: list[int] = field(default_factory=list)
    leaf_weights: list[float] = field(default_factory=list)

    def add_constant(self, values: Doubles) -> None:
        """Add a tree of one leaf per target, so that a sum starts with these values."""
        for target, value in enumerate(values):
            self._add_stump(target, float(value))

    def add(self, tree: Tree) -> None:
        """Add a tree; once per target that one of its leaves adds to beyond its first.

        A leaf of this operator adds to one target. Zeros change no sum, so a tree whose leaves are
        pure, as in most forests, stands here once.
        """
        inner = np.flatnonzero(tree.left >= 0)
        leaves = np.flatnonzero(tree.left < 0)
        targets = {int(leaf): np.flatnonzero(tree.values[leaf]) for leaf in leaves}
        for copy in range(max(1, max(map(len, targets.values())))):
            parts = {
                leaf: (int(of[copy]), float(tree.values[leaf, of[copy]]))
                if copy < len(of)
                else (0, 0.0)
                for leaf, of in targets.items()
            }
            if not len(inner):
                self._add_stump(*parts[0])
                continue
            self._add_copy(tree, inner, parts)

    def attributes(self) -> dict[str, Any]:
        """Give the attributes as ONNX has them."""
        from onnx import numpy_helper

        return {
            "aggregate_function": SUM,
            "post_transform": 0,
            "n_targets": self.targets,
            "tree_roots": self.roots,
            "nodes_featureids": self.features,
            "nodes_splits": numpy_helper.from_array(np.array(self.splits, dtype=np.float64)),
            "nodes_modes": numpy_helper.from_array(
                np.full(len(self.features), LESS_OR_EQUAL, dtype=np.uint8)
            ),
            "nodes_missing_value_tracks_true": self.missing,
            "nodes_truenodeids": self.children[0],
            "nodes_falsenodeids": self.children[1],
            "nodes_trueleafs": self.are_leaves[0],
            "nodes_falseleafs": self.are_leaves[1],
            "leaf_targetids": self.leaf_targets,
            "leaf_weights": numpy_helper.from_array(np.array(self.leaf_weights, dtype=np.float64)),
        }

    def _add_stump(self, target: int, value: float) -> None:
        self.roots.append(len(self.features))
        self._add_node(0, 0.0, False)
        for side in (0, 1):
            self.children[side].append(len(self.leaf_weights))
            self.are_leaves[side].append(1)
        self._add_leaf(target, value)

    def _add_copy(
        self, tree: Tree, inner: npt.NDArray[np.int64], parts: dict[int, tuple[int, float]]
    ) -> None:
        position = {int(node): len(self.features) + rank for rank, node in enumerate(inner)}
        self.roots.append(len(self.features))
        for node in inner:
            self._add_node(
                int(tree.feature[node]), float(tree.threshold[node]), bool(tree.missing_left[node])
            )
            for side, child in enumerate((int(tree.left[node]), int(tree.right[node]))):
                is_leaf = child not in position
                self.are_leaves[side].append(int(is_leaf))
                self.children[side].append(len(self.leaf_weights) if is_leaf else position[child])
                if is_leaf:
                    self._add_leaf(*parts[child])

    def _add_node(self, feature: int, split: float, missing: bool) -> None:
        self.features.append(feature)
        self.splits.append(split)
        self.missing.append(int(missing))

    def _add_leaf(self, target: int, value: float) -> None:
        self.leaf_targets.append(target)
        self.leaf_weights.append(value)


def converters() -> dict[type, Callable[..., None]]:
    """Give skl2onnx's converter functions by estimator class."""
    from sklearn import ensemble, tree

    voting = (
        tree.DecisionTreeClassifier, tree.ExtraTreeClassifier,
        ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier,
    )  # fmt: skip
    averaging = (
        tree.DecisionTreeRegressor, tree.ExtraTreeRegressor,
        ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor,
    )  # fmt: skip
    return {
        **dict.fromkeys(voting, _convert_classifier),
        **dict.fromkeys(averaging, _convert_regressor),
        ensemble.GradientBoostingClassifier: _convert_boosted_classifier,
        ensemble.HistGradientBoostingClassifier: _convert_boosted_classifier,
        ensemble.GradientBoostingRegressor: _convert_boosted_regressor,
        ensemble.HistGradientBoostingRegressor: _convert_boosted_regressor,
    }


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write a tree's or forest's probabilities, and the first class of the greatest."""
    model = operator.raw_operator
    members = getattr(model, "estimators_", None)
    trees = [model] if members is None else members
    graph = _Writer(scope, operator, container)
    rows = graph.rows(casts_to_float32=True)
    if model.n_outputs_ != 1:
        raise NotImplementedError("trees with several outputs are written one by one")
    scores = graph.sum_of(rows, _fitted_trees(trees, 0), int(model.n_classes_))
    if members is not None:
        scores = graph.node("Div", [scores, graph.constant(np.array(float(len(trees))))])
    graph.finish_classifier(scores, scores, model.classes_)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write the mean of the trees' values."""
    model = operator.raw_operator
    members = getattr(model, "estimators_", None)
    trees = [model] if members is None else members
    graph = _Writer(scope, operator, container)
    values = graph.sum_of(
        graph.rows(casts_to_float32=True), _fitted_trees(trees, None), int(model.n_outputs_)
    )
    if members is not None:
        values = graph.node("Div", [values, graph.constant(np.array(float(len(trees))))])
    graph.finish_regressor(values)


def _convert_boosted_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Write the sums of the stages, and what the loss makes of them."""
    model = operator.raw_operator
    graph = _Writer(scope, operator, container)
    sums = graph.boosted_sum(model)
    loss = type(model._loss).__name__
    if len(model.classes_) > 2:
        if loss != "HalfMultinomialLoss":
            raise NotImplementedError(f"no form is known for the loss {loss}")
        graph.finish_classifier(sums, graph.node("Softmax", [sums], axis=1), model.classes_)
        return
    if loss not in ("HalfBinomialLoss", "ExponentialLoss"):
        raise NotImplementedError(f"no form is known for the loss {loss}")
    logits = sums
    if loss == "ExponentialLoss":
        logits = graph.node("Mul", [sums, graph.constant(np.array(2.0))])
    second = graph.node("Sigmoid", [logits])
    first = graph.node("Sub", [graph.constant(np.array(1.0)), second])
    zero = graph.node("Sub", [sums, sums])
    # scikit-learn takes the second class from a sum of exactly zero on; ArgMax takes the last of
    # equal ones when asked to.
    graph.finish_classifier(
        graph.node("Concat", [zero, sums], axis=1),
        graph.node("Concat", [first, second], axis=1),
        model.classes_,
        takes_last=1,
    )


def _convert_boosted_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Write the sum of the stages, through the exponential for losses on a log scale."""
    model = operator.raw_operator
    graph = _Writer(scope, operator, container)
    sums = graph.boosted_sum(model)
    link = type(getattr(model._loss, "link", None)).__name__
    if link == "LogLink":
        sums = graph.node("Exp", [sums])
    elif link != "IdentityLink":
        raise NotImplementedError(f"no form is known for the link {link}")
    graph.finish_regressor(sums)


class _Writer:
    """Adds nodes to skl2onnx's container for one operator."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self._scope = scope
        self._operator = operator
        self._container = container

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        output: str = self._scope.get_unique_variable_name(kind.lower())
        self._container.add_node(
            kind,
            inputs,
            output,
            name=self._scope.get_unique_operator_name(kind),
            op_version=self._container.target_opset,
            **attributes,
        )
        return output

    def constant(self, value: npt.NDArray[Any]) -> str:
        from onnx import helper

        name: str = self._scope.get_unique_variable_name("constant")
        content = [str(entry) for entry in value] if value.dtype.kind in "UO" else value
        kind = np.dtype(object) if value.dtype.kind in "UO" else value.dtype
        self._container.add_initializer(
            name, helper.np_dtype_to_tensor_dtype(kind), list(value.shape), content
        )
        return name

    def rows(self, *, casts_to_float32: bool) -> str:
        """Give the operator's input in float64, rounded to float32 where the estimator rounds."""
        from onnx import TensorProto
        from skl2onnx.operator_converters.common import concatenate_variables

        inputs = self._operator.inputs
        name: str = inputs[0].full_name
        if len(inputs) > 1:
            name = concatenate_variables(self._scope, inputs, self._container)
        if casts_to_float32:
            name = self.node("Cast", [name], to=TensorProto.FLOAT)
        return self.node("Cast", [name], to=TensorProto.DOUBLE)

    def sum_of(
        self, rows: str, trees: Iterator[Tree], targets: int, start: Doubles | None = None
    ) -> str:
        ensemble = EnsembleNode(targets=targets)
        if start is not None:
            ensemble.add_constant(start)
        for tree in trees:
            ensemble.add(tree)
        output: str = self._scope.get_unique_variable_name("sum")
        self._container.add_node(
            "TreeEnsemble",
            [rows],
            output,
            op_domain=ML_DOMAIN,
            op_version=1,
            name=self._scope.get_unique_operator_name("TreeEnsemble"),
            **ensemble.attributes(),
        )
        return output

    def boosted_sum(self, model: Any) -> str:
        """Write what every stage adds to what boosting starts from."""
        if hasattr(model, "_predictors"):
            return self.sum_of(
                self.rows(casts_to_float32=False),
                _histogram_trees(model),
                int(model.n_trees_per_iteration_),
                np.asarray(model._baseline_prediction, dtype=np.float64).ravel(),
            )
        start = _start_of(model)
        return self.sum_of(self.rows(casts_to_float32=True), _stage_trees(model), len(start), start)

    def finish_classifier(
        self,
        scores: str,
        probabilities: str,
        classes: npt.NDArray[Any],
        takes_last: int = 0,
    ) -> None:
        """Write the label with the greatest score and the probabilities, as declared."""
        index = self.node("ArgMax", [scores], axis=1, keepdims=0, select_last_index=takes_last)
        classes = np.asarray(classes)
        if classes.dtype.kind in "biuf":
            if not np.array_equal(classes, classes.astype(np.int64)):
                raise NotImplementedError("only whole numbers and texts can be class labels")
            classes = classes.astype(np.int64)
        label, probability = self._operator.outputs[:2]
        self._name(self.node("Gather", [self.constant(classes), index], axis=0), label)
        self._cast(probabilities, probability)

    def finish_regressor(self, values: str) -> None:
        """Write the values, as declared."""
        self._cast(values, self._operator.outputs[0])

    def _cast(self, name: str, variable: Any) -> None:
        from skl2onnx.common.data_types import guess_proto_type

        self._name(self.node("Cast", [name], to=guess_proto_type(variable.type)), variable)

    def _name(self, name: str, variable: Any) -> None:
        self._container.add_node(
            "Identity",
            [name],
            variable.full_name,
            name=self._scope.get_unique_operator_name("Identity"),
        )


def _fitted_trees(trees: list[Any], output: int | None) -> Iterator[Tree]:
    """Read scikit-learn's trees; of a classifier the values of one output, else of all outputs."""
    for member in trees:
        fitted = member.tree_
        values = fitted.value[:, output, :] if output is not None else fitted.value[:, :, 0]
        yield _tree(fitted, values)


def _stage_trees(model: Any) -> Iterator[Tree]:
    for stage in model.estimators_:
        for target, member in enumerate(stage):
            values = np.zeros((member.tree_.node_count, len(stage)))
            values[:, target] = model.learning_rate * member.tree_.value[:, 0, 0]
            yield _tree(member.tree_, values)


def _histogram_trees(model: Any) -> Iterator[Tree]:
    for stage in model._predictors:
        for target, predictor in enumerate(stage):
            nodes = predictor.nodes
            if nodes["is_categorical"].any():
                raise NotImplementedError("splits on categories have no exact form")
            values = np.zeros((len(nodes), len(stage)))
            values[:, target] = nodes["value"]
            is_leaf = nodes["is_leaf"].astype(bool)
            yield Tree(
                values=values,
                left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
                right=np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
                feature=nodes["feature_idx"].astype(np.int64),
                threshold=nodes["num_threshold"].astype(np.float64),
                missing_left=nodes["missing_go_to_left"].astype(bool),
            )


def _tree(fitted: Any, values: Doubles) -> Tree:
    return Tree(
        values=values,
        left=fitted.children_left,
        right=fitted.children_right,
        feature=fitted.feature,
        threshold=fitted.threshold,
        missing_left=np.asarray(fitted.missing_go_to_left, dtype=bool),
    )


def _start_of(model: Any) -> Doubles:
    """Give what gradient boosting starts from, which must not depend on the row."""
    if type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor", "str"):
        raise NotImplementedError("boosting that starts from another estimator has no exact form")
    row = np.zeros((1, model.n_features_in_), dtype=np.float32)
    start: Doubles = np.asarray(model._raw_predict_init(row), dtype=np.float64)[0]
    return start
