"""The parts of `manifest.json` that describe a model and its graph to the server.

`task`, `features`, `classes`, `labels` and `outputs` say what clients send and get; `onnx` says how
the graph is fed and read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automation.gate.answers import classes_of
from automation.gate.conversion import Graph
from automation.gate.feature_facts import features_of
from automation.gate.features import MISSING_TEXT, Feature
from automation.gate.training import TrainedModel


def model_description(
    trained: TrainedModel, features: Sequence[Feature] | None = None
) -> dict[str, Any]:
    """Say what a model takes and answers, whatever runs it.

    Args:
        features: of its columns where they are known already.
    """
    own = [[_plain(label) for label in classes] for classes in classes_of(trained)]
    return {
        "task": "classification" if trained.is_classifier else "regression",
        "features": [
            {
                "name": feature.name,
                "type": feature.type.value,
                "allows_missing": feature.allows_missing,
                "categories": None if feature.categories is None else list(feature.categories),
            }
            for feature in (features_of(trained) if features is None else features)
        ],
        "classes": list(trained.class_names) or None,
        # The estimator's own labels, by class index: what a graph answers and `classes` renames.
        "labels": None if not own else own if trained.outputs else own[0],
        "outputs": [
            {"name": output.name, "classes": list(output.class_names) or None}
            for output in trained.outputs
        ]
        or None,
    }


def graph_description(graph: Graph) -> dict[str, Any]:
    """Say how the graph is fed and which of its outputs is what."""
    probabilities: Any = list(graph.probability_outputs)
    if len(probabilities) <= 1:
        probabilities = probabilities[0] if probabilities else None
    return {
        "inputs": [
            {"name": given.name, "type": given.type, "features": list(given.features)}
            | ({"missing": MISSING_TEXT} if given.type == "string" else {})
            for given in graph.inputs
        ],
        "label_output": graph.label_output,
        "probability_output": probabilities,
    }


def _plain(label: Any) -> Any:
    """Give a label as JSON has it; a whole float is the integer it stands for."""
    if isinstance(label, float) and label.is_integer():
        return int(label)
    return label
