"""Estimators inside other ones, written where these stand, for votes, stacks and calibrations.

skl2onnx hands an estimator inside another one a single tensor. Here it is given all of the outer
one's inputs, so that it may be a pipeline that picks columns of texts and of numbers, and what it
answers stays float64.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automation.errors import ConversionError
from automation.gate.graph_writer import GraphWriter
from automation.gate.margin_converter import linear_margins
from automation.gate.tree_converter import boosted_sum


def unwrapped(estimator: Any) -> Any:
    """Give the fitted estimator that answers for a search, a frozen or a self-trained one.

    Pipelines are copied without steps that do nothing, choices of columns with numbers in place of
    masks. The copy is good for being read by a converter, not for predicting.

    Raises:
        ConversionError: a step before a pipeline's last one is a classifier or finds clusters.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.semi_supervised import SelfTrainingClassifier

    if isinstance(estimator, FrozenEstimator):
        return unwrapped(estimator.estimator)
    if isinstance(estimator, BaseSearchCV):
        return unwrapped(estimator.best_estimator_)
    if isinstance(estimator, SelfTrainingClassifier):
        return unwrapped(estimator.estimator_)
    if isinstance(estimator, Pipeline):
        changed = copy.copy(estimator)
        changed.steps = [
            (name, unwrapped(step))
            for name, step in estimator.steps
            if step is not None and not isinstance(step, str)
        ]
        _check_steps(changed)
        return changed
    if isinstance(estimator, ColumnTransformer):
        changed = copy.copy(estimator)
        changed.transformers_ = [
            (name, unwrapped(transformer), _numbers(columns))
            for name, transformer, columns in estimator.transformers_
        ]
        return changed
    return estimator


def _check_steps(pipeline: Any) -> None:
    from sklearn.base import ClassifierMixin, ClusterMixin

    for name, step in pipeline.steps[:-1]:
        if isinstance(step, ClassifierMixin | ClusterMixin):
            raise ConversionError(
                f"step {name!r} of a pipeline is a {type(step).__name__} that transforms rows, for "
                "which there is no ONNX form; take another transformer, or serve it with "
                "scikit-learn itself (`runtime: sklearn` in the model's spec)"
            )


def _numbers(columns: Any) -> Any:
    chosen = np.asarray(columns)
    return np.flatnonzero(chosen).tolist() if chosen.dtype == bool else columns


@dataclass(frozen=True, kw_only=True)
class Part:
    """An estimator and what it is fed: an operator to `GraphWriter`."""

    raw_operator: Any
    inputs: Sequence[Any]


