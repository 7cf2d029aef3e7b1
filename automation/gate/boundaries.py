"""Finds the thresholds of an estimator from outside: rows between which its answer changes.

A way leads from a training row to the same row with one number at its other end. Where the two are
answered differently the way is halved, towards the greater change, until two neighbouring float64
numbers remain. What is found is a threshold inside the estimator or a change of the label; where
the answer only grew steadily, the difference vanishes on the way and nothing is found.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automation.gate.answers import PROBABILITY_TOLERANCE, sklearn_answers
from automation.gate.features import Feature, FeatureType, Rows
from automation.gate.training import TrainedModel

Doubles = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int64]
SEED = 42
WAYS = 32
PLAIN_HALVINGS = 40
LONGEST_WAY = PLAIN_HALVINGS + 65  # halving the float64 numbers themselves ends after 64
BESIDE = 1e-9  # of a value: how near to a threshold every graph has to answer right


def boundary_rows(trained: TrainedModel, features: tuple[Feature, ...]) -> tuple[Rows, Rows]:
    """Look for thresholds on a few ways along every number.

    Returns:
        rows a little (`BESIDE`) before and behind each threshold; the rows next to it.
    """
    numbers = [i for i, feature in enumerate(features) if feature.type is FeatureType.NUMBER]
    nothing = trained.training_rows[:0]
    if not numbers:
        return nothing, nothing
    moved = np.array([numbers[way % len(numbers)] for way in range(WAYS)])
    low, high = _ends(trained, moved)
    is_jump = _walk(trained, low, high, moved)
    ways = np.flatnonzero(is_jump)
    left, right = _cells(low, moved)[ways], _cells(high, moved)[ways]
    step = BESIDE * np.maximum(np.maximum(np.abs(left), np.abs(right)), _span(trained, moved)[ways])
    before, behind = low[ways], high[ways]
    places = np.arange(len(ways)), moved[ways]
    before[places], behind[places] = left - step, right + step
    return np.concatenate([before, behind]), np.concatenate([low[ways], high[ways]])


def _walk(trained: TrainedModel, low: Rows, high: Rows, moved: Indexes) -> npt.NDArray[np.bool_]:
    """Halve every way, in place; tell which ended between two numbers answered differently."""
    at_low, at_high = _scores(trained, low), _scores(trained, high)
    for step in range(LONGEST_WAY):
        left, right = _cells(low, moved), _cells(high, moved)
        values = (_middle if step < PLAIN_HALVINGS else _middle_number)(left, right)
        is_open = _gap(at_low, at_high) > PROBABILITY_TOLERANCE
        active = np.flatnonzero(is_open & (values != left) & (values != right))
        if not len(active):
            break
        middle = low[active]
        middle[np.arange(len(active)), moved[active]] = values[active]
        at_middle = _scores(trained, middle)
        # A row that is not answered (an encoder is in the way) ends its way.
        is_answered = ~np.isnan(at_middle).any(axis=1)
        at_low[active[~is_answered]] = at_high[active[~is_answered]] = np.nan
        goes_up = _gap(at_middle, at_low[active]) < _gap(at_middle, at_high[active])
        up, down = is_answered & goes_up, is_answered & ~goes_up
        low[active[up]], at_low[active[up]] = middle[up], at_middle[up]
        high[active[down]], at_high[active[down]] = middle[down], at_middle[down]
    ended: npt.NDArray[np.bool_] = _gap(at_low, at_high) > PROBABILITY_TOLERANCE
    ended &= np.nextafter(_cells(low, moved), _cells(high, moved)) == _cells(high, moved)
    return ended


def _ends(trained: TrainedModel, moved: Indexes) -> tuple[Rows, Rows]:
    """Start each way from a training row, with one value at its least and at its greatest."""
    rng = np.random.default_rng(SEED)
    low = trained.training_rows[rng.integers(0, len(trained.training_rows), len(moved))]
    high = low.copy()
    for way, position in enumerate(moved):
        numbers = finite_numbers(trained.training_rows[:, position])
        least, greatest = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 1.0)
        low[way, position], high[way, position] = float(least), float(greatest)
    return low, high


def _scores(trained: TrainedModel, rows: Rows) -> Doubles:
    """Give what an answer consists of as numbers; NaN for a row that is not answered."""
    answers = sklearn_answers(trained, rows)
    if not answers.is_answered.any():
        return np.full((len(rows), 1), np.nan)
    labels = answers.labels.reshape(len(answers.labels), -1).astype(np.float64)
    found = np.concatenate([labels, *answers.probabilities], axis=1)
    scores = np.full((len(rows), found.shape[1]), np.nan)
    scores[answers.is_answered] = found
    return scores


def _gap(left: Doubles, right: Doubles) -> Doubles:
    """Tell how far answers are apart, (rows,); 0 where one of them is none."""
    if left.shape != right.shape:
        return np.zeros(len(left))
    scale = np.maximum(1.0, np.maximum(np.abs(left), np.abs(right)))
    gap: Doubles = np.nan_to_num(np.abs(left - right) / scale).max(axis=1)
    return gap


def _middle(left: Doubles, right: Doubles) -> Doubles:
    return left + (right - left) / 2


def _middle_number(left: Doubles, right: Doubles) -> Doubles:
    """Give the number with as many float64 numbers on its left as on its right."""
    low, high = _rank(left), _rank(right)
    middle = low + (high - low) // 2
    return _mirrored(middle).view(np.float64)


def _rank(numbers: Doubles) -> Indexes:
    return _mirrored(np.ascontiguousarray(numbers + 0.0).view(np.int64))


def _mirrored(bits: Indexes) -> Indexes:
    """Order the bit patterns of negative numbers as the numbers are; its own inverse."""
    mirrored: Indexes = np.where(bits < 0, np.int64(-(2**63)) - bits, bits)
    return mirrored


def _cells(rows: Rows, moved: Indexes) -> Doubles:
    cells: Doubles = rows[np.arange(len(moved)), moved].astype(np.float64)
    return cells


def _span(trained: TrainedModel, moved: Indexes) -> Doubles:
    columns = [finite_numbers(trained.training_rows[:, position]) for position in moved]
    return np.array([float(np.ptp(column)) if len(column) else 0.0 for column in columns])


def finite_numbers(column: npt.NDArray[np.float64]) -> Doubles:
    """List a column's numbers without what is missing."""
    numbers = np.array([np.nan if cell is None else cell for cell in column], dtype=np.float64)
    return numbers[np.isfinite(numbers)]
