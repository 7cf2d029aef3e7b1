"""What is asked: two forests, and the rows contestants are sent, with scikit-learn's answers."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from automation.gate.packaging import package
from automation.spec import ModelSpec, load_spec

REPOSITORY = Path(__file__).resolve().parents[2]
FOREST = ModelSpec(
    model="forest", script=Path("benchmarks/serving/forest.py"), estimator="random-forest"
)
BODIES_BY_ROWS = {1: 500, 100: 20}
"""So many different bodies are sent in turn: no contestant is asked the same thing all the time."""

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model in the forms contestants load.

    Args:
        artifact: folder with the unpacked archive of `greenlight package`
        pickle: the estimator as joblib writes it
        sample_rows: rows as clients send them, (rows, features)
    """

    name: str
    estimator: Any
    class_names: tuple[str, ...]
    sample_rows: Rows
    artifact: Path
    pickle: Path


@dataclass(frozen=True, kw_only=True)
class Workload:
    """So many rows of a model in each request.

    Args:
        requests: the rows of each request
        answers: scikit-learn's probabilities for each request, (rows, classes)
    """

    name: str
    model: Model
    rows: int
    requests: tuple[list[list[float]], ...]
    answers: tuple[Rows, ...]


def prepared_model(name: str, directory: Path) -> Model:
    """Train a model, take it through the packaging gate, and write what contestants load.

    Args:
        name: "iris" or "forest"
        directory: where its files go
    """
    from automation.gate.training import train

    spec = FOREST if name == FOREST.model else load_spec(REPOSITORY, name)
    trained = train(spec, REPOSITORY)
    packaged = package(spec, REPOSITORY)
    folder = directory / name
    artifact = folder / packaged.artifact.short_digest
    if not artifact.exists():
        artifact.mkdir(parents=True)
        with tarfile.open(packaged.artifact.archive) as archive:
            archive.extractall(artifact, filter="data")
    pickle = folder / "model.joblib"
    joblib.dump(trained.estimator, pickle)
    return Model(
        name=name,
        estimator=trained.estimator,
        class_names=trained.class_names,
        sample_rows=np.concatenate([trained.training_rows, trained.live_rows]),
        artifact=artifact,
        pickle=pickle,
    )


def workload(model: Model, rows: int) -> Workload:
    """Make requests of so many rows and ask scikit-learn for their answers.

    Each value is drawn from that feature's own values, so that rows are new but plausible and have
    the digits of the data.
    """
    random = np.random.default_rng(rows)
    requests = tuple(_drawn(model.sample_rows, rows, random) for _ in range(BODIES_BY_ROWS[rows]))
    answers = model.estimator.predict_proba(np.concatenate(requests))
    return Workload(
        name=f"{model.name}, {rows} {'row' if rows == 1 else 'rows'}",
        model=model,
        rows=rows,
        requests=tuple(request.tolist() for request in requests),
        answers=tuple(np.split(answers, len(requests))),
    )


def _drawn(sample: Rows, rows: int, random: np.random.Generator) -> Rows:
    columns: Sequence[Rows] = [random.choice(column, rows) for column in sample.T]
    return np.stack(columns, axis=1)
