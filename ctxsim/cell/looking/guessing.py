"""Where an id leads that an answer gives, and no name says what it is of: that is tried at the end.

`POST /checkout` may give the id that `/orders/<id>` takes. A guess is right where a page that was
never answered well now is, and shows what the request had sent that was given the id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ctxsim.cell.captures import captured
from ctxsim.cell.looking.carrying import Gift, Taker, may_lead, step_with
from ctxsim.cell.plan import Step
from ctxsim.cell.sights import Route
from ctxsim.cell.visits import Response

_MOST = 40
_SEGMENT = re.compile(r"[\w.~-]+", re.ASCII)
_FIRST_FAILURE = 400


@dataclass(frozen=True, slots=True)
class Maker:
    """A request that may have made something, and how it was answered."""

    route: Route
    step: Step
    response: Response
    canaries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """A value that a maker was given, as `text`, and the page to which it may lead."""

    maker: Maker
    gift: Gift
    text: str

    def is_right(self, response: Response) -> bool:
        """Whether the page shows what the maker had sent."""
        shown = any(each.encode() in response.body for each in self.maker.canaries)
        return response.status < _FIRST_FAILURE and shown


class Guesses:
    """Hands out what may be tried, each once; `is_lost` tells of a page that it never answered."""

    def __init__(self, takers: Sequence[Taker], is_lost: Callable[[Taker], bool]) -> None:
        self._takers = takers
        self._is_lost = is_lost
        # By route: whoever gives something else already, or else the first.
        self._makers: dict[str, Maker] = {}
        self._left = islice(self._all(), _MOST)

    def heard(self, maker: Maker) -> None:
        if maker.route.is_safe or maker.response.status >= _FIRST_FAILURE:
            return
        if maker.step.name or maker.route.name not in self._makers:
            self._makers[maker.route.name] = maker

    @property
    def makers(self) -> tuple[Maker, ...]:
        return tuple(self._makers.values())

    def next(self) -> Guess | None:
        """The next one; to be asked once all else was sent."""
        return next(self._left, None)

    def _all(self) -> Iterator[Guess]:
        for taker in self._takers:
            for maker in self.makers:
                # Asked each time, because the guess before may have been right.
                if not taker.route.is_safe or not self._is_lost(taker):
                    break
                for gift in may_lead(maker.response, taker):
                    text = _text(gift, maker.response)
                    if text and self._is_lost(taker):
                        yield Guess(maker, gift, text)

    def alike(self, guess: Guess) -> Iterator[Gift]:
        """What a guess that was right tells of all paths that go through the same place."""
        through = guess.gift.before
        for taker in self._takers:
            if taker.route.path.startswith(f"{through}{{") and guess.gift.use not in taker.uses:
                yield replace(guess.gift, taker=taker)


def _text(gift: Gift, response: Response) -> str:
    """The value as it is sent in a path, '' where it cannot be."""
    found = captured(step_with(gift), response.headers, response.body)
    return next((text for text in found.values() if _SEGMENT.fullmatch(text)), "")
