"""The outputs of a graph as the server reads them: labels, then probabilities per output.

skl2onnx gives the probabilities of several outputs as a sequence or as one tensor with the outputs
in front, and decision scores where there are no probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automation.answers import classes_of
from automation.errors import ConversionError
from automation.training import TrainedModel

OUTPUTS_IN_FRONT = 3  # dimensions


def tidy_outputs(
    model: Any, trained: TrainedModel, *, with_probabilities: bool
) -> tuple[str, tuple[str, ...]]:
    """Leave a graph with the outputs that are served.

    Returns:
        the name of the output with labels or values; those with probabilities.

    Raises:
        ConversionError: the graph gives no probabilities where the estimator does.
    """
    graph = model.graph
    names = [output.name for output in graph.output]
    kept = 1
    if with_probabilities:
        if len(names) < 2:
            raise ConversionError(
                f"the ONNX form of {type(trained.estimator).__name__} has the outputs {names}; "
                "one with probabilities is missing"
            )
        kept = 2
    del graph.output[kept:]
    if not with_probabilities:
        return names[0], ()
    if not trained.outputs:
        return names[0], (names[1],)
    return names[0], _one_by_one(graph, [len(classes) for classes in classes_of(trained)])


def _one_by_one(graph: Any, sizes: list[int]) -> tuple[str, ...]:
    """Give the probabilities of each output an output of the graph of its own."""
    from onnx import TensorProto, helper, numpy_helper

    joined = graph.output[1]
    is_sequence = joined.type.HasField("sequence_type")
    kind = joined.type.sequence_type.elem_type if is_sequence else joined.type
    element = kind.tensor_type.elem_type or TensorProto.FLOAT
    source = joined.name
    del graph.output[1:]
    found = []
    for position, size in enumerate(sizes):
        index, name = f"greenlight_index_{position}", f"probabilities_{position}"
        graph.initializer.append(numpy_helper.from_array(np.array(position), index))
        part = name if is_sequence else f"{name}_padded"
        operator = "SequenceAt" if is_sequence else "Gather"
        graph.node.append(helper.make_node(operator, [source, index], [part]))
        if not is_sequence:
            bounds = []
            for word, value in (("from", 0), ("to", size), ("axis", 1)):
                bound = f"greenlight_{word}_{position}"
                graph.initializer.append(numpy_helper.from_array(np.array([value]), bound))
                bounds.append(bound)
            graph.node.append(helper.make_node("Slice", [part, *bounds], [name]))
        graph.output.append(helper.make_tensor_value_info(name, element, [None, size]))
        found.append(name)
    return tuple(found)
