"""The containers people use, each started as its own documentation does, on one core.

They answer labels and probabilities; ours answers both by name and repeats the row, so it writes
more. Where batching has to be told a size, it may take all that 16 clients can have waiting.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.contestant import Answer, Contestant, Request, instances_body

CONTAINERS = Path(__file__).parent / "containers"
BATCHED_REQUESTS = 16
BATCH_SECONDS = 0.005


def lists_answer(document: Any, classes: Sequence[str]) -> Answer:
    """Read `{"predictions": [...], "probabilities": [[...]]}`."""
    return Answer(labels=document["predictions"], probabilities=document["probabilities"])


def table_answer(document: Any, classes: Sequence[str]) -> Answer:
    """Read one array: a row's label, then its probabilities."""
    return Answer(
        labels=[int(row[0]) for row in document], probabilities=[row[1:] for row in document]
    )


def inference_protocol_body(rows: Request) -> bytes:
    """Return rows in the Open Inference Protocol, asking for labels and probabilities."""
    given = {
        "name": "rows",
        "shape": [len(rows), len(rows[0])],
        "datatype": "FP64",
        "data": rows,
    }
    outputs = [{"name": "predict"}, {"name": "predict_proba"}]
    return json.dumps({"inputs": [given], "outputs": outputs}).encode()


def inference_protocol_answer(document: Any, classes: Sequence[str]) -> Answer:
    """Read the two outputs asked for; their arrays are flat."""
    data = {output["name"]: output["data"] for output in document["outputs"]}
    flat, width = data["predict_proba"], len(classes)
    return Answer(
        labels=data["predict"],
        probabilities=[flat[start : start + width] for start in range(0, len(flat), width)],
    )


FLASK = Contestant(
    name="Flask + gunicorn",
    role="peer",
    environment="flask",
    command=(
        *("{python}", "-m", "gunicorn", "-k", "sync", "-w", "2", "--timeout", "60"),
        *("-b", "127.0.0.1:{port}", "predictor:app"),
    ),
    directory=CONTAINERS / "flask",
    variables={"MODEL_FILE": "{pickle}"},
    body=instances_body,
    read=lists_answer,
)
SAGEMAKER = Contestant(
    name="sagemaker-containers",
    role="peer",
    environment="sagemaker",
    command=("{python}", "serving.py"),
    directory=CONTAINERS / "sagemaker",
    variables={
        "PATH": "{bin}:/usr/bin:/bin",
        "PYTHONPATH": str(CONTAINERS / "sagemaker"),
        "MODEL_FILE": "{pickle}",
        "SAGEMAKER_BASE_DIR": "{scratch}",
        "SAGEMAKER_BIND_TO_PORT": "{port}",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "SAGEMAKER_USE_NGINX": "false",
    },
    body=instances_body,
    read=lists_answer,
)
FASTAPI = Contestant(
    name="FastAPI + uvicorn",
    role="peer",
    environment="fastapi",
    command=(
        *("{python}", "-m", "uvicorn", "service:app", "--port", "{port}"),
        "--no-access-log",
    ),
    directory=CONTAINERS / "fastapi",
    variables={"MODEL_FILE": "{pickle}"},
    body=instances_body,
    read=lists_answer,
)
MLSERVER = Contestant(
    name="MLServer",
    role="peer",
    environment="mlserver",
    command=("{bin}/mlserver", "start", "."),
    directory=CONTAINERS / "mlserver",
    variables={
        "PATH": "{bin}:/usr/bin:/bin",
        "MLSERVER_DEBUG": "false",
        "MLSERVER_HTTP_PORT": "{port}",
        "MLSERVER_GRPC_PORT": "{second_port}",
        "MLSERVER_METRICS_PORT": "{third_port}",
        "MLSERVER_METRICS_DIR": "{scratch}",
        "MLSERVER_MODEL_NAME": "forest",
        "MLSERVER_MODEL_URI": "{pickle}",
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
    },
    path="/v2/models/forest/infer",
    ping_path="/v2/models/forest/ready",
    body=inference_protocol_body,
    read=inference_protocol_answer,
)
MLSERVER_BATCHING = Contestant(
    name="MLServer, batching",
    role="peer",
    environment="mlserver",
    command=MLSERVER.command,
    directory=MLSERVER.directory,
    variables={
        **MLSERVER.variables,
        # Its guide's advice for a small model: a worker process of its own only adds a hop.
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_MODEL_MAX_BATCH_SIZE": str(BATCHED_REQUESTS),
        "MLSERVER_MODEL_MAX_BATCH_TIME": str(BATCH_SECONDS),
    },
    path=MLSERVER.path,
    ping_path=MLSERVER.ping_path,
    body=inference_protocol_body,
    read=inference_protocol_answer,
)
BENTOML = Contestant(
    name="BentoML, batching",
    role="peer",
    environment="bentoml",
    command=(
        *("{bin}/bentoml", "serve", "service:Forest", "--host", "127.0.0.1"),
        *("--port", "{port}"),
    ),
    directory=CONTAINERS / "bentoml",
    variables={
        "PATH": "{bin}:/usr/bin:/bin",
        "MODEL_FILE": "{pickle}",
        "BENTOML_HOME": "{scratch}",
        "BENTOML_DO_NOT_TRACK": "1",
    },
    ping_path="/readyz",
    body=instances_body,
    read=table_answer,
)
LITSERVE = Contestant(
    name="LitServe, batching",
    role="peer",
    environment="litserve",
    command=("{python}", "service.py"),
    directory=CONTAINERS / "litserve",
    variables={
        "MODEL_FILE": "{pickle}",
        "PORT": "{port}",
        "MAX_BATCH_SIZE": str(BATCHED_REQUESTS),
        "BATCH_TIMEOUT_SECONDS": str(BATCH_SECONDS),
    },
    body=instances_body,
    read=lists_answer,
)
ALL_PEERS = (FLASK, SAGEMAKER, FASTAPI, MLSERVER, MLSERVER_BATCHING, BENTOML, LITSERVE)
