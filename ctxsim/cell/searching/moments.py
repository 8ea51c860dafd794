"""Rare moments: requests that do what no request for the same step did before.

A leak may need a state that comes once in a thousand requests: a count that is sent away, an
identifier that has come round, a store that is full. No window of a few requests meets it by
chance. Requests one by one are cheap, and tell where it is: what is rare shows as places that were
not come to before. This is what fuzzers do who look for new coverage (AFL); what differs is that a
request is not changed, and that windows are then begun at the place in the stream where it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ctxsim.cell.schedule.places import Place

# What the first requests for a step do is new, and no rare state; shorter batches meet it as well.
_USUAL = 20
# Of one scout; those before which most requests for the step had done nothing new.
_MOST = 4
# A scout goes first in one of so many batches, and then what it noticed is tried, batch by batch.
# Most leaks are found before the first one.
_EACH, _FIRST = 54, 9


@dataclass(frozen=True, slots=True)
class Moment:
    """The state after so many requests one by one of the batch `number`; then comes one of `lane`.

    `selection` is that of the batch.
    """

    number: int
    selection: int
    requests: int
    lane: int


@dataclass(slots=True)
class Noticing:
    """Shown requests one by one; keeps before which ones the rare moments are."""

    _seen: dict[int, set[tuple[str, int, int]]] = field(default_factory=dict)
    _sent: dict[int, int] = field(default_factory=dict)
    # How usual the step was, and of the request how many came before it, and its lane.
    _found: list[tuple[int, int, int]] = field(default_factory=list)

    def look(self, step: int, lane: int, before: int, trails: Iterable[Sequence[Place]]) -> None:
        """Take note of a request for a step: where its workers came by, and about how often."""
        counts: dict[tuple[str, int], int] = {}
        for trail in trails:
            for code, line in trail:
                # Not by the code itself: to compare two takes longer than a short request does.
                place = code.co_filename, line
                counts[place] = counts.get(place, 0) + 1
        # Twice as often is something else; once more is not.
        came = {(*place, count.bit_length()) for place, count in counts.items()}
        seen = self._seen.setdefault(step, set())
        usual = self._sent[step] = self._sent.get(step, 0) + 1
        if usual > _USUAL and not came <= seen:
            self._found.append((usual, before, lane))
        seen |= came

    def moments(self, number: int, selection: int) -> tuple[Moment, ...]:
        """The rarest first."""
        rarest = sorted(self._found, reverse=True)[:_MOST]
        return tuple(Moment(number, selection, before, lane) for _, before, lane in rarest)


@dataclass(slots=True)
class Scouting:
    """Says which batches of a search are scouts, and which begin at the moments they noticed."""

    _left: list[Moment] = field(default_factory=list)
    _was_moment: bool = False

    def is_due(self, number: int) -> bool:
        """Whether the batch of that number is to be a scout."""
        return number % _EACH == _FIRST

    def noticed(self, moments: Iterable[Moment]) -> None:
        """Have these tried, one in every second batch: others must not wait for all of them."""
        self._left += moments

    def next(self) -> Moment | None:
        """The moment at which the next batch is to begin; None for an ordinary batch."""
        self._was_moment = bool(self._left) and not self._was_moment
        return self._left.pop(0) if self._was_moment else None
