"""Inference scripts, loaded and asked without a server; no tests here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.predictor import Answer, Invocation, load_served
from server.script_predictor import ScriptPredictor
from server.settings import Settings
from tests.support.rsgi import RequestHeaders
from tests.support.sklearn_models import add_script

ROWS = b'{"features": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}'
BARE = b"[[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]"
CSV = b"5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n"

PREDICT_ONLY = """
def predict_fn(data, model):
    return model.predict(data)
"""
PROBABILITIES_TOO = """
def predict_fn(data, model):
    return model.predict(data), model.predict_proba(data)
"""
MODEL_ONLY = """
import os
from skops.io import get_untrusted_types, load

def model_fn(model_dir):
    path = os.path.join(model_dir, "model.skops")
    return load(path, trusted=get_untrusted_types(file=path))
"""
A_CLASS_OF_ITS_OWN = """
class Petals:
    def predict(self, rows):
        return rows[9999]

def model_fn(model_dir):
    return Petals()
"""
OF_ITS_OWN = """
import json

def output_fn(prediction, accept):
    return json.dumps({"kinds": [int(label) for label in prediction], "accept": accept})
"""
INPUT_ONLY = """
import numpy as np

def input_fn(body, content_type):
    assert content_type == "text/tab-separated-values" and isinstance(body, bytes)
    return np.array([line.split(b"\\t") for line in body.splitlines()], dtype=float)
"""


@contextmanager
def scripts_forgotten() -> Iterator[None]:
    """Forget, at the end, the script and its neighbours, as each server process has but one."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if name in ("inference", "helper"):
            del sys.modules[name]
    sys.path[:] = path


def loaded(directory: Path, source: str, **neighbors: str) -> ScriptPredictor:
    add_script(directory, source, **neighbors)
    predictor = load_served(directory, Settings())
    assert isinstance(predictor, ScriptPredictor)
    return predictor


def answered(predictor: ScriptPredictor, body: bytes, **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(predictor.answer(Invocation(body, RequestHeaders(given), "id-1")))
