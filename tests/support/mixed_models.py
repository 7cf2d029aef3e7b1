"""A model of values of every type, through the packaging gate; no tests here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from automation.archive import files_from_archive
from automation.gate.packaging import package_trained
from automation.gate.training import trained_from_returned

ROWS = 40


@dataclass(frozen=True, kw_only=True)
class MixedModel:
    """A pipeline that was fitted on a DataFrame, and its unpacked artifact.

    Args:
        frame: columns length (a number, may be missing), colour (one of three), ripe (a boolean)
    """

    directory: Path
    frame: pd.DataFrame
    estimator: Any

    @property
    def rows(self) -> list[list[Any]]:
        """The frame's rows as JSON has them."""
        return [
            [None if value != value else value for value in row]
            for row in self.frame.astype(object).to_numpy().tolist()
        ]


def a_fruit_classifier(folder: Path) -> MixedModel:
    """Package a classifier of fruit.

    Args:
        folder: where its files go
    """
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "length": draw.random(ROWS) * 5,
            "colour": draw.choice(["red", "blue", "green"], ROWS),
            "ripe": draw.random(ROWS) > 0.5,
        }
    )
    frame.loc[3, "length"] = np.nan
    labels = np.where((frame["colour"] == "red") & frame["ripe"], "sweet", "sour")
    columns = ColumnTransformer(
        [
            ("code", OneHotEncoder(), ["colour"]),
            ("fill", SimpleImputer(), ["length"]),
            ("keep", "passthrough", ["ripe"]),
        ]
    )
    forest = RandomForestClassifier(n_estimators=5, random_state=42)
    estimator = make_pipeline(columns, forest).fit(frame, labels)
    returned = {
        "estimator": estimator,
        "feature_names": list(frame.columns),
        "class_names": ["sour", "sweet"],
        "training_rows": frame,
        "training_labels": labels,
        "live_rows": frame,
        "live_labels": labels,
    }
    trained = trained_from_returned(returned, "pipeline", Path("train.py"))
    packaged = package_trained("fruit", trained, folder / "project")
    directory = folder / "model"
    directory.mkdir()
    for name, content in files_from_archive(packaged.artifact.archive.read_bytes(), "it").items():
        (directory / name).write_bytes(content)
    return MixedModel(directory=directory, frame=frame, estimator=estimator)
