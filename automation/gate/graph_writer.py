"""Adds nodes to the graph skl2onnx is writing; what our own converters have in common.

A converter is called with skl2onnx's scope, operator and container. The operator's outputs have
declared types (`declare_float64` widens them); the last node of a converter casts to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

ML_DOMAIN = "ai.onnx.ml"
# As skl2onnx calls one: scope, operator, container.
Converter = Callable[[Any, Any, Any], None]


class GraphWriter:
    """One operator's place in the graph.

    Args:
        scope: gives names that are not taken.
        operator: the fitted estimator (`raw_operator`) with its inputs and outputs.
        container: takes the nodes.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self.operator = operator
        self._scope = scope
        self._container = container

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node of ONNX's own operators and give the name of its output."""
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

    def loop(self, most: str, states: list[str], body: Any) -> list[str]:
        """Add a Loop node: states go through a graph until it says no, or so many times."""
        outputs = [self._scope.get_unique_variable_name("state") for _ in states]
        self._container.add_node(
            "Loop",
            [most, self.constant(np.array(True)), *states],
            outputs,
            name=self._scope.get_unique_operator_name("Loop"),
            op_version=self._container.target_opset,
            body=body,
        )
        return outputs

    def ml_node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node of ONNX's machine learning operators.

        skl2onnx 1.20 knows their versions up to 3 and refuses to hear of a later one; the version
        is set when the graph is whole (`conversion`).
        """
        output: str = self._scope.get_unique_variable_name(kind.lower())
        self._container.add_node(
            kind,
            inputs,
            output,
            op_domain=ML_DOMAIN,
            op_version=1,
            name=self._scope.get_unique_operator_name(kind),
            **attributes,
        )
        return output

    def constant(self, value: npt.ArrayLike) -> str:
        """Add a constant; texts become a tensor of strings."""
        from onnx import TensorProto, helper

        array = np.asarray(value)
        name: str = self._scope.get_unique_variable_name("constant")
        if array.dtype.kind in "UO":
            texts = [str(entry).encode() for entry in array.ravel()]
            self._container.add_initializer(name, TensorProto.STRING, list(array.shape), texts)
        else:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            self._container.add_initializer(name, kind, list(array.shape), array.ravel())
        return name

    def doubles(self, *, through_float32: bool = False) -> str:
        """Give the operator's input in float64, rounded to float32 on the way if need be."""
        from onnx import TensorProto

        name = self.joined_inputs()
        if through_float32:
            name = self.node("Cast", [name], to=TensorProto.FLOAT)
        return self.node("Cast", [name], to=TensorProto.DOUBLE)

    def joined_inputs(self) -> str:
        """Give the operator's inputs as one tensor."""
        from skl2onnx.operator_converters.common import concatenate_variables

        inputs = self.operator.inputs
        if len(inputs) == 1:
            name: str = inputs[0].full_name
            return name
        joined: str = concatenate_variables(self._scope, inputs, self._container)
        return joined

    def columns(self) -> list[tuple[str, Any]]:
        """Give each column of the operator's inputs, (rows, 1), and the input it is of."""
        found = []
        for source in self.operator.inputs:
            width = source.type.shape[1]
            names = [source.full_name]
            if width != 1:
                names = [self.column(source.full_name, offset) for offset in range(width)]
            found += [(name, source) for name in names]
        return found

    def reached(self, values: str, knots: npt.ArrayLike, *, is_flat: bool = False) -> str:
        """Count the knots that values of (rows, 1) have reached, (rows, 1); flat (rows,)."""
        from onnx import TensorProto

        row = self.constant(np.asarray(knots, dtype=np.float64).reshape(1, -1))
        is_reached = self.node("GreaterOrEqual", [values, row])
        counts = self.node("Cast", [is_reached], to=TensorProto.INT64)
        across = self.constant(np.array([1]))
        return self.node("ReduceSum", [counts, across], keepdims=int(not is_flat))

    def column(self, tensor: str, position: int) -> str:
        """Take one column, as (rows, 1)."""
        return self.node("Gather", [tensor, self.constant(np.array([position]))], axis=1)

    def finish_classifier(
        self, scores: str, probabilities: str, classes: npt.ArrayLike, *, takes_last: bool = False
    ) -> None:
        """Write the label with the greatest score, and the probabilities.

        Args:
            takes_last: which of equal scores decides: the last, or the first.
        """
        label, probability = self.operator.outputs[:2]
        self.write(self.chosen(scores, classes, takes_last=takes_last), label)
        self.write(probabilities, probability)

    def chosen(self, scores: str, classes: npt.ArrayLike, *, takes_last: bool = False) -> str:
        """Give the label with the greatest score, (rows,)."""
        index = self.node("ArgMax", [scores], axis=1, keepdims=0, select_last_index=int(takes_last))
        return self.node("Gather", [self.constant(whole_labels(classes)), index], axis=0)

    def write(self, name: str, variable: Any) -> None:
        """Make a tensor the operator's output, in its declared type."""
        from skl2onnx.common.data_types import StringTensorType, guess_proto_type

        if not isinstance(variable.type, StringTensorType):
            name = self.node("Cast", [name], to=guess_proto_type(variable.type))
        self._container.add_node(
            "Identity",
            [name],
            variable.full_name,
            name=self._scope.get_unique_operator_name("Identity"),
        )


def whole_labels(classes: npt.ArrayLike) -> npt.NDArray[Any]:
    """Give class labels as ONNX has them: int64 or texts.

    Raises:
        NotImplementedError: fractions, which ONNX's classifiers do not know as labels.
    """
    labels = np.asarray(classes)
    if labels.dtype.kind not in "biuf":
        return labels
    whole = labels.astype(np.int64)
    if not np.array_equal(labels, whole):
        raise NotImplementedError("only whole numbers and texts can be class labels")
    return whole


def declare_classes(operator: Any, *, is_float64: bool) -> None:
    """Declare a classifier's labels, and its probabilities or scores.

    Args:
        is_float64: whether the graph computes in float64.
    """
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    classes = operator.raw_operator.classes_
    rows = operator.inputs[0].get_first_dimension()
    kind = DoubleTensorType if is_float64 else FloatTensorType
    operator.outputs[0].set_type(label_type(classes)([rows]))
    operator.outputs[1].set_type(kind([rows, len(classes)]))


def label_type(classes: npt.ArrayLike) -> Any:
    """Give skl2onnx's type of a tensor of labels."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    return Int64TensorType if whole_labels(classes).dtype.kind in "biu" else StringTensorType


def declare_values(operator: Any) -> None:
    """Declare a regressor's values, of as many columns as they turn out to have."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    first = operator.inputs[0]
    kind = DoubleTensorType if isinstance(first.type, DoubleTensorType) else FloatTensorType
    operator.outputs[0].set_type(kind([first.get_first_dimension(), None]))


def declare_float64(shape: Callable[[Any], None], output: int) -> Callable[[Any], None]:
    """Wrap one of skl2onnx's shape functions so that float64 in means float64 out.

    Args:
        shape: sets the types of an operator's outputs.
        output: the index of the output to widen.
    """

    def declare(operator: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType

        shape(operator)
        if isinstance(operator.inputs[0].type, DoubleTensorType):
            declared = operator.outputs[output]
            declared.set_type(DoubleTensorType(list(declared.type.shape)))

    return declare
