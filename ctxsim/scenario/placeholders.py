"""Placeholders in a scenario's texts: which there are, and whether they can be filled in.

`{canary}`, `{user.canary}`, `{user.VAR}`, `{STEP.canary}` and `{STEP.CAPTURE}` are placeholders;
`{n}` is one within `users.vars` alone. A brace is a brace otherwise: only `{word}` and
`{word.word}` have the shape of a placeholder (letters, digits, `_`, `-`), so `{"a": 1}` passes, and
`{{` stays as it is. There is no way to send a text of that shape literally, since a mistyped
placeholder looks just like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ctxsim.errors import Problem
from ctxsim.scenario import nodes
from ctxsim.scenario.nodes import Node, Place, Scalar
from ctxsim.scenario.problems import at
from ctxsim.scenario.words import did_you_mean

SHAPE = re.compile(r"\{([\w-]+(?:\.[\w-]+)?)\}")


@dataclass(frozen=True, slots=True)
class Known:
    """What a step's texts may refer to: the users' variables, and the steps before it.

    `captured` are the values of their answers, as `STEP.NAME`.
    """

    variables: Mapping[str, str]
    steps: frozenset[str] = frozenset()
    captured: frozenset[str] = frozenset()

    @property
    def words(self) -> tuple[str, ...]:
        variables = (f"user.{each}" for each in sorted(self.variables))
        steps = (f"{each}.canary" for each in sorted(self.steps))
        return ("canary", "user.canary", *variables, *steps, *sorted(self.captured))

    def is_number(self, text: str) -> bool:
        """Whether a user's version of `text` has no letter: canaries have, numbers have not."""
        filled = SHAPE.sub(self._filled, text)
        return not any(each.isalpha() for each in filled.replace("{n}", "0"))

    def _filled(self, found: re.Match[str]) -> str:
        word = found[1]
        is_canary = word.endswith("canary")
        return word if is_canary else self.variables.get(word.removeprefix("user."), word)

    def tell_users_apart(self, text: str) -> bool:
        """Whether two users' versions of `text` differ."""
        found = SHAPE.findall(text)
        return any(
            word.endswith("canary") or "{n}" in self.variables.get(word.removeprefix("user."), "")
            for word in found
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """The file's text, to find where exactly a word of it is written."""

    text: str

    def place_of(self, piece: str, within: Place) -> Place:
        """Where `piece` is written inside of a value; the value itself where an escape hides it."""
        start = self.text.find(piece, within.start, within.end)
        if start < 0:
            return within
        before = nodes.lines_of(self.text[within.start : start])
        first = within.column if len(before) == 1 else 1
        line = within.line + len(before) - 1
        return Place(line, first + len(before[-1]), len(piece), start, start + len(piece))


def in_variables(value: Scalar, source: Lines) -> Iterator[Problem]:
    """Problems of one text under `users.vars`."""
    for word in SHAPE.findall(value.text):
        if word != "n":
            yield at(
                source.place_of(f"{{{word}}}", value.place),
                f"unknown placeholder '{{{word}}}'; a variable can hold only {{n}}",
                "write {n}, the user's number",
            )


def in_value(node: Node, known: Known, source: Lines) -> Iterator[Problem]:
    """Problems of the texts in a value, however deep; keys are texts too, since they are sent."""
    if isinstance(node, Scalar):
        yield from _in_text(node.text, node.place, known, source)
    elif isinstance(node, nodes.Sequence):
        for item in node.items:
            yield from in_value(item, known, source)
    else:
        for key, value in node.values.items():
            yield from _in_text(key, node.keys[key], known, source)
            yield from in_value(value, known, source)


def _in_text(text: str, place: Place, known: Known, source: Lines) -> Iterator[Problem]:
    for word in SHAPE.findall(text):
        if word not in known.words:
            message, hint = _unknown(word, known)
            yield at(source.place_of(f"{{{word}}}", place), message, hint)


def _unknown(word: str, known: Known) -> tuple[str, str]:
    first, _, second = word.partition(".")
    if word == "n":
        return "'{n}' stands for the user's number within users.vars only", (
            'declare  users: {vars: {name: "user{n}"}}  and write {user.name}'
        )
    if first == "user" and second:
        return f"'{{{word}}}' is not declared in users.vars", (
            _meant(word, known.words) or f'add  users: {{vars: {{{second}: "{second}{{n}}"}}}}'
        )
    if second == "canary":
        return f"'{{{word}}}' names no earlier step of this flow", (
            _meant(word, (f"{each}.canary" for each in known.steps))
            or f"name the earlier step with  as: {first}"
        )
    if first in known.steps:
        of_step = [each for each in known.captured if each.startswith(f"{first}.")]
        there_are = "its canary and what it captures"
        return f"unknown placeholder '{{{word}}}'; of a step there is {there_are}", (
            _meant(word, of_step)
            or f"write {{{first}.canary}}, or say there  captures: {{{second}: {{json: {second}}}}}"
        )
    there_are = ", ".join(f"{{{each}}}" for each in known.words)
    return f"unknown placeholder '{{{word}}}'", _meant(
        word, known.words
    ) or f"there are {there_are}"


def _meant(word: str, known: Iterable[str]) -> str | None:
    hint = did_you_mean(word, known)
    return hint.replace("'", "'{", 1).replace("'?", "}'?") if hint else None
