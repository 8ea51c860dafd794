"""Whether a script that was made smaller shows the same for another reason.

To leave requests out may itself be what an answer is wrong for: who has not logged in is refused
under whatever schedule, and who waits for what nobody sends any more waits for ever. A test of that
would fail with the bug mended, too. So a smaller script must not show it in a way in which the one
that was found did not show it: without any overlap, or with the requests of one user alone. Nobody
is given another's value for want of a request, so of such causes nothing is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice

from ctxsim.cell.checks.alone import is_difference
from ctxsim.cell.searching.orders import all_orders, one_by_one
from ctxsim.cell.searching.scripts import Script
from ctxsim.cell.searching.shown import Cause, Player

# What a request that is missing can be the reason for.
_FOR_WANT = ("expectation.broken", "value.lost")
_WAITS = ("deadlock", "endless")
# Three requests have so many orders; of those of a crowd, these are enough to tell.
_MOST_ORDERS = 6


class Slipping:
    """Compares smaller scripts with the one that was `found` to show a cause."""

    def __init__(self, found: Script, cause: Cause, player: Player) -> None:
        self._found = found
        self._player = player
        self._causes = tuple(_alike(cause))
        # Of those that were carried without an overlap. Schedules of the same requests have them in
        # common.
        self._known: dict[Script, bool] = {}

    def has_slipped(self, script: Script) -> bool:
        """Whether the script shows for a reason that the found one did not have."""
        if not self._causes or script == self._found:
            return False
        lanes = {lane for worker in script.windows[-1].lanes for lane in worker}
        users = dict.fromkeys(frozenset(self._player.of_user(lane)) for lane in sorted(lanes))
        return any(
            self._shows(script, each) and not self._shows(self._found, each)
            for each in (None, *users)
        )

    def _shows(self, script: Script, lanes: Collection[int] | None) -> bool:
        """Whether it shows one by one, in some order; and with the requests of these lanes alone,
        if they are given."""
        workers = script.windows[-1].lanes
        if lanes is not None:
            return self._is_shown_by(only(one_by_one(script, workers), lanes))
        orders = islice(all_orders(workers), _MOST_ORDERS)
        return any(self._is_shown_by(one_by_one(script, each)) for each in orders)

    def _is_shown_by(self, alone: Script) -> bool:
        if alone not in self._known:
            shows = bool(alone.windows) and self._player.shows_any(alone, self._causes)
            self._known[alone] = shows
        return self._known[alone]


def only(script: Script, lanes: Collection[int]) -> Script:
    """The requests of these lanes alone, of a script that has them one by one."""
    kept = [at for at, window in enumerate(script.windows) if window.lanes[0][0] in lanes]
    passed_over = (at for at, number in enumerate(kept) if number in script.passed_over)
    return replace(
        script,
        windows=tuple(script.windows[number] for number in kept),
        passed_over=frozenset(passed_over),
    )


def _alike(cause: Cause) -> Iterator[Cause]:
    """The causes by which the same shows without an overlap; none of what needs another's value."""
    kind, route, place, relation = cause
    if kind in _FOR_WANT or is_difference(cause):
        yield cause
    elif kind in _WAITS:
        # Those that waited for each other wait one by one: for what nobody sends.
        places = dict.fromkeys((place, *place.split("; ")))
        yield from dict.fromkeys((cause, *(("endless", route, each, relation) for each in places)))
