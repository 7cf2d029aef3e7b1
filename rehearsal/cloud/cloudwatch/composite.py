"""The rule of a composite alarm: read once, evaluated over the states of other alarms; pure.

Source: botocore PutCompositeAlarm, AlarmRule; CloudWatch User Guide, "Combining alarms". Which of
AND and OR binds tighter isn't documented: AND (assumed). An alarm that isn't there counts as
INSUFFICIENT_DATA (assumed).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
TOKEN = re.compile(r"""\s*(?:([()])|"([^"]*)"|([^\s()"]+))""")

States = Mapping[str, str]
Rule = Callable[[States], bool]


class BadRule(Exception):
    """The rule can't be read; the text says where."""


@dataclass(frozen=True, kw_only=True)
class CompositeRule:
    """A rule that was read, and the names of the alarms it looks at."""

    is_true: Rule
    children: frozenset[str]


def parse_rule(text: str) -> CompositeRule:
    """Read an AlarmRule.

    Raises:
        BadRule: a word that is no part of the rule's language, or none where one has to be
    """
    reader = _Reader(text)
    rule = reader.disjunction()
    if reader.peek() is not None:
        raise BadRule(f"unexpected {reader.peek()} in AlarmRule {text}")
    return CompositeRule(is_true=rule, children=frozenset(reader.children))


def name_from_reference(reference: str) -> str:
    """Return the alarm's name of a name or an ARN."""
    return reference.split(":alarm:", 1)[1] if ":alarm:" in reference else reference


class _Reader:
    """Recursive descent over the rule's words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self._place = 0
        self.children: set[str] = set()
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = TOKEN.match(stripped, position)
            if match is None:
                raise BadRule(f"a quote is not closed in AlarmRule {text}")
            self._words.append(match[1] or (f'"{match[2]}' if match[2] is not None else match[3]))
            position = match.end()

    def peek(self) -> str | None:
        return self._words[self._place] if self._place < len(self._words) else None

    def take(self, wanted: str | None = None) -> str:
        word = self.peek()
        if word is None or (wanted is not None and word != wanted):
            expected = wanted if wanted is not None else "an expression"
            raise BadRule(f"AlarmRule {self._text} has {word or 'its end'} instead of {expected}")
        self._place += 1
        return word

    def disjunction(self) -> Rule:
        rules = [self._conjunction()]
        while self.peek() == "OR":
            self.take()
            rules.append(self._conjunction())
        return lambda states: any(rule(states) for rule in rules)

    def _conjunction(self) -> Rule:
        rules = [self._negation()]
        while self.peek() == "AND":
            self.take()
            rules.append(self._negation())
        return lambda states: all(rule(states) for rule in rules)

    def _negation(self) -> Rule:
        if self.peek() == "NOT":
            self.take()
            rule = self._negation()
            return lambda states: not rule(states)
        return self._operand()

    def _operand(self) -> Rule:
        word = self.take()
        if word == "(":
            rule = self.disjunction()
            self.take(")")
            return rule
        if word in ("TRUE", "FALSE"):
            return lambda states: word == "TRUE"
        if word not in STATES:
            raise BadRule(
                f"{word} is not a function of AlarmRule; use {', '.join(STATES)}, TRUE, FALSE"
            )
        self.take("(")
        name = name_from_reference(self.take().removeprefix('"'))
        self.take(")")
        self.children.add(name)
        return lambda states: states.get(name, "INSUFFICIENT_DATA") == word
