"""Answers that were looked at before: what was found in them is known.

Most answers are the same each time but for the canary of their request. Where one was searched and
held nothing else that tells of anybody, was as expected and as alone, then so is each that differs
from it by the canary alone. For that the canary must stand for itself: no letter or sign beside it
may make another word of it, in any coding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ctxsim.cell.bodies import plain_body
from ctxsim.cell.plan import Plan, Step
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.alone import Comparison, Known
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.readings import unbroken

# To compare a long answer with those before takes as long as to search it.
_MOST_BYTES = 8 * 1024
_MOST_KEPT, _MOST_ONCE = 512, 4096
# An answer that is another one each time is compared with those before only now and then.
_IN_VAIN, _THEN_EVERY = 64, 16
# What may belong to a word, to base64 (also across the ends of lines) or to an escape.
_JOINS_BEFORE = re.compile(rb"[A-Za-z0-9+/_%&#;\\\r\n-]\Z")
_JOINS_BEHIND = re.compile(rb"[A-Za-z0-9+/_%&#;\\\r\n-]")
_PLACEHOLDER = re.compile(r"\{(?!canary\}|user\.)")

# The user, the status line, the headers, and the body but for the canary, of one step.
_Form = tuple[object, ...]
Key = tuple[int, _Form]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was made of an answer: whether it was compared, and with what is known of it alone."""

    compared: bool
    known: Known | None


class Again:
    """Knows answers again; native threads may ask it at the same time."""

    def __init__(self, plan: Plan, marks: Marks, alone: Comparison | None) -> None:
        self._marks = marks
        self._alone = alone
        # What is known of one user's answer says nothing of what another one should be told.
        self._each = bool(plan.users.vars) or (alone is not None and alone.tells_users_apart)
        self._seen: dict[Key, Seen] = {}
        self._once: set[int] = set()
        self._suited = [_is_suited(step) for step in plan.steps]
        # By step: how many answers in a row were not known.
        self._in_vain = [0] * len(plan.steps)

    def key_of(self, request: Request, response: Response) -> Key | None:
        """What an answer is known by; None where it is to be looked at anyway."""
        index, lane, body = request.prepared.index, request.lane, response.body
        if request.faulted or not response.complete or response.error is not None:
            return None
        if lane.settling or lane.unsettled or len(body) > _MOST_BYTES or not self._suited[index]:
            return None
        if (in_vain := self._in_vain[index]) > _IN_VAIN and in_vain % _THEN_EVERY:
            self._in_vain[index] = in_vain + 1
            return None
        user = request.user.number
        return index, (
            user if self._each else user > 0,
            response.status,
            response.reason,
            *response.headers,
            *body.split(request.canary.encode()),
        )

    def get(self, key: Key) -> Seen | None:
        """What was made of such an answer."""
        seen, step = self._seen.get(key), key[0]
        if seen is None:
            self._in_vain[step] += 1
            return None
        self._in_vain[step] = 0
        if seen.known is not None:
            seen.known.count_again()
        return seen

    def learn(self, key: Key, request: Request, response: Response, *, compared: bool) -> None:
        """Take up an answer of which nothing was to be told, when it comes for the second time."""
        coded = hash(key)
        if coded not in self._once:
            if len(self._once) >= _MOST_ONCE:
                self._once.clear()
            self._once.add(coded)
            return
        if len(self._seen) >= _MOST_KEPT or not self._is_plain(request, response):
            return
        known = None
        if self._alone is not None:
            known = self._alone.known_as(request, response)
            if known is None:
                return
        self._seen[key] = Seen(compared, known)

    def _is_plain(self, request: Request, response: Response) -> bool:
        """Whether nothing but the canary is there that may tell of anybody, now or later."""
        body, own = response.body, request.canary
        if plain_body(body, response.headers) is not body or unbroken(body) is not body:
            return False
        # What a cookie says is looked at in ways of its own.
        if any(name.lower() == "set-cookie" for name, _ in response.headers):
            return False
        parts = body.split(own.encode())
        if any(map(_JOINS_BEFORE.search, parts[:-1])) or any(map(_JOINS_BEHIND.match, parts[1:])):
            return False
        head = "\n".join([response.reason, *map(": ".join, response.headers)])
        told = (body, head.encode("latin-1", "replace"))
        return all(self._marks.has_only(each, own, request.user.number) for each in told)


def _is_suited(step: Step) -> bool:
    """Whether what is expected of a step follows from its answer, the user and the canary."""
    expect = step.expect
    texts = [*expect.contains, *expect.absent, *map(repr, expect.json)]
    return expect.unique is None and not any(map(_PLACEHOLDER.search, texts))
