"""Learns how requests are answered that run alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from ctxsim.cell.learnt import Heard, Lesson
from ctxsim.cell.likeness import Template, common, words
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.counting import Counters
from ctxsim.cell.witness.own_words import OwnWords, head_of, told, way

# A longer answer is known by its status and its own values only.
_LONGEST = 32 * 1024
# What a cell may say at most of templates; beyond, the longest are left out.
_MOST_BYTES = 2 * 1024 * 1024


Head = frozenset[tuple[str, str]]


class _Notes:
    """What was heard so far of one step, one user and one status."""

    __slots__ = ("always", "count", "head", "template")

    def __init__(self, always: frozenset[str], template: Template | None, head: Head) -> None:
        self.count = 1
        self.always = always
        self.template = template
        self.head = head

    def add(self, always: frozenset[str], template: Template | None, head: Head) -> None:
        self.count += 1
        self.always &= always
        self.template = common(self.template, template)
        self.head &= head


class Learner:
    """Keeps what the answers to each user have in common, for each step and status."""

    def __init__(
        self, own_words: OwnWords, situations: tuple[int, ...], ended: Callable[[], int]
    ) -> None:
        """`ended` gives how many requests have ended, those included that are not learnt of."""
        self._own_words = own_words
        self._situations = situations
        self._counters = Counters(ended)
        self._heard: dict[tuple[int, int, int], _Notes] = {}
        self._ways: dict[tuple[int, bool, str], int] = {}

    def examine(self, request: Request, response: Response, body: bytes) -> bool:
        """Take up one answer; it compares nothing."""
        step, user = self._situations[request.prepared.index], request.user.number
        ended = (step, user == 0, way(response))
        self._ways[ended] = self._ways.get(ended, 0) + 1
        if response.error is None:
            said = told(response, body), frozenset(head_of(response).items())
            self._listen((step, user, response.status), request, *said)
        return False

    def _listen(self, key: tuple[int, int, int], request: Request, data: bytes, head: Head) -> None:
        text = self._own_words.marked(request, data)
        always = frozenset(self._own_words.always_in(request, text))
        template = words(text) if len(text) <= _LONGEST else None
        step, user, status = key
        if user:
            self._counters.listen(step, status, template)
        notes = self._heard.get(key)
        if notes is None:
            self._heard[key] = _Notes(always, template, head)
        else:
            notes.add(always, template, head)

    def learnt(self) -> dict[str, Any]:
        """What was learnt, as a message."""
        heard = [
            Heard(
                step,
                user,
                status,
                notes.count,
                tuple(sorted(notes.always)),
                notes.template,
                tuple(sorted(notes.head)),
            )
            for (step, user, status), notes in self._heard.items()
        ]
        ways = tuple((*ended, count) for ended, count in self._ways.items())
        lesson = Lesson(tuple(_bounded(heard)), ways, tuple(self._counters.found()))
        return {"say": "learnt", "lesson": asdict(lesson)}


def _bounded(heard: list[Heard]) -> list[Heard]:
    left, kept = _MOST_BYTES, []
    for each in sorted(heard, key=lambda h: len(h.template or ())):
        left -= sum(len(word or "") + 3 for word in each.template or ())
        if left < 0:
            each = replace(each, template=None)
        kept.append(each)
    return kept
