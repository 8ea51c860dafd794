"""Texts that belong to one user, as the scenario says (`mine`), found in anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ctxsim.cell.plan import Plan

_USER_VARIABLE = re.compile(r"\{user\.([\w-]+)\}")
# The ends of a word. Scripts that are written without spaces have none, so that their letters, from
# the CJK radicals on, may stand beside a name. What could not be decoded may have been a letter.
_NOT_BEFORE, _NOT_AFTER = (
    r"(?<![^\W\u2e80-\uffff])(?<!\ufffd)",
    r"(?![^\W\u2e80-\uffff])(?!\ufffd)",
)


class MineText:
    """Finds one `mine` text of any user, as a whole word, and tells the user's number.

    One pattern instead of a table of all users' texts: it scans in one pass however many there are.
    """

    def __init__(self, text: str, plan: Plan) -> None:
        pieces = variables_in(text, plan).split("{n}")
        literal = [re.escape(piece) for piece in pieces]
        numbered = literal[0] + r"([1-9]\d{0,4})" + literal[1]
        # The same number stands wherever {n} does; it is read off the first.
        numbered += "".join(r"\d+" + piece for piece in literal[2:])
        self._pattern = re.compile(_NOT_BEFORE + numbered + _NOT_AFTER)
        # Letters and digits that no coding but base64 changes: a quick look for them comes first.
        runs = (run for piece in pieces for run in re.findall(r"[A-Za-z0-9]+", piece))
        self._hint = max(runs, key=len, default="").encode()

    def may_be_in(self, data: bytes) -> bool:
        """Whether the text may be in `data`, in any coding but base64."""
        return self._hint in data

    def find(self, text: str) -> Iterator[tuple[str, int]]:
        """Each occurrence in `text`, with the number of its user."""
        for match in self._pattern.finditer(text):
            yield match[0], int(match[1])


def mine_texts(plan: Plan) -> list[MineText]:
    """Those of a plan that name users; a text of canaries alone needs no pattern of its own."""
    texts = {text for step in plan.steps for text in step.mine}
    return [MineText(text, plan) for text in sorted(texts) if "{n}" in variables_in(text, plan)]


def variables_in(text: str, plan: Plan) -> str:
    values = dict(plan.users.vars)
    return _USER_VARIABLE.sub(lambda found: values.get(found[1], ""), text)
