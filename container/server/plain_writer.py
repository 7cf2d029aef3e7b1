"""Writes the answers of models with one output as JSON text, put together from ready pieces.

Half of a small request's time would else go into formatting. A forest answers the same few
probabilities again and again, so what is written of them is remembered; the features are echoed in
the client's own text. What is written is what `answers` says, which is the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson

from .answers import classification
from .manifest import Manifest, Task
from .model import Prediction

LARGEST_MEMO_BYTES = 512 * 1024
ENTRY_BYTES = 250
"""About what Python itself takes for an entry of the memo: key, value and slot."""
NOT_OF_A_NUMBER = b"[]} \t\r\n"
OPENING, CLOSING = b'{"predictions":[', b"]}"
ECHO = b',"input_features":{'

Weave = Callable[[list[bytes], tuple[bytes, ...], bytes, bytes], bytes]
"""The kernel's own way to put many answers together; see its documentation."""

Key = bytes | tuple[int, bytes]
"""Probabilities as bytes, of which the first greatest is the class predicted; or with its index."""


class Heads(dict[Key, bytes]):
    """What answers begin with, by what was predicted; remembers no more once it is full.

    A model that fills it hardly ever answers the same twice; forgetting would only cost time.

    Args:
        classes: names of the classes, none for a regressor
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self._count = len(classes)
        self._bytes = 0
        alone = [
            _written(classification(classes, index, None))[:-1] for index in range(len(classes))
        ]
        numbers = b",".join(b"%b:%%b" % name for name in _names(classes))
        self._alone = [each + ECHO for each in alone]
        self._templates = [
            each.replace(b"%", b"%%")
            + b',"confidence":%b,"probabilities":{'
            + numbers
            + b"}"
            + ECHO
            for each in alone
        ]

    @property
    def is_full(self) -> bool:
        """Whether nothing more is remembered."""
        return self._bytes > LARGEST_MEMO_BYTES

    def __missing__(self, key: Key) -> bytes:
        if isinstance(key, bytes):
            raw, probabilities = key, np.frombuffer(key)
            [head] = self.fresh([int(probabilities.argmax())], probabilities)
        else:
            index, raw = key
            type_ = np.float32 if len(raw) == 4 * self._count else np.float64
            [head] = self.fresh([index], np.frombuffer(raw, type_) if raw else None)
        if not self.is_full:
            self._bytes += len(head) + len(raw) + ENTRY_BYTES
            self[key] = head
        return head

    def fresh(self, indexes: Sequence[int], probabilities: Any) -> list[bytes]:
        """Write what answers begin with.

        Args:
            indexes: of the classes predicted
            probabilities: float32 or float64, of all rows one after another; or None
        """
        if probabilities is None:
            return [self._alone[index] for index in indexes]
        count, templates = self._count, self._templates
        numbers = _written(probabilities)[1:-1].split(b",")
        return [
            templates[index] % (numbers[at + index], *numbers[at : at + count])
            for index, at in zip(indexes, range(0, len(numbers), count), strict=True)
        ]


class PlainWriter:
    """Writes one model's answers to rows of plain numbers; safe to use from several threads.

    Args:
        manifest: of a model with one output and features that are all numbers
        weave: of the kernel; None where it cannot be used
    """

    def __init__(self, manifest: Manifest, weave: Weave | None = None) -> None:
        self._weave = weave
        self._is_regressor = manifest.task is Task.REGRESSION
        self._width = len(manifest.features)
        self._class_count = len(manifest.classes)
        self._heads = Heads(manifest.classes)
        escaped = _names(manifest.feature_names)
        self._template = b"%b" + b",".join(b"%b:%%b" % name for name in escaped) + b"}}"
        echoed = [orjson.dumps(name) + b":" for name in manifest.feature_names]
        names = [echoed[0], *(b"," + name for name in echoed[1:])]
        # What stands before each number of a row, and after its last.
        self.names = (*names, b"}}")

    def written(self, text: bytes, prediction: Prediction, separator: bytes) -> bytes:
        """Write the answers to rows of plain numbers.

        Args:
            text: the rows as JSON: numbers, brackets, commas and blanks
            separator: what comes between two answers
        """
        if self._is_regressor:
            return self._joined(_values(prediction.labels), text, separator)
        heads, probabilities = self._heads, prediction.probabilities
        if heads.is_full and isinstance(probabilities, np.ndarray):
            fresh = heads.fresh(prediction.class_indexes, probabilities.ravel())
            return self._joined(fresh, text, separator)
        return self._joined([heads[key] for key in _keys(prediction)], text, separator)

    def written_of_bytes(self, text: bytes, answer: bytes, separator: bytes) -> bytes:
        """Write the answers of a kernel, which come as float64 numbers in C order.

        Args:
            answer: a classifier's probabilities, of which it predicts the first greatest one, or a
                regressor's values
        """
        return self._joined(self.heads_of_bytes(answer), text, separator)

    def heads_of_bytes(self, answer: bytes) -> list[bytes]:
        """Write what the answers of a kernel begin with; its rows as above."""
        if self._is_regressor:
            return _values(np.frombuffer(answer).tolist())
        size = 8 * self._class_count
        heads = self._heads
        if len(answer) == size:
            return [heads[answer]]
        if heads.is_full:
            probabilities = np.frombuffer(answer)
            indexes = probabilities.reshape(-1, self._class_count).argmax(axis=1).tolist()
            return heads.fresh(indexes, probabilities)
        return list(map(heads.__getitem__, np.frombuffer(answer, dtype=f"V{size}").tolist()))

    def _joined(self, heads: list[bytes], text: bytes, separator: bytes) -> bytes:
        if self._weave is not None:
            return self._weave(heads, self.names, text, separator)
        # Without brackets and blanks, what is left of rows of numbers is one list of them.
        numbers = text.translate(None, NOT_OF_A_NUMBER).split(b",")
        count = len(heads)
        if count == 1:
            return self._template % (heads[0], *numbers)
        width = self._width + 1
        cells: list[bytes] = [b""] * (count * width)
        cells[::width] = heads
        for column in range(self._width):
            cells[column + 1 :: width] = numbers[column :: self._width]
        template = (self._template + separator) * (count - 1) + self._template
        return template % tuple(cells)


def _names(names: Sequence[str]) -> list[bytes]:
    """Write names as JSON, to be put into a template."""
    return [orjson.dumps(name).replace(b"%", b"%%") for name in names]


def _written(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _values(labels: Sequence[float]) -> list[bytes]:
    numbers = orjson.dumps(labels)[1:-1].split(b",")
    return [b'{"predicted_value":%b%b' % (number, ECHO) for number in numbers]


def _keys(prediction: Prediction) -> list[tuple[int, bytes]]:
    indexes: list[int] = prediction.class_indexes
    probabilities: Any = prediction.probabilities
    if probabilities is None:
        return [(index, b"") for index in indexes]
    if len(indexes) == 1:
        return [(indexes[0], probabilities.tobytes())]
    # Rows as bytes: NumPy's void type is the one that keeps trailing zeros.
    size = probabilities.itemsize * probabilities.shape[1]
    raw = np.ascontiguousarray(probabilities).view(f"V{size}").ravel().tolist()
    return list(zip(indexes, raw, strict=True))
