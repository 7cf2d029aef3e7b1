"""The rows on which a converted model has to answer as scikit-learn does.

Rows a model was fitted on and rows drawn at random miss what goes wrong in a conversion: a value
beside a threshold. So thresholds are looked for: in trees they are read, in all other estimators
`boundaries` finds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automation.gate.boundaries import boundary_rows, finite_numbers
from automation.gate.features import Feature, FeatureType, Rows, known_texts
from automation.gate.nested_estimators import unwrapped
from automation.gate.training import TrainedModel
from automation.gate.tree_ensemble import Tree, histogram_trees, trees_of

RANDOM_ROWS = 256
RANDOM_SEED = 42
MOST_GIVEN_ROWS = 10_000
MOST_THRESHOLDS = 128
UNKNOWN_TEXT = "a text of no training row"
ROWS_WITHOUT_A_VALUE = 4


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Rows to compare on.

    Args:
        rows: every graph has to answer these as scikit-learn does.
        edges: rows whose value is the last before a threshold, or the first behind it; a graph of
            trees answers these right too, arithmetic in another order may not.
    """

    rows: Rows
    edges: Rows


def trial_for(trained: TrainedModel, features: tuple[Feature, ...]) -> Trial:
    """Choose rows: given, random, with values left out, of every category, beside thresholds."""
    given = [_sample(trained.training_rows), _sample(trained.live_rows)]
    chosen = [*given, random_rows(trained, features), *_gaps(trained, features)]
    chosen += _texts(trained, features)
    trees = _direct_trees(trained)
    if trees is not None:
        chosen.append(_threshold_rows(trained, trees))
        edges = trained.training_rows[:0]
    else:
        beside, edges = boundary_rows(trained, features)
        chosen.append(beside)
    return Trial(rows=np.concatenate(chosen), edges=edges)


def random_rows(trained: TrainedModel, features: tuple[Feature, ...]) -> Rows:
    """Draw rows: numbers between the least and the greatest of training, texts among the known."""
    rng = np.random.default_rng(RANDOM_SEED)
    rows = np.empty((RANDOM_ROWS, len(features)), dtype=trained.training_rows.dtype)
    for position, feature in enumerate(features):
        column = trained.training_rows[:, position]
        draw = rng.random(RANDOM_ROWS)
        if feature.type is FeatureType.NUMBER:
            numbers = finite_numbers(column)
            low, high = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 1.0)
            rows[:, position] = low + draw * (high - low)
            continue
        values: list[bool] | list[str] = [False, True]
        if feature.type is FeatureType.STRING:
            values = list(feature.categories or known_texts(trained.estimator, column))
        rows[:, position] = [values[int(share * len(values))] for share in draw]
    return rows


def _sample(rows: Rows) -> Rows:
    """Take all rows, or as many as are compared, evenly spread."""
    if len(rows) <= MOST_GIVEN_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_GIVEN_ROWS).astype(np.int64)]


def _gaps(trained: TrainedModel, features: tuple[Feature, ...]) -> list[Rows]:
    """Leave each value out of a few rows that may be left out, and all of these at once."""
    allowed = [index for index, feature in enumerate(features) if feature.allows_missing]
    groups = [[index] for index in allowed] + ([allowed] if len(allowed) > 1 else [])
    found = []
    for group in groups:
        rows = trained.training_rows[:ROWS_WITHOUT_A_VALUE].copy()
        rows[:, group] = np.nan if rows.dtype != object else None
        found.append(rows)
    return found


def _texts(trained: TrainedModel, features: tuple[Feature, ...]) -> list[Rows]:
    """Give every text the estimator knows to a row, and one it does not know where it may come."""
    found = []
    for position, feature in enumerate(features):
        if feature.type is not FeatureType.STRING:
            continue
        texts = list(feature.categories or ())
        if feature.categories is None:
            texts = [
                *known_texts(trained.estimator, trained.training_rows[:, position]),
                UNKNOWN_TEXT,
                "",
            ]
        rows = np.repeat(trained.training_rows[:1], len(texts), axis=0)
        rows[:, position] = texts
        found.append(rows)
    return found


def _direct_trees(trained: TrainedModel) -> list[Tree] | None:
    """Read the trees of an estimator that compares the values of the rows themselves."""
    if trained.training_rows.dtype == object:
        return None
    estimator = unwrapped(trained.estimator)
    if hasattr(estimator, "_predictors"):
        try:
            return list(histogram_trees(estimator))
        except NotImplementedError:
            return None
    return trees_of(estimator)


def _threshold_rows(trained: TrainedModel, trees: list[Tree]) -> Rows:
    """Put training rows on thresholds, and next to them as float64 and as float32 see it."""
    pairs = sorted(
        {
            (int(feature), float(threshold))
            for tree in trees
            for feature, threshold, left in zip(
                tree.feature, tree.threshold, tree.left, strict=True
            )
            if left >= 0 and np.isfinite(threshold)
        }
    )
    if not pairs:
        return trained.training_rows[:0]
    spread = np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_THRESHOLDS)).astype(np.int64)
    rows = []
    for count, index in enumerate(np.unique(spread)):
        feature, threshold = pairs[index]
        values = _neighbours(threshold)
        base = trained.training_rows[count % len(trained.training_rows)]
        near = np.repeat(base.reshape(1, -1), len(values), axis=0)
        near[:, feature] = values
        rows.append(near)
    return np.concatenate(rows)


def _neighbours(threshold: float) -> npt.NDArray[np.float64]:
    """List a threshold, its neighbours, and where rounding to float32 goes over to the next."""
    with np.errstate(over="ignore"):
        single = np.float32(threshold)
        below, above = (
            np.nextafter(single, np.float32(-np.inf)),
            np.nextafter(single, np.float32(np.inf)),
        )
    middles = [(float(single) + float(below)) / 2, (float(single) + float(above)) / 2]
    values = [threshold, float(single), float(below), float(above), *middles]
    exact = np.array(values, dtype=np.float64)
    around = np.concatenate([exact, np.nextafter(exact, -np.inf), np.nextafter(exact, np.inf)])
    return np.unique(around[np.isfinite(around) & (np.abs(around) < np.finfo(np.float32).max)])
