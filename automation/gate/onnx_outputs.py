"""The outputs of a graph as the server reads them: labels, then probabilities per output.

skl2onnx gives the probabilities of several outputs as a sequence or as one tensor with the outputs
in front, and decision scores where there are no probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from automation.errors import ConversionError
from automation.gate.answers import classes_of
from automation.gate.training import TrainedModel


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
    rank = len(graph.output[0].type.tensor_type.shape.dim)
    is_sequence = len(names) > 1 and graph.output[1].type.HasField("sequence_type")
    for output in graph.output:
        # skl2onnx may declare float32 for what its own nodes compute in float64; ONNX Runtime
        # refuses that, and infers the type where none is declared.
        output.ClearField("type")
    kept = 1
    if with_probabilities:
        if len(names) < 2:
            raise ConversionError(
                f"the ONNX form of {type(trained.estimator).__name__} has the outputs {names}; "
                "one with probabilities is missing"
            )
        kept = 2
    del graph.output[kept:]
    if trained.is_classifier and not trained.outputs and rank != 1:
        names[0] = _flat_labels(graph)
    if not with_probabilities:
        return names[0], ()
    if not trained.outputs:
        return names[0], (names[1],)
    sizes = [len(classes) for classes in classes_of(trained)]
    return names[0], _one_by_one(graph, sizes, is_sequence=is_sequence)


def _flat_labels(graph: Any) -> str:
    """Give the labels as (rows,); some converters put them into a column, or into a line."""
    from onnx import helper, numpy_helper

    shape, flat = "greenlight_flat_shape", "greenlight_labels"
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), shape))
    graph.node.append(helper.make_node("Reshape", [graph.output[0].name, shape], [flat]))
    graph.output[0].name = flat
    return flat


def _one_by_one(graph: Any, sizes: list[int], *, is_sequence: bool) -> tuple[str, ...]:
    """Give the probabilities of each output an output of the graph of its own."""
    from onnx import ValueInfoProto, helper, numpy_helper

    source = graph.output[1].name
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
        graph.output.append(ValueInfoProto(name=name))
        found.append(name)
    return tuple(found)
