"""The rows on which a converted model has to answer as scikit-learn does.

Rows a model was fitted on and rows drawn at random miss what goes wrong in a conversion: a value
beside a threshold. So thresholds are looked for: in trees they are read; in all other estimators
they are found by halving the way between two rows that are answered differently, until two
neighbouring float64 numbers remain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automation.answers import PROBABILITY_TOLERANCE, Answers, sklearn_answers
from automation.features import Feature, FeatureType, Rows, known_texts
from automation.training import TrainedModel
from automation.tree_ensemble import Tree, histogram_trees, trees_of

RANDOM_ROWS = 256
RANDOM_SEED = 42
MOST_GIVEN_ROWS = 10_000
MOST_THRESHOLDS = 128
WAYS = 32
PLAIN_HALVINGS = 40
LONGEST_WAY = PLAIN_HALVINGS + 65  # halving the float64 numbers themselves ends after 64
BESIDE = 1e-9  # of a value: how near to a threshold every graph has to answer right
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
        beside, edges = _boundary_rows(trained, features)
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
            numbers = _numbers(column)
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
    if hasattr(trained.estimator, "_predictors"):
        try:
            return list(histogram_trees(trained.estimator))
        except NotImplementedError:
            return None
    return trees_of(trained.estimator)


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


def _boundary_rows(trained: TrainedModel, features: tuple[Feature, ...]) -> tuple[Rows, Rows]:
    """Find thresholds by halving ways on which one number of a row grows.

    Returns:
        rows a little (`BESIDE`) before and behind each threshold, and the rows at it.
    """
    numbers = [i for i, feature in enumerate(features) if feature.type is FeatureType.NUMBER]
    nothing = trained.training_rows[:0]
    if not numbers:
        return nothing, nothing
    moved = np.array([numbers[way % len(numbers)] for way in range(WAYS)])
    low, high = _ends(trained, moved)
    at_low, at_high = _scores(trained, low), _scores(trained, high)
    open_ways = _gap(at_low, at_high) > PROBABILITY_TOLERANCE
    rows = np.arange(WAYS)
    for step in range(LONGEST_WAY):
        if not open_ways.any():
            break
        middle = low.copy()
        halve = _middle if step < PLAIN_HALVINGS else _middle_number
        values = halve(_cells(low, rows, moved), _cells(high, rows, moved))
        middle[rows, moved] = values
        open_ways &= (values != low[rows, moved]) & (values != high[rows, moved])
        active = np.flatnonzero(open_ways)
        if not len(active):
            break
        at_middle = _scores(trained, middle[active])
        goes_up = _gap(at_middle, at_low[active]) < _gap(at_middle, at_high[active])
        up, down = active[goes_up], active[~goes_up]
        low[up], at_low[up] = middle[up], at_middle[goes_up]
        high[down], at_high[down] = middle[down], at_middle[~goes_up]
    return _around(trained, low, high, moved, at_low, at_high)


def _around(
    trained: TrainedModel,
    low: Rows,
    high: Rows,
    moved: npt.NDArray[np.int64],
    at_low: npt.NDArray[np.float64],
    at_high: npt.NDArray[np.float64],
) -> tuple[Rows, Rows]:
    rows = np.arange(len(moved))
    left, right = _cells(low, rows, moved), _cells(high, rows, moved)
    is_jump = _gap(at_low, at_high) > PROBABILITY_TOLERANCE
    is_jump &= np.nextafter(left, right) == right
    step = BESIDE * np.maximum(np.maximum(np.abs(left), np.abs(right)), _span(trained, moved))
    before, behind = low.copy(), high.copy()
    before[rows, moved], behind[rows, moved] = left - step, right + step
    beside = np.concatenate([before[is_jump], behind[is_jump]])
    return beside, np.concatenate([low[is_jump], high[is_jump]])


def _ends(trained: TrainedModel, moved: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Start each way from a training row, with one value at its least and at its greatest."""
    rng = np.random.default_rng(RANDOM_SEED)
    base = trained.training_rows[rng.integers(0, len(trained.training_rows), len(moved))].copy()
    low, high = base, base.copy()
    for way, position in enumerate(moved):
        numbers = _numbers(trained.training_rows[:, position])
        least, greatest = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 1.0)
        low[way, position], high[way, position] = float(least), float(greatest)
    return low, high


def _scores(trained: TrainedModel, rows: Rows) -> npt.NDArray[np.float64]:
    """Give what an answer consists of as numbers; NaN for a row that is not answered."""
    answers: Answers = sklearn_answers(trained, rows)
    if not answers.is_answered.any():
        return np.full((len(rows), 1), np.nan)
    labels = answers.labels.reshape(len(answers.labels), -1).astype(np.float64)
    found = np.concatenate([labels, *answers.probabilities], axis=1)
    scores = np.full((len(rows), found.shape[1]), np.nan)
    scores[answers.is_answered] = found
    return scores


def _gap(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Tell how far answers are apart, (rows,); 0 where one of them is none."""
    if left.shape != right.shape:
        return np.zeros(len(left))
    scale = np.maximum(1.0, np.maximum(np.abs(left), np.abs(right)))
    gap: npt.NDArray[np.float64] = np.nan_to_num(np.abs(left - right) / scale).max(axis=1)
    return gap


def _middle(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return (left + (right - left) / 2).astype(np.float64)


def _middle_number(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Give the number with as many float64 numbers on its left as on its right."""
    low, high = _rank(left), _rank(right)
    middle = low + (high - low) // 2
    bits = np.where(middle < 0, np.int64(-(2**63)) - middle, middle)
    return bits.view(np.float64)


def _rank(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    bits = np.ascontiguousarray(numbers + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _cells(
    rows: Rows, index: npt.NDArray[np.int64], moved: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    cells: npt.NDArray[np.float64] = rows[index, moved].astype(np.float64)
    return cells


def _span(trained: TrainedModel, moved: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    spans = []
    for position in moved:
        numbers = _numbers(trained.training_rows[:, position])
        spans.append(float(numbers.max() - numbers.min()) if len(numbers) else 0.0)
    return np.array(spans)


def _numbers(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    numbers = np.array([np.nan if cell is None else cell for cell in column], dtype=np.float64)
    return numbers[np.isfinite(numbers)]
