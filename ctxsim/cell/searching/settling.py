"""What a search found is carried again: to be sure of it, to make it small, to tell it.

Nothing is reported that does not show again. Each time a copy of the process, which is as it was
after the import, carries a script; so what is left of it is all that the finding needs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.history import Event
from ctxsim.cell.schedule.choices import Schedule, counts_of
from ctxsim.cell.schedule.minimal import fewest, find_most
from ctxsim.cell.schedule.points import Points, Site, Switch
from ctxsim.cell.schedule.shrink import Candidate, moved, shrink, windows
from ctxsim.cell.schedule.shrink import Window as Reach
from ctxsim.cell.searching.nearby import attempts, is_smaller
from ctxsim.cell.searching.orders import one_by_one
from ctxsim.cell.searching.scripts import Room, Script, Window
from ctxsim.cell.searching.shown import Cause, Play, Player, Shown
from ctxsim.cell.searching.slipping import Slipping

_CONFIRMATIONS = 20
# However much was spent on what comes before: the window is what is told.
_LEAST_FOR_WINDOW = 40
# How many requests are tried one by one before the last window, where more come at once.
_MOST_IN_TURN = 12
# Of all plays, so many more schedules are searched for one with less; and no fewer than that.
_NEARBY, _LEAST_NEARBY = 0.4, 60
# Where a script sends so many windows before its last, a play counts for as many more.
_LONG, _MORE_FOR_LONG = 100, 3


@dataclass(frozen=True, slots=True)
class Settled:
    """A finding that was carried again: its smallest script, and how often it showed."""

    script: Script
    event: Event
    times: int
    of: int


def settle(
    script: Script, cause: Cause, player: Player, most: int, is_late: Callable[[], bool]
) -> Settled | None:
    """Make a found script small, with at most about `most` plays; None if it does not show again.

    It shows again where it shows in each of 20 plays of the same small script. When it `is_late`,
    it stays as large as it is.
    """
    settling = _Settling(cause, player, most, is_late)
    if not settling.shows(script):
        return None
    return settling.confirmed(settling.smaller(script))


def replayed(script: Script, cause: Cause, play: Play, times: int) -> Settled | None:
    """Play a script so many times; None if what is looked for does not show once."""
    return _Settling(cause, Player(play), times, lambda: False).confirmed(script, times)


def smaller(script: Script, cause: Cause, player: Player, most: int) -> Script:
    """A script that shows the same, made small with at most about so many plays."""
    settling = _Settling(cause, player, most, lambda: False)
    return settling.smaller(script) if settling.shows(script) else script


def _named(candidate: Candidate, points: Points) -> Candidate:
    """The candidate with its switches called what they are in the execution, which had `points`.

    The shrinker takes a switch for one at its worker's end, which it was in another execution.
    """
    preempted = {each.key for each in points.preemptions}
    given = candidate.points
    late = tuple(each for each in given.handovers if each.key in preempted)
    rest = tuple(each for each in given.handovers if each.key not in preempted)
    changed = replace(given, preemptions=(*given.preemptions, *late), handovers=rest)
    return replace(candidate, points=changed)


def _rooms(
    candidate: Candidate, found: Sequence[Reach], seen: Mapping[Candidate, Shown]
) -> Iterator[Room]:
    """Each switch's window with where its worker stood at both ends, as executions showed it."""
    for at, window in enumerate(found):
        worker, step = window.switch.key
        first, last = (
            _site(seen.get(moved(candidate, at, end)), worker, end)
            for end in (window.first, window.last)
        )
        if first is not None and last is not None:
            yield Room(worker, step, first, last, window.whole)


def _site(shown: Shown | None, worker: int, step: int) -> Site | None:
    switches = () if shown is None else shown.points.switches
    return next((each.site for each in switches if each.key == (worker, step)), None)


def _with_in_turn(script: Script, in_turn: Collection[int]) -> Script:
    """The script with the requests of these windows one by one, and the others as they are."""
    windows: list[Window] = []
    passed_over: set[int] = set()
    for number, window in enumerate(script.windows):
        if number in script.passed_over:
            passed_over.add(len(windows))
        windows += window.in_turn if number in in_turn else (window,)
    return replace(script, windows=tuple(windows), passed_over=frozenset(passed_over))


