"""Our container's contestants, and the floor under them."""

from __future__ import annotations

from benchmarks.serving.contestant import (
    Answer,
    Contestant,
    greenlight_answer,
    instances_body,
)
from benchmarks.serving.workload import REPOSITORY

CONTAINER = REPOSITORY / "container"
# One worker is what one core gets by itself; it is said, so that the row says what it measured.
VARIABLES = {
    "SAGEMAKER_BIND_TO_PORT": "{port}",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
    "SM_MODEL_DIR": "{artifact}",
    "GREENLIGHT_BIND_ADDRESS": "127.0.0.1",
}

OURS = Contestant(
    name="ours",
    role="ours",
    environment="ours",
    command=("{python}", "-m", "server", "serve"),
    directory=CONTAINER,
    variables=VARIABLES,
    body=instances_body,
    read=greenlight_answer,
)
OURS_ON_ONNX = Contestant(
    name="ours, ONNX Runtime",
    role="besides",
    environment="ours",
    command=OURS.command,
    directory=CONTAINER,
    variables={**VARIABLES, "GREENLIGHT_RUNTIME": "onnx"},
    body=instances_body,
    read=greenlight_answer,
)


def _nothing(*_: object) -> Answer:
    raise ValueError("the floor predicts nothing")


_FLOOR_COMMAND = (
    *("{python}", str(REPOSITORY / "benchmarks/serving/floor.py"), "{port}", "{answer}"),
)
FLOOR = Contestant(
    name="floor",
    role="floor",
    environment="ours",
    command=_FLOOR_COMMAND,
    directory=CONTAINER,
    variables={"PYTHONPATH": str(CONTAINER)},
    body=instances_body,
    read=_nothing,
)
ASYNCIO_FLOOR = Contestant(
    name="floor, asyncio",
    role="floor",
    environment="ours",
    command=(*_FLOOR_COMMAND, "--asyncio"),
    directory=CONTAINER,
    variables=FLOOR.variables,
    body=instances_body,
    read=_nothing,
)
