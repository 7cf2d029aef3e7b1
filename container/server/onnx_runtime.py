"""Runs a model as an ONNX graph: the runtime of every model that has no faster one.

Nothing here ever unpickles. ONNX Runtime itself is imported only when a graph is opened: it takes
a third of a cold start, and a forest the kernel runs does without it.
"""

from __future__ import annotations

import os
from typing import Any

from .artifact_files import MODEL_FILE
from .errors import ArtifactError, PredictionError
from .manifest import Manifest, Task, TensorType
from .model import Inputs, Prediction, indexes_by_label, plain_labels

TENSOR_TYPES: dict[TensorType, str] = {
    TensorType.FLOAT32: "tensor(float)",
    TensorType.FLOAT64: "tensor(double)",
    TensorType.INT64: "tensor(int64)",
    TensorType.BOOL: "tensor(bool)",
    TensorType.STRING: "tensor(string)",
}

UNSAFE_OPTIMIZERS = ["MatMulScaleFusion"]
"""It makes a float64 factor beside a product an attribute of float32, so that labels change near
the boundary (observed, ONNX Runtime 1.31; see its pull request 28145)."""


class OnnxRuntime:
    """A graph in ONNX Runtime; safe to call from several threads.

    Args:
        manifest: the facts about the model
        session: an ONNX Runtime session with the inputs and outputs the manifest names
    """

    def __init__(self, manifest: Manifest, session: Any) -> None:
        self.manifest = manifest
        check_graph(manifest, session)
        self._session = session
        self._outputs = [manifest.label_output, *manifest.probability_outputs]
        self._indexes = indexes_by_label(manifest)
        own = [type(label) for of in manifest.labels for label in of]
        # A graph has numbers for them, which JSON would tell from what `predict` gives.
        self._has_booleans = bool(own) and set(own) == {bool}

    def predict(self, inputs: Inputs) -> Prediction:
        """Answer the rows of these inputs.

        Raises:
            PredictionError: ONNX Runtime raised, or answered something the manifest rules out
        """
        try:
            answers = self._session.run(self._outputs, inputs)
        except Exception as error:
            # ONNX Runtime's errors have no base class of their own.
            raise PredictionError(f"ONNX Runtime: {type(error).__name__}: {error}") from error
        labels = plain_labels(answers[0].astype(bool) if self._has_booleans else answers[0])
        if self.manifest.task == Task.REGRESSION:
            return Prediction(labels=labels, class_indexes=[], probabilities=None)
        probabilities: Any = None
        if len(answers) > 1:
            probabilities = tuple(answers[1:]) if self.manifest.outputs else answers[1]
        return Prediction(
            labels=labels,
            class_indexes=self._class_indexes(labels),
            probabilities=probabilities,
        )

    def _class_indexes(self, labels: list[Any]) -> list[Any]:
        if not self.manifest.outputs:
            return [self._class_index(0, label) for label in labels]
        return [[self._class_index(i, label) for i, label in enumerate(row)] for row in labels]

    def _class_index(self, output: int, label: Any) -> int:
        index = self._indexes[output].get(label)
        if index is None:
            raise PredictionError(
                f"the model answered class {label!r}; the manifest has {self.manifest.classes}"
            )
        return index


def open_session(graph: bytes) -> Any:
    """Open an ONNX Runtime session that keeps to one thread, as one worker has one core.

    Raises:
        ArtifactError: ONNX Runtime cannot load the graph
    """
    # Official builds send events to Microsoft and keep a device id on disk unless this is set
    # before the library is loaded (Privacy.md of onnxruntime 1.31, "Disabling Telemetry").
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # slow to import, and not needed to refuse a damaged artifact

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a failed run is raised, and logged by the application
    try:
        return onnxruntime.InferenceSession(
            graph,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=UNSAFE_OPTIMIZERS,
        )
    except Exception as error:
        raise ArtifactError(f"ONNX Runtime cannot load {MODEL_FILE}: {error}") from error


def check_graph(manifest: Manifest, session: Any) -> None:
    """Check that the graph has the inputs and outputs the manifest names.

    Raises:
        ArtifactError: it has others
    """
    wanted = {given.name: TENSOR_TYPES[given.type] for given in manifest.inputs}
    inputs = {given.name: given.type for given in session.get_inputs()}
    if inputs != wanted:
        raise ArtifactError(f"the graph has the inputs {inputs}; the manifest names {wanted}")
    outputs = [given.name for given in session.get_outputs()]
    for name in (manifest.label_output, *manifest.probability_outputs):
        if name not in outputs:
            raise ArtifactError(f"the graph has outputs {outputs}; the manifest names {name!r}")
