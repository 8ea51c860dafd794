"""Whose a text is: canaries, and the texts that the scenario says belong to one user (`mine`)."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import MemberDescriptorType
from typing import Any

from ctxsim.cell import canaries
from ctxsim.cell.plan import Plan
from ctxsim.cell.witness.mine import MineTexts
from ctxsim.cell.witness.readings import coded_letters

_DEPTH = 4
_ITEMS = 200
# Of one user, where nobody can tell beforehand; and users of another process.
_MOST_REQUESTS = 16**5
_MOST_USERS = 255


@dataclass(frozen=True, slots=True)
class Mark:
    """One text that tells whose it is.

    `request` is 0 where it names a user, not a request; `process` is None for a text that is no
    canary. A torn canary is a mixture of several, whose origin cannot be told. Of one that is cut
    off, no more than the user is known.
    """

    text: str
    user: int
    request: int
    process: int | None = None
    torn: bool = False
    cut: bool = False


class Marks:
    """Finds marks in bytes, texts and objects."""

    def __init__(self, plan: Plan, users: int, latest: Callable[[], int] | None = None) -> None:
        self._users = users
        # The highest number of a request so far, where that is known.
        self._latest = latest or (lambda: _MOST_REQUESTS)
        self._process = plan.process
        # What a search sends, and what is bounded by time alone, nobody can tell beforehand.
        is_known = plan.load.requests is not None and plan.search is None
        self._requests = 16 * _above(plan.load.requests or 0) if is_known else _MOST_REQUESTS
        self._scanner = canaries.Scanner(plan.run)
        self._mine = MineTexts(plan)
        self._has_mine = not self._mine.is_empty

    def expect(self, users: int) -> None:
        """So many users there are from now on."""
        self._users = users

    def beside(self, data: bytes, own: str) -> tuple[list[Mark], bool]:
        """The marks in what went over the wire but for the canary `own`; whether that is there.

        Its beginning is no mark either. Other canaries may be cut off, as by a template.
        """
        found = self._scanner.whole_or_cut(data)
        coded = coded_letters(data)
        for text in coded:
            found += self._scanner.whole_or_cut(text.encode(errors="replace"))
        marks: list[Mark] = []
        # Most pages hold the request's own canary alone.
        if found and found != [own]:
            others = (each for each in dict.fromkeys(found) if not own.startswith(each))
            marks = [mark for each in others if self._can_be(mark := _mark(each))]
        if self._has_mine and (of_users := self._mine.in_bytes(data, coded)):
            # Once each, in however many readings.
            marks += dict.fromkeys(self._of_users(of_users))
        return marks, own in found

    def has_only(self, data: bytes, own: str, user: int) -> bool:
        """Whether `data` holds nothing that tells of anybody but `own` and texts of one user.

        Nor what may do so one day, when there are more users or requests.
        """
        if any(each != own for each in self._scanner.whole_or_cut(data)) or coded_letters(data):
            return False
        return all(number == user for _, number in self._mine.in_bytes(data))

    def in_bytes(self, data: bytes) -> list[Mark]:
        """The marks in what went over the wire, however it is coded, once each; none is cut off."""
        return [mark for mark in self.beside(data, "")[0] if not mark.cut]

    def in_object(self, thing: object, beyond: Iterable[int] = ()) -> list[Mark]:
        """The marks in a value of the process: text, containers of such, attributes of objects.

        The objects whose ids are in `beyond` are not looked into.
        """
        found: list[Mark] = []
        for text in _texts(thing, _DEPTH, [_ITEMS], set(beyond)):
            if isinstance(text, str):
                found += filter(self._can_be, map(_mark, self._scanner.in_text(text)))
                found += self._of_users(self._mine.in_text(text))
            else:
                found += self.in_bytes(text)
        return found

    def may_be_in(self, text: str) -> bool:
        """Whether `text`, or one of several that are joined by NULs, may hold a mark: a quick look.

        Where not, `in_object` finds none in it.
        """
        return self._scanner.may_be_in(text) or self._mine.may_be_in(text)

    def _can_be(self, mark: Mark) -> bool:
        """Whether the user and the request of a canary are such as there are in the run.

        A page may name a thing by the first letters of a value and its hash, of which one in 251
        even checks. In a mixture, too, the digits that no process, user or request needs are zeros.
        """
        begun = canaries.read_cut(mark.text)
        own = begun.process == self._process
        if mark.cut:
            return own and begun.user <= self._users and self._is_sent(begun.request)
        if mark.torn and begun.process >= _above(self._process):
            return False
        if mark.torn and not self._is_sent(begun.request):
            return False
        if own:
            return begun.user < _above(self._users) and begun.request < self._requests
        # Of what other processes have sent to the same server, less is known.
        users = max(self._users, _MOST_USERS)
        return begun.user < _above(users) and begun.request < _MOST_REQUESTS

    def _is_sent(self, request: int) -> bool:
        # Numbers are given out while threads go on, so that one may be missing.
        return request < _above(self._latest() + 1)

    def _of_users(self, found: Iterable[tuple[str, int]]) -> Iterator[Mark]:
        return (Mark(seen, number, 0) for seen, number in found if number <= self._users)


def _above(number: int) -> int:
    """The first number that has more hexadecimal digits."""
    return int(16 ** len(f"{number:x}"))


def _mark(canary: str) -> Mark:
    if len(canary) < canaries.LENGTH:
        begun = canaries.read_cut(canary)
        return Mark(canary, begun.user, 0, begun.process, cut=True)
    origin = canaries.read(canary)
    if origin is None:
        return Mark(canary, 0, 0, torn=True)
    return Mark(canary, origin.user, origin.request, origin.process)


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
        for part in parts(thing):
            left[0] -= 1
            yield from _texts(part, depth - 1, left, seen)


_PLAIN = (int, float, complex, type(None), type, type(sys), type(_mark), type(len))


_CONTAINERS: tuple[tuple[type, Callable[[Any], Iterable[object]]], ...] = (
    (dict, lambda d: [part for pair in list(dict.items(d))[:_ITEMS] for part in pair]),
    (list, lambda each: list.__getitem__(each, slice(_ITEMS))),
    (tuple, lambda each: tuple.__getitem__(each, slice(_ITEMS))),
    (set, lambda each: list(set.copy(each))[:_ITEMS]),
    (frozenset, lambda each: list(frozenset.copy(each))[:_ITEMS]),
    (deque, lambda each: list(deque.copy(each))[:_ITEMS]),
    (bytearray, lambda each: [bytes(each)]),
)


def parts(thing: Any) -> Iterable[object]:
    """What an object holds, without running any code of its own."""
    # Exact methods of the builtin types: a subclass's own iteration may do anything, and a session
    # would count as accessed.
    for kind, of_kind in _CONTAINERS:
        if issubclass(type(thing), kind):
            return of_kind(thing)
    return [*_attributes(thing), *_slots(thing)][:_ITEMS]


def _attributes(thing: Any) -> Iterable[object]:
    try:
        attributes = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return ()
    return list(dict.values(attributes)) if issubclass(type(attributes), dict) else ()


def _slots(thing: Any) -> Iterator[object]:
    # Our own contexts are looked at elsewhere, and what they lead to is everything there is.
    if type(thing).__module__.partition(".")[0] == "ctxsim":
        return
    for kind in type(thing).__mro__:
        for member in list(vars(kind).values()):
            if type(member) is MemberDescriptorType:
                with contextlib.suppress(AttributeError):
                    yield member.__get__(thing)
