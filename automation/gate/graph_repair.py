"""Mends what skl2onnx writes wrongly for float64, in the finished graph.

Some converters mix float32 constants into float64 arithmetic, which ONNX Runtime refuses to load
(skl2onnx 1.20: AdaBoost's `Where`, PolynomialFeatures' `ConstantOfShape`, and others). The float32
side is widened. Whether the graph then answers right is not assumed: it is proven like any other.
"""

from __future__ import annotations

from typing import Any

MOST_REPAIRS = 1000


def widen_mixed_inputs(model: Any) -> None:
    """Cast float32 inputs to float64 wherever a node has both."""
    from onnx import TensorProto, helper

    for count in range(MOST_REPAIRS):
        found = _first_mixed(model)
        if found is None:
            return
        position, name = found
        cast = f"greenlight_widened_{count}"
        node = model.graph.node[position]
        for index, given in enumerate(node.input):
            if given == name:
                node.input[index] = cast
        widening = helper.make_node("Cast", [name], [cast], name=cast, to=TensorProto.DOUBLE)
        model.graph.node.insert(position, widening)


def _first_mixed(model: Any) -> tuple[int, str] | None:
    """Find the first node that is given float32 beside float64, and the float32 tensor."""
    from onnx import TensorProto

    types = _types(model)
    for position, node in enumerate(model.graph.node):
        kinds = {types.get(name) for name in node.input}
        if {TensorProto.FLOAT, TensorProto.DOUBLE} <= kinds:
            narrow = [name for name in node.input if types.get(name) == TensorProto.FLOAT]
            return position, narrow[0]
    return None


def _types(model: Any) -> dict[str, int]:
    """Infer the element types of all tensors, as far as the graph tells."""
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for output in bare.graph.output:
        output.ClearField("type")
    inferred = onnx.shape_inference.infer_shapes(bare)
    known = [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]
    types = {info.name: info.type.tensor_type.elem_type for info in known}
    return types | {constant.name: constant.data_type for constant in inferred.graph.initializer}
