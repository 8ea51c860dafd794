"""Whose a text is: canaries, and the texts that the scenario says belong to one user (`mine`)."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from ctxsim.cell import canaries
from ctxsim.cell.plan import Plan

_USER_VARIABLE = re.compile(r"\{user\.([\w-]+)\}")
# The ends of a word: also letters beyond ASCII count, which in bytes are those above 0x7f.
_NOT_BEFORE, _NOT_AFTER = rb"(?<![\w\x80-\xff])", rb"(?![\w\x80-\xff])"
_DEPTH = 4
_ITEMS = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """One text that tells whose it is.

    `request` is 0 where it names a user, not a request; `process` is None for a text that is no
    canary. A torn canary is a mixture of several, whose origin cannot be told.
    """

    text: str
    user: int
    request: int
    process: int | None = None
    torn: bool = False


class Marks:
    """Finds marks in bytes, texts and objects."""

    def __init__(self, plan: Plan, users: int) -> None:
        self._users = users
        self._scanner = canaries.Scanner(plan.run)
        self._mine = [_MineText(text, plan) for text in _mine_texts(plan)]

    def only_own(self, data: bytes, canary: str) -> bool:
        """Whether `data` holds `canary` and no other mark; the quick answer to the usual case."""
        return self._scanner.only(data, canary) and not any(
            mine.may_be_in(data) for mine in self._mine
        )

    def in_bytes(self, data: bytes) -> list[Mark]:
        """The marks in what went over the wire; a canary may also be inside base64."""
        found = self._scanner.in_bytes(data)
        if not found and not self._mine:
            return []
        return [*map(_mark, found), *self._of_users(data)]

    def in_object(self, thing: object) -> list[Mark]:
        """The marks in a value of the process: text, containers of such, attributes of objects."""
        found: list[Mark] = []
        for text in _texts(thing, _DEPTH, [_ITEMS], set()):
            if isinstance(text, str):
                found += map(_mark, self._scanner.in_text(text))
                text = text.encode(errors="replace") if self._mine else b""
            else:
                found += map(_mark, self._scanner.in_bytes(text))
            found += self._of_users(text)
        return found

    def _of_users(self, data: bytes) -> Iterator[Mark]:
        for mine in self._mine:
            if not mine.may_be_in(data):
                continue
            for match in mine.pattern.finditer(data):
                number = int(next(group for group in match.groups() if group))
                if number <= self._users:
                    yield Mark(match[0].decode(errors="replace"), number, 0)


def _mark(canary: str) -> Mark:
    origin = canaries.read(canary)
    if origin is None:
        return Mark(canary, 0, 0, torn=True)
    return Mark(canary, origin.user, origin.request, origin.process)


def _mine_texts(plan: Plan) -> list[str]:
    texts = (text for step in plan.steps for text in step.mine)
    # A text of canaries alone needs no pattern of its own.
    return sorted({text for text in texts if "{n}" in _variables_in(text, plan)})


def _variables_in(text: str, plan: Plan) -> str:
    values = dict(plan.users.vars)
    return _USER_VARIABLE.sub(lambda found: values.get(found[1], ""), text)


class _MineText:
    """Finds one `mine` text of any user, as a whole word, and captures the user's number.

    One pattern instead of a table of all users' texts: it scans in one pass however many there are.
    """

    def __init__(self, text: str, plan: Plan) -> None:
        whole = _variables_in(text, plan)
        forms = {coded(whole) for coded in (str, html.escape, quote, quote_plus, _in_json)}
        self.pattern = re.compile(b"|".join(_one_form(form) for form in sorted(forms)))
        # The longest piece of each form: where none of them is, the pattern need not be tried.
        self._pieces = tuple({max(_pieces(form), key=len).encode() for form in forms})

    def may_be_in(self, data: bytes) -> bool:
        return any(piece in data for piece in self._pieces)


def _pieces(form: str) -> list[str]:
    """The text between the places of the number."""
    return re.split(r"\{n\}|%7Bn%7D", form)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _one_form(form: str) -> bytes:
    # The braces of {n} are coded as any other text is.
    literal = [re.escape(part.encode()) for part in _pieces(form)]
    numbered = literal[0] + rb"([1-9]\d{0,4})" + literal[1]
    # The same number stands wherever {n} does; it is read off the first.
    for part in literal[2:]:
        numbered += rb"\d+" + part
    return _NOT_BEFORE + numbered + _NOT_AFTER


def _texts(thing: Any, depth: int, left: list[int], seen: set[int]) -> Iterator[str | bytes]:
    """The texts inside an object: bounded in depth and number, and running no code of its own."""
    # By `type`, never by isinstance: a lazy object is evaluated by asking for its `__class__`, and
    # a proxy or a mock passes for what it is not.
    kind = type(thing)
    if issubclass(kind, str):
        yield str.__str__(thing)
    elif issubclass(kind, bytes):
        yield bytes.__getitem__(thing, slice(None))
    elif depth and left[0] > 0 and not issubclass(kind, _PLAIN) and id(thing) not in seen:
        seen.add(id(thing))
        for part in _parts(thing):
            left[0] -= 1
            yield from _texts(part, depth - 1, left, seen)


_PLAIN = (int, float, complex, type(None), type, type(sys), type(_mark), type(len))


_CONTAINERS: tuple[tuple[type, Callable[[Any], Iterable[object]]], ...] = (
    (dict, lambda d: [part for pair in list(dict.items(d))[:_ITEMS] for part in pair]),
    (list, lambda each: list.__getitem__(each, slice(_ITEMS))),
    (tuple, lambda each: tuple.__getitem__(each, slice(_ITEMS))),
    (set, lambda each: list(set.copy(each))[:_ITEMS]),
    (frozenset, lambda each: list(frozenset.copy(each))[:_ITEMS]),
    (bytearray, lambda each: [bytes(each)]),
)


def _parts(thing: Any) -> Iterable[object]:
    # Exact methods of the builtin types: a subclass's own iteration may do anything, and a session
    # would count as accessed.
    for kind, parts in _CONTAINERS:
        if issubclass(type(thing), kind):
            return parts(thing)
    try:
        attributes = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return ()
    return list(dict.values(attributes))[:_ITEMS] if issubclass(type(attributes), dict) else ()
