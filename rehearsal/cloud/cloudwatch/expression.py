"""Metric math: an expression over series, read by recursive descent and evaluated; pure.

A value is a number, a series (a mapping of period start to number) or a list of series.

Source: CloudWatch User Guide, "Using math expressions with CloudWatch metrics", read 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rehearsal.cloud.cloudwatch.functions import (
    FUNCTIONS,
    BadExpression,
    Context,
    Value,
    combine,
    negate,
)

TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_][A-Za-z0-9_]*)"
    r"|(==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]])|[\"']([^\"']*)[\"'])"
)
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
MAXIMUM_DEPTH = 40

__all__ = ["BadExpression", "Context", "Value", "evaluate_expression", "ids_in"]


def evaluate_expression(text: str, values: Mapping[str, Value], context: Context) -> Value:
    """Return what an expression comes to.

    Args:
        values: by the id of its query; METRICS() takes those that are no expression
        context: the periods the answer is for

    Raises:
        BadExpression: it can't be read, names an unknown id, or uses what isn't rehearsed
    """
    reader = _Reader(text, values, context)
    value = reader.disjunction()
    reader.expect_end()
    return value


def ids_in(text: str) -> list[str]:
    """Return the ids an expression names, in order; functions are upper case."""
    words = [match[2] for match in _words(text) if match[2] is not None]
    return [word for word in words if word[0].islower()]


def _words(text: str) -> list[re.Match[str]]:
    found, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = TOKEN.match(stripped, position)
        if match is None:
            raise BadExpression(f"Error in expression: unexpected {stripped[position:][:10]!r}")
        found.append(match)
        position = match.end()
    return found


class _Reader:
    """Evaluates while it reads: lowest precedence first."""

    def __init__(self, text: str, values: Mapping[str, Value], context: Context) -> None:
        self._text, self._values, self._context = text, values, context
        self._tokens = _words(text)
        self._place = 0
        self._depth = 0

    def disjunction(self) -> Value:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise BadExpression(f"expression {self._text[:40]} is nested too deeply")
        value = self._chain(self._conjunction, ("OR", "||"))
        self._depth -= 1
        return value

    def expect_end(self) -> None:
        if self._peek() is not None:
            raise BadExpression(f"Error in expression '{self._text}': unexpected {self._peek()}")

    def _conjunction(self) -> Value:
        return self._chain(self._comparison, ("AND", "&&"))

    def _comparison(self) -> Value:
        return self._chain(self._sum, COMPARISONS)

    def _sum(self) -> Value:
        return self._chain(self._product, ("+", "-"))

    def _product(self) -> Value:
        return self._chain(self._power, ("*", "/"))

    def _power(self) -> Value:
        return self._chain(self._unary, ("^",))

    def _chain(self, part: object, operators: Sequence[str]) -> Value:
        assert callable(part)
        value: Value = part()
        while self._peek() in operators:
            operator = self._take()
            value = combine(operator, value, part())
        return value

    def _unary(self) -> Value:
        signs = 0
        while self._peek() == "-":
            self._take()
            signs += 1
        value = self._operand()
        return negate(value) if signs % 2 else value

    def _operand(self) -> Value:
        match = self._token()
        self._place += 1
        number, word, mark, quoted = match[1], match[2], match[3], match[4]
        if number is not None:
            return float(number)
        if quoted is not None:
            return quoted
        if mark == "(":
            value = self.disjunction()
            self._take(")")
            return value
        if mark == "[":
            return self._series_list()
        if word is not None and self._peek() == "(":
            return self._call(word)
        if word in ("REPEAT", "LINEAR"):
            return str(word)
        if word in self._values:
            return self._values[word]
        raise BadExpression(f"Error in expression '{self._text}': {word or mark} is not a query id")

    def _series_list(self) -> Value:
        values = self._arguments("]")
        flat: list[Mapping[float, float]] = []
        for value in values:
            if isinstance(value, list):
                flat.extend(value)
            elif isinstance(value, Mapping):
                flat.append(value)
            else:
                raise BadExpression("a list holds time series only")
        return flat

    def _call(self, name: str) -> Value:
        self._take("(")
        arguments = self._arguments(")")
        function = FUNCTIONS.get(name)
        if function is None:
            raise BadExpression(
                f"the rehearsal cloud does not do {name} in metric math; it does "
                f"{', '.join(sorted(FUNCTIONS))}"
            )
        return function(arguments, self._context)

    def _arguments(self, end: str) -> list[Value]:
        found: list[Value] = []
        while self._peek() != end:
            if found:
                self._take(",")
            found.append(self.disjunction())
        self._take(end)
        return found

    def _token(self) -> re.Match[str]:
        if self._place >= len(self._tokens):
            raise BadExpression(f"Error in expression '{self._text}': it ends too early")
        return self._tokens[self._place]

    def _peek(self) -> str | None:
        if self._place >= len(self._tokens):
            return None
        match = self._tokens[self._place]
        return match[3] if match[3] is not None else match[2]

    def _take(self, wanted: str | None = None) -> str:
        match = self._token()
        word = match[0].strip()
        if wanted is not None and word != wanted:
            raise BadExpression(f"Error in expression '{self._text}': {word} instead of {wanted}")
        self._place += 1
        return word