class _Settling:
    def __init__(
        self,
        cause: Cause,
        player: Player,
        most: int,
        is_late: Callable[[], bool],
    ) -> None:
        self._cause = cause
        self._play = player.play
        self._play_last = player.last or player.play
        self._player = player
        self._most = self._left = most
        self._is_late = is_late
        self._last: Shown | None = None
        # What was played already, and what it showed.
        self._known: dict[Script, Shown | None] = {}
        # Where it is to be seen of each smaller script whether it shows for another reason.
        self._slipping: Slipping | None = None

    def shows(self, script: Script) -> bool:
        if script in self._known:
            return self._has_shown(script, self._known[script])
        return self._shows_again(script)

    def _shows_again(self, script: Script) -> bool:
        sent = len(script.windows) - len(script.passed_over)
        self._left -= 1 + _MORE_FOR_LONG * (sent // _LONG)
        return self._has_shown(script, self._play(script, self._cause))

    def shows_last(self, script: Script) -> bool:
        if script in self._known:
            return self._has_shown(script, self._known[script])
        self._left -= 1
        return self._has_shown(script, self._play_last(script, self._cause))

    def _has_shown(self, script: Script, shown: Shown | None) -> bool:
        self._known[script] = shown
        if shown is None or (self._slipping is not None and self._slipping.has_slipped(script)):
            return False
        self._last = shown
        return True

    def smaller(self, script: Script) -> Script:
        """The script, which has shown it, made small; and for the same reason as before."""
        slipping = Slipping(script, self._cause, self._player)
        found = self._smaller(script)
        if not slipping.has_slipped(found):
            return found
        if self._is_late():
            return script
        # To ask each time takes twice as long, and it is hardly ever needed.
        self._slipping, self._left = slipping, self._most
        return self._smaller(script) if self.shows(script) else found

    def _smaller(self, script: Script) -> Script:
        script = self._in_turn(self._until_shown(script))
        script = self._each_in_turn(self._fewer_before(script))
        script = self._with_fewer_switches(self._latest_in_turn(script))
        script = self._with_less(self._shrunk(script))
        rooms = script.rooms
        return replace(self._fewer_before(script), rooms=rooms)

    def _until_shown(self, script: Script) -> Script:
        """Without the windows after the one that showed it last."""
        assert self._last is not None
        windows = script.windows[: self._last.windows]
        passed_over = frozenset(each for each in script.passed_over if each < len(windows))
        return replace(script, windows=windows, passed_over=passed_over)

    def _in_turn(self, script: Script) -> Script:
        """Nothing but the last window, or all before it one by one, if that is enough."""
        *before, last = script.windows
        if not before:
            return script
        one_by_one = tuple(each for window in before for each in window.in_turn)
        candidate = replace(script, windows=(*one_by_one, last))
        if candidate == script or self._is_late() or not self.shows(candidate):
            return script
        return self._until_shown(candidate)

    def _each_in_turn(self, script: Script) -> Script:
        """As many of the windows before the last one by one as can be, and then fewer of these.

        Where it matters how many came before, as at each 50th use, none of them can be left out,
        and whoever reads of it should not have to follow how they met.
        """
        count = len(script.windows) - 1
        numbers = tuple(n for n in range(count) if n not in script.passed_over)
        meeting = tuple(n for n in numbers if script.windows[n].requests > 1)
        best = [script]

        def keep(left: tuple[int, ...]) -> bool:
            if self._left <= 0 or self._is_late():
                return False
            candidate = _with_in_turn(script, set(meeting) - set(left))
            if not self.shows(candidate):
                return False
            best[0] = self._until_shown(candidate)
            return True

        fewest(meeting, keep)
        return script if best[0] is script else self._fewer_before(best[0])

    def _with_fewer_switches(self, script: Script) -> Script:
        """The windows before the last in which requests have to meet, with fewer preemptions.

        What they do to each other may show in a later one alone, which is then the last.
        """
        number = 0
        while number < len(script.windows) - 1:
            if number not in script.passed_over:
                script = self._with_fewer_in(script, number)
            number += 1
        return script

    def _with_fewer_in(self, script: Script, number: int) -> Script:
        window = script.windows[number]
        if window.points is None:
            return script
        points, best = window.points, [script]

        def keep(kept: tuple[Switch, ...]) -> bool:
            if self._left <= 0 or self._is_late():
                return False
            fewer = replace(window, points=replace(points, preemptions=kept))
            windows = (*script.windows[:number], fewer, *script.windows[number + 1 :])
            candidate = replace(script, windows=windows)
            if not self.shows(candidate):
                return False
            best[0] = self._until_shown(candidate)
            return True

        fewest(points.preemptions, keep)
        return best[0]

    def _latest_in_turn(self, script: Script) -> Script:
        """The latest of the requests before the last window one by one, if so many are enough.

        Where their number is what matters, it may be another one: one by one, or by so many rounds.
        """
        *before, last = script.windows
        sent = [each for n, each in enumerate(before) if n not in script.passed_over]
        if len(sent) <= _MOST_IN_TURN and all(each.requests == 1 for each in sent):
            return script
        alone = one_by_one(replace(script, windows=tuple(before)), before[-1].lanes)
        numbers = [n for n in range(len(alone.windows)) if n not in alone.passed_over]
        for count in range(1, min(len(numbers), _MOST_IN_TURN) + 1):
            if self._is_late():
                break
            left_out = alone.passed_over.union(numbers[: len(numbers) - count])
            candidate = replace(script, windows=(*alone.windows, last), passed_over=left_out)
            if self.shows(candidate):
                return self._dropped(self._until_shown(candidate))
        return script

    def _fewer_before(self, script: Script) -> Script:
        """Without the windows before the last that are not needed: passed over, or left out."""
        count = len(script.windows) - 1
        numbers = tuple(n for n in range(count) if n not in script.passed_over)

        def without(kept: tuple[int, ...]) -> Script:
            return replace(script, passed_over=frozenset(range(count)) - frozenset(kept))

        best = [script]

        def keep(kept: tuple[int, ...]) -> bool:
            if self._left <= 0 or self._is_late():
                return False
            candidate = without(kept)
            if not self.shows(candidate):
                return False
            best[0] = self._until_shown(candidate)
            return True

        if len(numbers) < _LONG:
            fewest(numbers, keep)
        elif not keep(()):
            # What matters of a very long past is mostly that it was as long, or what came last.
            gone = find_most(len(numbers) - 1, lambda first: keep(numbers[first:]))
            if gone:
                fewest(numbers[gone:], keep)
        return self._dropped(best[0])

    def _dropped(self, script: Script) -> Script:
        """Without what is passed over, if nobody needs to be where it would bring them."""
        used = {
            lane
            for number, window in enumerate(script.windows)
            if number not in script.passed_over
            for worker in window.lanes
            for lane in worker
        }
        numbers = [
            number
            for number, window in enumerate(script.windows)
            if number not in script.passed_over
            or any(lane in used for worker in window.lanes for lane in worker)
        ]
        return replace(
            script,
            windows=tuple(script.windows[number] for number in numbers),
            passed_over=frozenset(
                at for at, number in enumerate(numbers) if number in script.passed_over
            ),
        )

    def _shrunk(self, script: Script) -> Script:
        *before, last = script.windows

        def of(candidate: Candidate) -> Script:
            window = last.of(candidate.requests, candidate.points)
            return replace(script, windows=(*before, window))

        seen: dict[Candidate, Shown] = {}

        def remains(candidate: Candidate) -> Schedule | None:
            if self._is_late() or not self.shows_last(of(candidate)) or self._last is None:
                return None
            seen[candidate] = self._last
            return self._last.schedule

        if self._is_late() or not self.shows(script):
            return script
        assert self._last is not None
        try:
            carried = tuple(map(len, last.lanes))
            shrunk = shrink(
                self._last.schedule,
                carried,
                remains,
                max(_LEAST_FOR_WINDOW, self._left),
                lambda candidate: seen[candidate].begins,
            )
        except ValueError:
            # Its switches alone do not lead there: it stays as it is.
            return script
        candidate, found = shrunk.candidate, shrunk.windows
        shown = seen[candidate]
        named = _named(candidate, shown.points)
        if named != candidate:
            # It is the same under another name: nothing needs to be carried for it.
            seen[named], candidate = shown, named
            counts = dict(enumerate(counts_of(shown.schedule.steps)))
            found = windows(named, counts, remains, max(_LEAST_FOR_WINDOW, self._left))
        return replace(of(candidate), rooms=tuple(_rooms(candidate, found, seen)))

    def _with_less(self, script: Script) -> Script:
        """With fewer requests that meet or fewer preemptions, if a search nearby finds that."""
        left = max(_LEAST_NEARBY, int(_NEARBY * self._most))
        while (smaller := self._near(script, left)) is not None:
            script, taken = smaller
            left -= taken
        return script

    def _near(self, script: Script, most: int) -> tuple[Script, int] | None:
        """A smaller script that a search nearby found, and how many schedules that took."""
        near = self._player.near
        if near is None or self._is_late() or not self.shows(script) or self._last is None:
            return None
        taken = 0
        for attempt in attempts(script, self._last.schedule):
            if taken >= most or self._is_late():
                break
            shown, count = near(attempt, self._cause)
            taken += count
            if shown is None:
                continue
            *before, last = attempt.script.windows
            last = replace(last, points=shown.points)
            found = replace(attempt.script, windows=(*before, last))
            if self.shows(found) and is_smaller(smaller := self._shrunk(found), script):
                return smaller, taken
        return None

    def confirmed(self, script: Script, of: int = _CONFIRMATIONS) -> Settled | None:
        times = sum(self._shows_again(script) for _ in range(of))
        if self._last is None:
            return None
        return Settled(script, self._last.event, times, of)
