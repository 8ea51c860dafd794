"""Numbers that count: alone, each answer has a higher one; in a load, two may have the same.

Whether they may is for the scenario to say: an invoice's number must be nobody else's, and how many
there are may be told to two at once. So what is seen here is told, and is no finding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from ctxsim.cell.learnt import Counter
from ctxsim.cell.likeness import Template
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request

# Of fewer, in each of the cells that learn, it may be chance that they went up.
_LEAST = 12
# So many are kept of a step. Who gives a number again does so before.
_MOST = 20_000
# It may stand behind a text, as in INV-17; a longer one is an identifier, or tells the time.
_NUMBER = re.compile(r"(?<!\d)\d{1,9}$")


class _Places:
    """Where numbers stand that went up so far, with the last of each."""

    __slots__ = ("count", "last", "when", "words")

    def __init__(self, template: Template, when: int) -> None:
        self.count = 1
        self.words = len(template)
        self.last = dict(_numbers(template))
        self.when = when

    def add(self, template: Template, when: int) -> None:
        """Take up the next answer; `when` is how many requests had ended."""
        self.count += 1
        if len(template) != self.words:
            self.last.clear()
            return
        # A clock goes up as well, but not with the requests.
        most, self.when = max(1, when - self.when), when
        numbers = dict(_numbers(template)) if self.last else {}
        for place, before in list(self.last.items()):
            if 1 <= numbers.get(place, before) - before <= most:
                self.last[place] = numbers[place]
            else:
                del self.last[place]


class Counters:
    """Finds out which numbers count, of answers that come alone, one after the other."""

    def __init__(self, ended: Callable[[], int]) -> None:
        """`ended` gives how many requests have ended, whatever came of them."""
        self._ended = ended
        self._places: dict[tuple[int, int], _Places] = {}

    def listen(self, step: int, status: int, template: Template | None) -> None:
        """Take up the words of one answer to a user."""
        said = () if template is None else template
        places = self._places.get((step, status))
        if places is None:
            self._places[(step, status)] = _Places(said, self._ended())
        else:
            places.add(said, self._ended())

    def found(self) -> Iterator[Counter]:
        for (step, status), places in self._places.items():
            if places.count >= _LEAST:
                for place in sorted(places.last):
                    yield Counter(step, status, places.words, place)


class GivenTwice:
    """Notes, in a load, which of those numbers two answers had."""

    def __init__(self, counters: Sequence[Counter], plan: Plan) -> None:
        self._routes = [step.route for step in plan.steps]
        told = {n for n, step in enumerate(plan.steps) if step.expect.unique is not None}
        told = {plan.situations[each] for each in told}
        self._counters: dict[tuple[int, int], list[Counter]] = {}
        for each in counters:
            if each.step not in told:
                self._counters.setdefault((each.step, each.status), []).append(each)
        # Who got each number first: the user, and which of the user's requests.
        self._given: dict[Counter, dict[str, tuple[int, int]]] = {each: {} for each in counters}
        # Those of which one was given again, with the member of the answer that it is.
        self._twice: dict[Counter, str] = {}

    def counts(self, step: int, status: int) -> bool:
        """Whether answers to a step, with that status, hold a number that counts."""
        return (step, status) in self._counters

    def see(
        self, step: int, status: int, request: Request, template: Template, body: bytes
    ) -> None:
        """Take up the words of an answer.

        Called by native threads at the same time: `dict.setdefault` is one operation.
        """
        for counter in self._counters.get((step, status), ()):
            said = template[counter.place] if len(template) == counter.words else None
            if said and _NUMBER.search(said):
                given, asked = self._given[counter], (request.user.number, request.number)
                is_again = given.setdefault(said, asked) != asked
                if is_again:
                    self._twice.setdefault(counter, _member(body, said))
                if is_again or len(given) >= _MOST:
                    self._counters.pop((step, status), None)

    def told(self) -> Iterator[str]:
        """What there is to say of numbers that two answers had, once for each route."""
        routes = {(self._routes[c.step], member) for c, member in self._twice.items()}
        for route, member in sorted(routes):
            words = f"{{unique: {member}}}" if member else "{unique: true}"
            where = f" as {member}" if member else ""
            yield (
                f"{route} counts up{where} when it is alone, and gave some "
                "numbers to several requests here; if each must be one request's own, expect "
                f"{words} in a scenario"
            )


def _numbers(template: Template) -> Iterator[tuple[int, int]]:
    for place, word in enumerate(template):
        if word is not None and (number := _NUMBER.search(word)) is not None:
            yield place, int(number[0])


def _member(body: bytes, said: str) -> str:
    """The member of a JSON answer that says this, '' where there is none of that kind."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    members: Mapping[str, object] = document if isinstance(document, dict) else {}
    return next((name for name, value in members.items() if str(value) == said), "")
