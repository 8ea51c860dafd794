"""What each user is told alone every time, and nobody else is: under load it stays that user's.

An application gives its users numbers and tokens of its own, in the order in which they come, so
that nobody knows beforehand whose is which. But one by one each user is told the same at each
visit, and no two are told the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ctxsim.cell.history import Who
from ctxsim.cell.likeness import excerpt

# What is drawn anew for each visit, so that the words never end, is not kept for ever.
_MOST_WORDS = 20_000


class Meeting(NamedTuple):
    """An answer with a word that another user was told as often, and that other's first one."""

    victim: Who
    other: Who
    seen: str


class Met(NamedTuple):
    """What became of an answer: how it met another user's, and whether it was compared with any.

    `is_own`: it is as all of this user's, and nobody else's. `is_news`: what had been taken for a
    user's own before may be so no longer.
    """

    meeting: Meeting | None
    compared: bool
    is_own: bool
    is_news: bool


@dataclass(slots=True)
class _User:
    """What one user was told at one place, and how often; whether a word gave way and came back."""

    words: dict[str, int] = field(default_factory=dict)
    last: str = ""
    returned: bool = False
    pending: Meeting | None = None


class Steady:
    """Keeps, for the `places` of one template, which word was told to which user.

    An application may also take a word from one user and give it to the next, as it does with
    seats. So a user counts only from when an earlier word of its own has come back.

    Called by native threads at the same time: each step on a dict is one operation.
    """

    def __init__(self, places: tuple[int, ...]) -> None:
        self._places = places
        # By place and word: of each user the first answer that held it.
        self._holders: dict[tuple[int, str], dict[int, Who]] = {}
        self._users: dict[tuple[int, int], _User] = {}

    def meet(self, who: Who, sample: tuple[str, ...]) -> Met:
        """Take up an answer of a user's; `sample` has all the places."""
        meeting: Meeting | None = None
        compared, is_own, is_news = False, True, False
        for place in self._places:
            word, mine = sample[place], self._users.setdefault((place, who.user), _User())
            times = mine.words.get(word, 0)
            compared = compared or bool(mine.words)
            if not times and len(self._holders) >= _MOST_WORDS:
                is_own = False
                continue
            if times and word != mine.last:
                mine.returned = True
                meeting, mine.pending = meeting or mine.pending, None
            mine.words[word], mine.last = times + 1, word
            holders = self._holders.setdefault((place, word), {})
            holders.setdefault(who.user, who)
            several = len(mine.words) > 1 or len(holders) > 1
            is_own = is_own and times > 0 and not several
            is_news = is_news or (several and not times)
            other = self._owner(place, word, holders, who.user)
            if other is not None:
                found = Meeting(who, other, excerpt(sample, place))
                if mine.returned:
                    meeting = meeting or found
                else:
                    mine.pending = mine.pending or found
        return Met(meeting, compared, is_own, is_news)

    def _owner(self, place: int, word: str, holders: dict[int, Who], user: int) -> Who | None:
        """Who else was told a word at least as often as this user; None where nobody was."""

        def times(each: int) -> int:
            told = self._users.get((place, each))
            return 0 if told is None else told.words.get(word, 0)

        most = max((each for each in tuple(holders) if each != user), key=times, default=user)
        return holders[most] if most != user and times(most) >= times(user) else None
