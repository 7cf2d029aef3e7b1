"""A decoded body: what the model is fed, and what the answer has to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import orjson

from .features import Schema, inputs_from_rows
from .model import Inputs


class Form(StrEnum):
    """The word a JSON body has for its rows; it decides the form of the answer."""

    INSTANCES = "instances"
    FEATURES = "features"


class Request:
    """Rows that the model takes. A plain class, as one is made for every request.

    Args:
        form: how the answer is to look
        rows: the rows as the client gave them, None for a missing value
        explain: whether the answer is to explain itself
        is_plain: whether all values are finite numbers, in a model of one tensor of floats
        packed: the rows as float32 bytes in C order, where the model takes them and the kernel
            made them
        text: plain rows as the client's own JSON text, with brackets and blanks; left out, they
            are written again
        inputs: what the model is fed; left out, it is made of `packed` or of the rows
    """

    __slots__ = ("_inputs", "_schema", "_text", "explain", "form", "is_plain", "packed", "rows")

    def __init__(
        self,
        form: Form,
        rows: Sequence[Sequence[Any]],
        schema: Schema,
        *,
        explain: bool = False,
        is_plain: bool = False,
        packed: bytes | None = None,
        text: bytes | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        self.form = form
        self.rows = rows
        self.explain = explain
        self.is_plain = is_plain
        self.packed = packed
        self._schema = schema
        self._text = text
        self._inputs = inputs

    @property
    def inputs(self) -> Inputs:
        """What the model is fed: per input its rows, shape (rows, features of that input)."""
        if self._inputs is None:
            if self.packed is None:
                self._inputs = inputs_from_rows(self.rows, self._schema)
            else:
                shape = (len(self.rows), len(self._schema.rules))
                matrix = np.ndarray(shape, np.float32, self.packed)
                self._inputs = {self._schema.manifest.inputs[0].name: matrix}
        return self._inputs

    @property
    def text(self) -> bytes:
        """Plain rows as JSON."""
        if self._text is None:
            self._text = orjson.dumps(self.rows)
        return self._text