class NestedEstimators:
    """Writes what estimators inside another one answer; every tensor it gives is float64.

    Args:
        scope: as skl2onnx calls a converter.
        operator: the outer estimator; those inside are fed its inputs.
        container: takes the nodes.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self.writer = GraphWriter(scope, operator, container)
        self.inputs: list[Any] = []
        self._scope = scope
        self._container = container
        self._parts: dict[int, Part] = {}
        self._outputs: dict[int, list[Any]] = {}
        self.inputs = [self._widened(given) for given in operator.inputs]

    def fed(self, estimator: Any, table: str, width: int) -> Any:
        """Feed an estimator a tensor of numbers, (rows, width), in place of the outer inputs."""
        from skl2onnx.common.data_types import DoubleTensorType

        wide = self._scope.declare_local_variable("table", DoubleTensorType([None, width]))
        self.writer.write(table, wide)
        self._parts[id(estimator)] = self._part(unwrapped(estimator), [wide])
        return estimator

    def label(self, classifier: Any) -> str:
        """Write a classifier's own label, (rows,)."""
        name: str = self._answers(classifier)[0].onnx_name
        return self.writer.node("Reshape", [name, self.writer.constant([-1])])

    def probabilities(self, classifier: Any) -> str:
        """Write a classifier's probabilities, (rows, classes)."""
        return self._second(classifier)

    def margins(self, classifier: Any) -> str:
        """Write a classifier's decision function, (rows, classes); of two classes (rows, 1).

        Raises:
            NotImplementedError: no form is known for it.
        """
        from sklearn.linear_model._base import LinearClassifierMixin

        if not _has_known_margins(classifier):
            final = type(_last_step(classifier)).__name__
            raise NotImplementedError(f"no form is known for the decision function of {final}")
        part = self._part_of(classifier)
        writer = GraphWriter(self._scope, part, self._container)
        if isinstance(part.raw_operator, LinearClassifierMixin):
            return linear_margins(writer, part.raw_operator)
        if isinstance(part.raw_operator, _boosted_classes()):
            return boosted_sum(writer, part.raw_operator)
        scores = self._second(classifier)
        return writer.column(scores, 1) if len(classifier.classes_) == 2 else scores

    def scores(self, classifier: Any) -> str:
        """Write the decision function of those that have one, else the probabilities.

        Returns:
            (rows, classes), of two classes the second's alone, (rows, 1).
        """
        if hasattr(classifier, "decision_function"):
            return self.margins(classifier)
        found = self.probabilities(classifier)
        return self.writer.column(found, 1) if len(classifier.classes_) == 2 else found

    def values(self, regressor: Any) -> str:
        """Write a regressor's values, (rows, targets)."""
        values = self._doubled(self._answers(regressor)[0].onnx_name)
        return self.writer.node("Reshape", [values, self.writer.constant([0, -1])])

    def _second(self, classifier: Any) -> str:
        return self._doubled(self._answers(classifier)[1].onnx_name)

    def _doubled(self, name: str) -> str:
        from onnx import TensorProto

        return self.writer.node("Cast", [name], to=TensorProto.DOUBLE)

    def _answers(self, estimator: Any) -> list[Any]:
        """Let the estimator's own converter write its answers, once."""
        if id(estimator) not in self._outputs:
            self._outputs[id(estimator)] = self._declared(self._part_of(estimator))
        return self._outputs[id(estimator)]

    def _declared(self, part: Part) -> list[Any]:
        from skl2onnx._supported_operators import sklearn_operator_name_map
        from skl2onnx.common.data_types import (
            DoubleTensorType,
            Int64TensorType,
            StringTensorType,
        )
        from sklearn.base import is_classifier

        inner = part.raw_operator
        # Those skl2onnx has no name for are ours, or refused when their turn comes.
        name = sklearn_operator_name_map.get(type(inner))
        nested = self._scope.declare_local_operator(name, inner)
        nested.inputs.extend(part.inputs)
        if is_classifier(inner):
            is_text = np.asarray(inner.classes_).dtype.kind not in "biuf"
            kind = StringTensorType if is_text else Int64TensorType
            nested.outputs.append(self._scope.declare_local_variable("label", kind()))
        nested.outputs.append(self._scope.declare_local_variable("answer", DoubleTensorType()))
        outputs: list[Any] = nested.outputs
        return outputs

    def _part_of(self, estimator: Any) -> Part:
        if id(estimator) not in self._parts:
            self._parts[id(estimator)] = self._part(unwrapped(estimator), self.inputs)
        return self._parts[id(estimator)]

    def _part(self, estimator: Any, inputs: Sequence[Any]) -> Part:
        """Write the steps in front of a pipeline's last one."""
        from skl2onnx._parse import _parse_sklearn
        from sklearn.pipeline import Pipeline

        if not isinstance(estimator, Pipeline):
            return Part(raw_operator=estimator, inputs=inputs)
        for _, step in estimator.steps[:-1]:
            inputs = _parse_sklearn(self._scope, step, inputs, custom_parsers=None)
        return self._part(estimator.steps[-1][1], inputs)

    def _widened(self, given: Any) -> Any:
        """Cast float32 up: an answer rounded to it would lie beside the next one's threshold."""
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

        if not isinstance(given.type, FloatTensorType):
            return given
        kind = DoubleTensorType(list(given.type.shape))
        wide = self._scope.declare_local_variable(given.raw_name, kind)
        self.writer.write(given.full_name, wide)
        return wide


def _last_step(estimator: Any) -> Any:
    final = unwrapped(estimator)
    while hasattr(final, "steps"):
        final = final.steps[-1][1]
    return final


def _has_known_margins(estimator: Any) -> bool:
    """Tell whether the decision function of a classifier has a form; not every one has it."""
    from sklearn.linear_model._base import LinearClassifierMixin
    from sklearn.svm import SVC, NuSVC

    final = _last_step(estimator)
    if isinstance(final, SVC | NuSVC):
        is_own = final.probability is not True and final.decision_function_shape == "ovr"
        return is_own and not callable(final.kernel) and final.kernel != "precomputed"
    return isinstance(final, (LinearClassifierMixin, *_boosted_classes()))


def _boosted_classes() -> tuple[type, ...]:
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

    return GradientBoostingClassifier, HistGradientBoostingClassifier
