"""Who is named in a sentence: the request that it was, in whichever window it came."""

from ctxsim.cell.history import Event, Who
from ctxsim.cell.schedule.execution import Spin, Wait
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.searching.holders import Location
from ctxsim.cell.searching.seen import Access, Line
from ctxsim.cell.searching.sentences import Parties, of_unended
from ctxsim.cell.searching.turns import Stop, Turn

FILE = "shop.py"
EVENT = Event("endless", "", Who(3, 4, "GET /b"))
# The same worker carried a request of the window before.
FIRST, LAST = (0, 0, 0), (1, 0, 0)
NAMES = {FIRST: "user 1, request 2 (GET /a)", LAST: "user 3, request 4 (GET /b)"}
PLACE = compile("pass", FILE, "exec"), 22


def test_who_had_to_stop_in_an_earlier_window_is_named_as_who_it_was():
    turns = [Turn(FIRST, True, Stop(PLACE, True, None)), Turn(LAST, True, None)]
    wait = Wait(0, "Lock.acquire", Site(FILE, 9, "b"), 0)
    assert of_unended(Parties(NAMES, EVENT), (wait,), turns) == (
        "user 1, request 2 (GET /a) was switched out at shop.py:22; "
        "user 3, request 4 (GET /b) waits in Lock.acquire at shop.py:9"
    )


def test_who_wrote_last_what_a_loop_asks_for_is_who_it_was():
    at = Location(1, ("name", "busy"), "shop.busy")
    wrote = Line(FIRST, 0, FILE, 15, "a", (Access("writes", at),))
    asks = Line(LAST, 0, FILE, 11, "b", (Access("reads", at),))
    turns = [Turn(FIRST, True, None, (wrote,)), Turn(LAST, True, None, (asks,))]
    spin = Spin(0, Site(FILE, 11, "b"), Site(FILE, 12, "b"))
    assert of_unended(Parties(NAMES, EVENT), (spin,), turns) == (
        "user 3, request 4 (GET /b) goes round at shop.py:11-12, where shop.busy was written last "
        "by user 1, request 2 (GET /a) at shop.py:15"
    )


def test_who_kept_a_lock_and_ended_is_named():
    wait = Wait(0, "Lock.acquire", Site(FILE, 16, "use"), 0, None, Site(FILE, 8, "keep"))
    assert of_unended(Parties(NAMES, EVENT), (wait,), [], {0: FIRST}) == (
        "user 3, request 4 (GET /b) waits in Lock.acquire at shop.py:16 for what "
        "user 1, request 2 (GET /a) took at shop.py:8 and never gave back"
    )
