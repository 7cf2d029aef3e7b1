"""The common FastAPI service: a typed body, a model loaded at start-up, plain dictionaries out."""

import os

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL_FILE"])


class Invocation(BaseModel):
    """The body of a request."""

    instances: list[list[float]]


@app.get("/ping")
async def ping():
    """Be healthy; the model is loaded before there is a socket."""
    return {}


@app.post("/invocations")
async def invocations(invocation: Invocation):
    """Predict classes and probabilities; on one core a thread pool would only add to it."""
    probabilities = model.predict_proba(np.array(invocation.instances))
    return {
        "predictions": probabilities.argmax(axis=1).tolist(),
        "probabilities": probabilities.tolist(),
    }
