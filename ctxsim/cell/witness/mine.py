"""Texts that belong to one user, as the scenario says (`mine`), found in anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from ctxsim.cell.canaries import InBase64
from ctxsim.cell.plan import Plan
from ctxsim.cell.rarity import Sought, rank
from ctxsim.cell.witness.readings import coded_words, readings

_USER_VARIABLE = re.compile(r"\{user\.([\w-]+)\}")
# What is no end of a word. Scripts that are written without spaces have none, so that their
# letters, from the CJK radicals on, may stand beside a name. What could not be decoded may have
# been a letter.
_INSIDE = (r"[^\W\u2e80-\uffff]", r"\ufffd")
_NOT_AFTER = "".join(f"(?!{each})" for each in _INSIDE)
_LEAST_SIGN = 3


class MineText:
    """Finds one `mine` text of any user, as a whole word, and tells the user's number.

    One pattern instead of a table of all users' texts: it scans in one pass however many there are.
    """

    def __init__(self, text: str, plan: Plan) -> None:
        pieces = variables_in(text, plan).split("{n}")
        literal = [re.escape(piece) for piece in pieces]
        # What stands before is looked at afterwards, since a pattern that begins with a certain
        # letter is searched for 80 times as fast as one that begins with a condition.
        first = literal[0] or "[1-9]"
        begun = first + "".join(f"(?<!{each}{first})" for each in _INSIDE)
        numbered = rf"{begun}([1-9]\d{{0,4}})" if literal[0] else rf"({begun}\d{{0,4}})"
        # The same number stands wherever {n} does; it is read off the first.
        numbered += literal[1] + "".join(r"\d+" + piece for piece in literal[2:])
        self._pattern = re.compile(numbered + _NOT_AFTER)
        # Letters and digits, which no coding but base64 changes.
        self.runs = [run for piece in pieces for run in re.findall(r"[A-Za-z0-9]+", piece)]

    def is_in(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def find(self, text: str) -> Iterator[tuple[str, int]]:
        """Each occurrence in `text`, with the number of its user."""
        for match in self._pattern.finditer(text):
            yield match[0], int(match[1])


class MineTexts:
    """Finds all `mine` texts of a plan, however they are coded.

    Only those that name users: a text of canaries alone needs no pattern of its own.
    """

    def __init__(self, plan: Plan) -> None:
        texts = sorted({text for step in plan.steps for text in step.mine})
        named = [text for text in texts if "{n}" in variables_in(text, plan)]
        self._texts = [MineText(text, plan) for text in named]
        hints = _hints(each.runs for each in self._texts)
        self._plain = [Sought(_sign(hint).encode()) for hint in hints]
        self._coded = [InBase64(hint.encode()) for hint in hints]

    @property
    def is_empty(self) -> bool:
        """Whether the plan has no such text."""
        return not self._texts

    def in_text(self, text: str) -> Iterator[tuple[str, int]]:
        """Each occurrence in `text` as it stands, with the number of its user."""
        for each in self._texts:
            yield from each.find(text)

    def may_be_in(self, text: str) -> bool:
        """Whether `in_text` finds anything."""
        return any(each.is_in(text) for each in self._texts)

    def in_bytes(self, data: bytes, coded: Iterable[str] = ()) -> list[tuple[str, int]]:
        """The same for what went over the wire; once or more for each, in as many readings.

        `coded` is what it says where it has been coded letter by letter.
        """
        found: list[tuple[str, int]] = []
        for sign in self._plain:
            if sign.is_in(data):
                found += chain.from_iterable(map(self.in_text, readings(data)))
                break
        if coded:
            found += chain.from_iterable(map(self.in_text, coded))
        for hint in self._coded:
            if hint.may_be_in(data):
                found += chain.from_iterable(map(self.in_text, coded_words(data)))
                break
        return found


def _hints(texts: Iterable[list[str]]) -> list[str]:
    """As few runs of letters and digits as can be, of which each text holds one."""
    hints: list[str] = []
    for runs in sorted(texts, key=len):
        if not any(hint in run for hint in hints for run in runs):
            hints.append(max(runs, key=len, default=""))
    return hints


def _sign(hint: str) -> str:
    """The end of `hint` that begins with its rarest letter, if that is not one of the last ones."""
    # A pattern of certain letters is searched for by the first of them, at half the cost of `in`.
    starts = range(max(len(hint) - _LEAST_SIGN, 0) + 1)
    return hint[min(starts, key=lambda at: rank(hint[at])) :] if hint else ""


def variables_in(text: str, plan: Plan) -> str:
    values = dict(plan.users.vars)
    return _USER_VARIABLE.sub(lambda found: values.get(found[1], ""), text)
